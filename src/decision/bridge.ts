/**
 * The bridge: a loaded configuration brought to life. Takes policy requests, gives actions, logs each decision.
 *
 * One for each configuration that is loaded; a reload opens a new one and closes the old when its decisions have ended.
 */
import { randomUUID } from "node:crypto";
import type { Config, ServiceConfig } from "../config/config.ts";
import type { LoadedMapping } from "../mapping/load.ts";
import type { Mapping } from "../mapping/mapping.ts";
import type { Log } from "../observe/log.ts";
import type { PolicyRequest } from "../postfix/request.ts";
import { ProblemError } from "../yaml/problem.ts";
import { Activity } from "./activity.ts";
import { decide, type Policy, type Trace } from "./decide.ts";
import type { Decision } from "./decision.ts";
import { logDecision } from "./log-line.ts";
import { OfflineSwitch } from "./offline.ts";
import { openUpstream } from "./open-upstream.ts";
import type { Route } from "./routes.ts";
import type { Service } from "./service.ts";

/** In milliseconds. */
const MODULE_LOAD_TIME = 10_000;

export interface BridgeOptions {
  /** Whose calls are not made for now; without it the configuration alone says so. */
  readonly offline?: OfflineSwitch;
  /** Told of each decision. */
  readonly activity?: Activity;
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
    const { offline = new OfflineSwitch(config.offline), activity = new Activity() } = options;
    const services = new Map<string, Service>();
    try {
      for (const service of config.services.values()) {
        services.set(service.name, await openService(service, offline, log));
      }
    } catch (error) {
      await Promise.all([...services.values()].map(({ upstream }) => upstream.close()));
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
    await Promise.all(this.services.map(({ upstream }) => upstream.close()));
  }
}

async function openService(service: ServiceConfig, offline: OfflineSwitch, log: Log): Promise<Service> {
  const { name, deadline, onFailure } = service;
  const mapping = await inTime(service.mapping);
  const upstream = openUpstream(service, log);
  return { name, mapping, upstream, deadline, onFailure, isOffline: () => offline.isOffline(name) };
}

/** A module may wait for something when it is imported, but not for ever. */
async function inTime(loaded: LoadedMapping): Promise<Mapping> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const message = `the module was not loaded within ${MODULE_LOAD_TIME / 1000} s; does it await something at its top level?`;
      reject(new ProblemError([{ file: loaded.file, message, severity: "error" }]));
    }, MODULE_LOAD_TIME);
  });
  try {
    return await Promise.race([loaded.instantiate(), late]);
  } finally {
    clearTimeout(timer);
  }
}
