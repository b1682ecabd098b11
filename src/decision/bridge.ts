/**
 * The bridge: a loaded configuration brought to life. Takes policy requests, gives actions, logs each decision.
 *
 * One for each configuration that is loaded; a reload opens a new one and closes the old when its decisions have ended.
 */
import { randomUUID } from "node:crypto";
import { StorePool } from "../cache/store-pool.ts";
import type { Config } from "../config/config.ts";
import type { Log } from "../observe/log.ts";
import type { PolicyRequest } from "../postfix/request.ts";
import { Activity } from "./activity.ts";
import { decide, type Policy, type Trace } from "./decide.ts";
import type { Decision } from "./decision.ts";
import { logDecision } from "./log-line.ts";
import { OfflineSwitch } from "./offline.ts";
import { closeService, openService } from "./open-service.ts";
import type { Route } from "./routes.ts";
import type { Service } from "./service.ts";

export interface BridgeOptions {
  /** Whose calls are not made for now; without it the configuration alone says so. */
  readonly offline?: OfflineSwitch;
  /** Told of each decision. */
  readonly activity?: Activity;
  /** Where remembered decisions are; they outlive a reload. */
  readonly stores?: StorePool;
}

export class Bridge {
  readonly services: readonly Service[];
  readonly #policy: Policy;
  readonly #log: Log;
  readonly #activity: Activity;

  private constructor(policy: Policy, services: readonly Service[], log: Log, activity: Activity) {
    this.services = services;
    this.#policy = policy;
    this.#log = log;
    this.#activity = activity;
  }

  /**
   * Opens what a configuration names. Modules are loaded here, so privileges are dropped before.
   *
   * @throws ProblemError where a module, or a file of `tls`, cannot be used
   */
  static async open(config: Config, log: Log, options: BridgeOptions = {}): Promise<Bridge> {
    const {
      offline = new OfflineSwitch(config.offline),
      activity = new Activity(),
      stores = new StorePool(log),
    } = options;
    const services = new Map<string, Service>();
    try {
      for (const service of config.services.values()) {
        services.set(service.name, await openService(service, offline, stores, log));
      }
    } catch (error) {
      await Promise.all([...services.values()].map(closeService));
      throw error;
    }
    const routes = config.routes.map(({ number, when, target }): Route => {
      if ("action" in target) return { number, when, target };
      const service = services.get(target.service)!;
      return { number, when, target: { service, onFailure: target.onFailure } };
    });
    return new Bridge({ routes, mask: config.mask }, [...services.values()], log, activity);
  }

  /**
   * Answers a request: the action, or null to close the connection without a reply. Bound, to be handed to listeners.
   *
   * @param startedAt when the deadline began, by `performance.now()`
   */
  readonly answer = (
    request: PolicyRequest,
    startedAt: number,
    trace?: Trace,
  ): string | null | Promise<string | null> => {
    const subject = { request, requestId: randomUUID(), now: Date.now() };
    const conclude = (decision: Decision) => {
      this.#activity.record(decision, subject.now);
      logDecision(this.#log, subject, decision, performance.now() - startedAt);
      return decision.action;
    };
    const decision = decide(this.#policy, subject, startedAt, trace);
    return decision instanceof Promise ? decision.then(conclude) : conclude(decision);
  };

  /** Makes one decision and tells of each step; nothing is logged. */
  async explain(request: PolicyRequest, requestId: string, trace: Trace): Promise<Decision> {
    return decide(this.#policy, { request, requestId, now: Date.now() }, performance.now(), trace);
  }

  /** Resolves when the decisions under way have ended and no connection to a service is open. */
  async close(): Promise<void> {
    await Promise.all(this.services.map(closeService));
  }
}
