/**
 * The bridge: a loaded configuration brought to life. Takes policy requests, gives actions, logs each decision.
 *
 * One for each configuration that is loaded; a reload opens a new one and closes the old when its decisions have ended.
 */
import type { DecisionCache } from "../cache/cache.ts";
import { countMet, deleteForgotten, deleteMet, type Met, sumOfMet } from "../cache/forget.ts";
import type { Revocation, Store } from "../cache/store.ts";
import { StorePool } from "../cache/store-pool.ts";
import type { Config } from "../config/config.ts";
import { decide, type Policy, type Trace } from "../decision/decide.ts";
import { decisionLogger, type LogDecision } from "../decision/log-line.ts";
import { Redactor } from "../decision/redact.ts";
import type { Route } from "../decision/routes.ts";
import type { Service } from "../decision/service.ts";
import { bothOf } from "../explain/both.ts";
import { RecentDecisions } from "../explain/recent.ts";
import type { Decision } from "../model/decision.ts";
import { after, type MaybePromise } from "../model/maybe-promise.ts";
import { referenceOf, withReference } from "../model/reference.ts";
import type { PolicyRequest } from "../model/request.ts";
import type { LineLog } from "../observe/log.ts";
import { Activity } from "./activity.ts";
import { OfflineSwitch } from "./offline.ts";
import { closeService, openService } from "./open-service.ts";
import { Outages } from "./outages.ts";
import { TokenShelf } from "./token-shelf.ts";
import type { Tracer } from "./tracer.ts";

export interface BridgeOptions {
  /** Whose calls are not made for now; without it the configuration alone says so. */
  readonly offline?: OfflineSwitch;
  /** Hears how decisions come about. */
  readonly tracer?: Tracer | null;
  /** Told of each decision. */
  readonly activity?: Activity;
  /** Where remembered decisions are; they outlive a reload. */
  readonly stores?: StorePool;
  /** Where tokens that are good outlive a reload. */
  readonly tokens?: TokenShelf;
  /** Keeps the last decisions; they outlive a reload. */
  readonly recent?: RecentDecisions;
}

/** What became of the lines of an export. */
export interface LoadCounts {
  readonly loaded: number;
  readonly refused: number;
  /** How many of them said what was to be forgotten; absent: none. */
  readonly forgotten?: number;
  /** How many lines were refused for which reason. */
  readonly reasons: Readonly<Record<string, number>>;
}

/** Whose remembered decisions are meant. */
export type WhichCaches = (cache: DecisionCache) => boolean;

export class Bridge {
  readonly services: readonly Service[];
  readonly #policy: Policy;
  readonly #mask: (text: string) => string;
  readonly #log: LineLog;
  readonly #activity: Activity;
  readonly #outages: Outages;
  readonly #tracer: Tracer | null;
  readonly #logDecision: LogDecision;
  readonly #recent: RecentDecisions;
  readonly #host: string;
  /** Whether refusals and the log say it. */
  readonly #tellsReference: boolean;

  private constructor(
    policy: Policy,
    { mask, log: { reference } }: Pick<Config, "mask" | "log">,
    services: readonly Service[],
    log: LineLog,
    activity: Activity,
    outages: Outages,
    tracer: Tracer | null,
    logDecision: LogDecision,
    recent: RecentDecisions,
  ) {
    this.services = services;
    this.#policy = policy;
    this.#mask = mask;
    this.#log = log;
    this.#activity = activity;
    this.#outages = outages;
    this.#tracer = tracer;
    this.#logDecision = logDecision;
    this.#recent = recent;
    this.#host = reference.host;
    this.#tellsReference = reference.isTold;
  }

  /**
   * Opens what a configuration names. Modules are loaded here, so privileges are dropped before.
   *
   * @throws ProblemError where a module, or a file of `tls`, cannot be used
   */
  static async open(config: Config, log: LineLog, options: BridgeOptions = {}): Promise<Bridge> {
    const {
      offline = new OfflineSwitch(config.offline),
      activity = new Activity(),
      stores = new StorePool(log),
      tracer = null,
      tokens = new TokenShelf(),
      recent = new RecentDecisions(0),
    } = options;
    const { sample, redact } = config.log;
    const redactor = redact && new Redactor(redact);
    const outages = new Outages(log, redactor && ((detail) => redactor.text(detail)));
    const services = new Map<string, Service>();
    try {
      for (const service of config.services.values()) {
        services.set(
          service.name,
          await openService(service, offline, stores, log, activity, outages.of(service.name), tokens),
        );
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
    return new Bridge(
      { routes },
      config,
      [...services.values()],
      log,
      activity,
      outages,
      tracer,
      decisionLogger({ ...(sample && { sample }), ...(redactor && { redactor }) }),
      recent,
    );
  }

  /** Answers a request: the action, or null to close the connection without a reply. Bound, to be handed to listeners. */
  readonly answer = (received: PolicyRequest): MaybePromise<string | null> => {
    const request = { ...received, host: this.#host };
    const steps = this.#recent.watch(request.startedAt);
    const spans = this.#tracer?.begin(request);
    return after(decide(this.#policy, request, bothOf(steps ?? undefined, spans)), (decision) => {
      const reference = this.#tellsReference ? referenceOf(request) : undefined;
      const said = this.#said(decision, reference);
      spans?.end(said);
      const took = performance.now() - request.startedAt;
      this.#activity.record(said, request.time, took);
      this.#outages.note(said);
      this.#logDecision(this.#log, request, said, took, reference);
      this.#recent.record(request, steps, said, took, this.#mask);
      return said.action;
    });
  };

  /** As Postfix is to be answered. */
  #said(decision: Decision, reference: string | undefined): Decision {
    const masked = this.#masked(decision);
    if (reference === undefined || masked.action === null) return masked;
    const action = withReference(masked.action, reference);
    return action === masked.action ? masked : { ...masked, action };
  }

  /** A service may echo what it was sent, credentials included. */
  #masked(decision: Decision): Decision {
    const action = decision.action === null ? null : this.#mask(decision.action);
    // A token is known to be a secret only for some time after it was used.
    const detail = decision.detail === undefined ? undefined : this.#mask(decision.detail);
    if (action === decision.action && detail === decision.detail) return decision;
    return { ...decision, action, detail };
  }

  /** Makes one decision, which begins now, and tells of each step; nothing is logged. */
  async explain(request: PolicyRequest, trace: Trace): Promise<Decision> {
    const begun = { ...request, host: this.#host, startedAt: performance.now() };
    const reference = this.#tellsReference ? referenceOf(begun) : undefined;
    return this.#said(await decide(this.#policy, begun, trace), reference);
  }

  /**
   * Uses no reply any more that was remembered before and matches; nor does any bridge that shares the store.
   *
   * @param which in whose stores it is looked for what was met
   * @throws Error when a store has not made it known as durably as it keeps what is revoked
   */
  async forget(revocation: Revocation, which?: WhichCaches): Promise<Met> {
    await Promise.all([...this.#storesOf(revocation)].map((store) => store.revoke(revocation)));
    const stores = [...this.#storesOf(revocation, which)];
    return sumOfMet(await Promise.all(stores.map((store) => deleteMet(store, revocation))));
  }

  /** What it would meet; nothing changes. */
  async countMet(revocation: Revocation, which?: WhichCaches): Promise<Met> {
    const stores = [...this.#storesOf(revocation, which)];
    return sumOfMet(await Promise.all(stores.map((store) => countMet(store, revocation))));
  }

  #storesOf({ service }: Revocation, which?: WhichCaches): ReadonlySet<Store> {
    const caches = this.#caches(which).filter(([name]) => service === undefined || service === name);
    return new Set(caches.map(([, { store }]) => store));
  }

  /** Remembered decisions of all services, or of some, a line of NDJSON each. */
  async *exportCache(which: WhichCaches = () => true): AsyncIterable<string> {
    for (const [, cache] of this.#caches(which)) yield* cache.export();
  }

  /** Takes in lines of such an export, each for the service that it names, if that is among those that are meant. */
  async loadCache(
    lines: AsyncIterable<string> | Iterable<string>,
    which: WhichCaches = () => true,
  ): Promise<LoadCounts> {
    const caches = new Map(this.#caches(which));
    const reasons: Record<string, number> = {};
    const counts = { loaded: 0, forgotten: 0, refused: 0 };
    for await (const line of lines) {
      const result = await loadLine(line, caches);
      if (typeof result !== "string") counts[result.was]++;
      else {
        counts.refused++;
        reasons[result] = (reasons[result] ?? 0) + 1;
      }
    }
    const { loaded, forgotten, refused } = counts;
    if (forgotten === 0) return { loaded, refused, reasons };
    await Promise.all([...new Set([...caches.values()].map(({ store }) => store))].map(deleteForgotten));
    return { loaded, forgotten, refused, reasons };
  }

  #caches(which: WhichCaches = () => true): [string, DecisionCache][] {
    return this.services.flatMap(({ name, cache }) =>
      cache === null || !which(cache) ? [] : [[name, cache]],
    );
  }

  /** Resolves when the decisions under way have ended and no connection to a service is open. */
  async close(): Promise<void> {
    await Promise.all(this.services.map(closeService));
  }
}

/** What a line was, or why it was refused. */
async function loadLine(
  line: string,
  caches: ReadonlyMap<string, DecisionCache>,
): Promise<{ readonly was: "loaded" | "forgotten" } | string> {
  let parsed: { readonly service?: unknown; readonly forgotten_at?: unknown } | null;
  try {
    parsed = JSON.parse(line);
  } catch {
    return "the line is no JSON";
  }
  const cache = caches.get(String(parsed?.service));
  if (cache === undefined) return "its service remembers nothing here";
  const problem = await cache.load(line);
  return problem ?? { was: parsed?.forgotten_at === undefined ? "loaded" : "forgotten" };
}
