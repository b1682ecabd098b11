/** The bridge in this process, over all configurations that it is given one after the other. */

import { type Met, NOTHING_MET } from "../cache/forget.ts";
import type { Revocation } from "../cache/store.ts";
import { StorePool } from "../cache/store-pool.ts";
import type { Config, ServiceConfig } from "../config/config.ts";
import type { DecisionQuery } from "../explain/query.ts";
import { type FoundDecisions, RecentDecisions } from "../explain/recent.ts";
import type { LineLog } from "../observe/log.ts";
import type { PolicyHandler } from "../postfix/connection.ts";
import type { ListenerReport } from "../postfix/listener-set.ts";
import { within } from "../time/within.ts";
import { Activity } from "./activity.ts";
import { Bridge, type LoadCounts, type WhichCaches } from "./bridge.ts";
import { bridgeFigures } from "./bridge-figures.ts";
import type { Engine, Prepared } from "./engine.ts";
import type { Figures } from "./figures.ts";
import { descriptorsForCalls } from "./kept-back.ts";
import type { OfflineSwitch } from "./offline.ts";
import { processFigures } from "./process-figures.ts";
import { serviceStatus } from "./service-status.ts";
import type { EngineStatus } from "./status.ts";
import { StoreLog } from "./store-log.ts";
import { TokenShelf } from "./token-shelf.ts";
import type { Tracer } from "./tracer.ts";

/** Where requests come from. */
export interface Reception {
  readonly report: readonly ListenerReport[];
  setHandler(handle: PolicyHandler): void;
  /** Keeps descriptors back from clients, for calls and what they need. */
  keepBack(descriptors: number): void;
}

/** That stores may take to write what waits, in milliseconds. */
const STORES_TIME = 300;

export class BridgeEngine implements Engine {
  readonly #log: LineLog;
  readonly #storeLog: StoreLog;
  readonly #offline: OfflineSwitch;
  readonly #activity = new Activity();
  readonly #stores: StorePool;
  readonly #tokens = new TokenShelf();
  readonly #recent = new RecentDecisions(0);
  #reception: Reception | null = null;
  #tracer: Tracer | null = null;
  #bridge: Bridge | null = null;
  #mask: (text: string) => string = (text) => text;
  #configs: readonly ServiceConfig[] = [];
  /** Resolves when the first configuration is in use. */
  readonly #ready: Promise<Bridge>;
  #begin: (bridge: Bridge) => void = () => {};

  /** @param offline may be switched at any time */
  constructor(offline: OfflineSwitch, log: LineLog) {
    this.#offline = offline;
    this.#log = log;
    this.#storeLog = new StoreLog(log);
    this.#stores = new StorePool(this.#storeLog);
    this.#ready = new Promise((resolve) => {
      this.#begin = resolve;
    });
  }

  /** Answers requests now; `receive` keeps up with the next configurations. */
  get handler(): PolicyHandler {
    return this.#bridge?.answer ?? this.#answerWhenReady;
  }

  /** Configurations that are prepared from now on tell it of their decisions. */
  trace(tracer: Tracer | null): void {
    this.#tracer = tracer;
  }

  /** From now on requests come from there. */
  receive(reception: Reception): void {
    this.#reception = reception;
    reception.setHandler(this.handler);
  }

  async prepare(config: Config): Promise<Prepared> {
    const next = await Bridge.open(config, this.#log, {
      offline: this.#offline,
      activity: this.#activity,
      stores: this.#stores,
      tracer: this.#tracer,
      tokens: this.#tokens,
      recent: this.#recent,
    });
    return { use: async () => this.#use(next, config), discard: () => void next.close() };
  }

  async status(): Promise<EngineStatus> {
    const running = { offline: this.#offline, activity: this.#activity, mask: this.#mask };
    const { last } = this.#storeLog;
    return {
      listeners: this.#reception?.report ?? [],
      services: await Promise.all(
        (this.#bridge?.services ?? []).map((service) => serviceStatus(service, running)),
      ),
      store_complaint: last && { at: new Date(last.at).toISOString(), message: last.message },
      decisions: { ...this.#activity.decisions },
    };
  }

  decisions(query: DecisionQuery): Promise<FoundDecisions> {
    return this.#recent.find(query, this.#mask);
  }

  async reopenLog(): Promise<void> {
    // The log is that of the process.
  }

  /** @param worker its number, where this process is one */
  async figures(worker = ""): Promise<Figures> {
    const counted = {
      activity: this.#activity,
      services: this.#bridge?.services ?? [],
      configs: this.#configs,
      listeners: this.#reception?.report ?? [],
      offline: this.#offline,
      complaints: this.#storeLog.complaints,
      mask: this.#mask,
    };
    return { ...(await bridgeFigures(counted)), ...(await processFigures(worker)) };
  }

  async switched(): Promise<void> {
    // The switch itself is asked for each decision.
  }

  async forget(revocation: Revocation, dryRun: boolean, which?: WhichCaches): Promise<Met> {
    if (this.#bridge === null) return NOTHING_MET;
    return dryRun ? this.#bridge.countMet(revocation, which) : this.#bridge.forget(revocation, which);
  }

  async *exportCache(which?: WhichCaches): AsyncIterable<string> {
    if (this.#bridge !== null) yield* this.#bridge.exportCache(which);
  }

  async loadCache(lines: AsyncIterable<string> | Iterable<string>, which?: WhichCaches): Promise<LoadCounts> {
    return (await this.#ready).loadCache(lines, which);
  }

  async close(): Promise<void> {
    await within(STORES_TIME, this.#stores.close());
  }

  /** Between binding and readiness. */
  readonly #answerWhenReady: PolicyHandler = async (request) => (await this.#ready).answer(request);

  #use(bridge: Bridge, config: Config): void {
    this.#offline.configure(config.offline);
    const previous = this.#bridge;
    this.#bridge = bridge;
    this.#mask = config.mask;
    this.#recent.resize(config.log.explain);
    this.#configs = [...config.services.values()];
    this.#reception?.setHandler(bridge.answer);
    this.#reception?.keepBack(descriptorsForCalls(config));
    this.#begin(bridge);
    void previous?.close();
  }
}
