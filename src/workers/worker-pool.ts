/**
 * The workers, as the supervisor has them: started, replaced when they end, given configurations and connections.
 *
 * A configuration is used when all workers could load it, else by none. One that ends by itself is replaced at once; when
 * it ends again and again, after longer and longer pauses, while another takes connections. One that says nothing for some
 * seconds (it is stopped, or in an endless loop) is ended. Only its own connections are lost.
 */

import { setTimeout as delay } from "node:timers/promises";
import type { LoadCounts } from "../bridge/bridge.ts";
import { listenerFigures } from "../bridge/bridge-figures.ts";
import type { Engine, Prepared } from "../bridge/engine.ts";
import { type Figures, sumOfFigures } from "../bridge/figures.ts";
import { END_TIME, longestDeadline } from "../bridge/grace.ts";
import { descriptorsForCalls } from "../bridge/kept-back.ts";
import type { OfflineSwitch } from "../bridge/offline.ts";
import { processFigures } from "../bridge/process-figures.ts";
import type { EngineStatus } from "../bridge/status.ts";
import { type Met, sumOfMet } from "../cache/forget.ts";
import type { Revocation } from "../cache/store.ts";
import type { Config } from "../config/config.ts";
import type { DecisionQuery } from "../explain/query.ts";
import { type FoundDecisions, together } from "../explain/recent.ts";
import type { Log } from "../observe/log.ts";
import { droppedLines } from "../observe/sink.ts";
import { ConnectionComplaints } from "../postfix/connection-complaints.ts";
import { mostClients } from "../postfix/descriptors.ts";
import type { ListenerReport } from "../postfix/listener-set.ts";
import { type Contents, environmentWithout } from "../source/contents.ts";
import { within } from "../time/within.ts";
import { exportAll, loadAll } from "./cache-transfer.ts";
import { WorkerFigures } from "./figures.ts";
import { HandOver } from "./hand-over.ts";
import type { Loading } from "./messages.ts";
import { shareOf } from "./share.ts";
import { sumOf } from "./sum.ts";
import { Unanswered, WorkerProcess } from "./worker-process.ts";

/** What the workers run. */
interface Running {
  readonly file: string;
  readonly contents: Contents;
  readonly workers: number;
  /** Milliseconds that a connection may wait for a worker. */
  readonly patience: number;
  /** Connections that a worker may have. */
  readonly mostConnections: number;
}

/** That a worker may take, in milliseconds: to load a configuration, with its modules. */
const LOAD_TIME = 30_000;
/** … to do what takes no time. */
const CALL_TIME = 5_000;
/** … to make a revocation known; whoever asked for it waits no longer. */
const FORGET_TIME = 10_000;
/** … to tell how it stands; its stores are asked. */
const STATUS_TIME = 2_500;
/** That it takes a worker to hear that it is to stop, of the grace; in milliseconds. */
const STOP_TIME = 200;
/** A worker that lived so long was well; in milliseconds. */
const WELL_AFTER = 10_000;
/** Before a worker is replaced whose predecessor was not, in milliseconds; doubles. */
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 10_000;
/** … when no other takes connections. */
const PAUSE_OF_ALL = 100;
/** One that says nothing for so many milliseconds is ended. */
const SILENCE = 3_000;
/** That connections may wait for a worker where no service has a deadline, in milliseconds. */
const PATIENCE = 10_000;
/** How often is looked whether one takes connections again, in milliseconds. */
const LOOK_EVERY = 50;
const NONE_READY = "no worker process is ready: they have ended and are being replaced; the log says why";
/** A closed one costs the mail system so much (smtpd_policy_service_retry_delay): no worker, however quick, is worth it. */
const LEAST_PATIENCE = 1_000;

export class WorkerPool implements Engine {
  readonly handOver = new HandOver(() => this.#complainOfLate());
  readonly #offline: OfflineSwitch;
  /** `--offline`. */
  readonly #commandLine: boolean;
  readonly #log: Log;
  readonly #complaints: ConnectionComplaints;
  readonly #listeners: () => readonly ListenerReport[];
  /** All that live, also those that only finish what they have. */
  readonly #workers = new Set<WorkerProcess>();
  readonly #retiring = new Set<WorkerProcess>();
  /** How often in a row the worker at a place has ended early. */
  readonly #early = new Map<number, number>();
  /** Places whose worker is to be replaced after a pause. */
  readonly #pausing = new Map<number, NodeJS.Timeout>();
  readonly #figures = new WorkerFigures<WorkerProcess>();
  #running: Running | null = null;
  #closing = false;

  constructor(options: {
    readonly offline: OfflineSwitch;
    readonly commandLine: boolean;
    readonly log: Log;
    /** Those that are bound. */
    readonly listeners: () => readonly ListenerReport[];
  }) {
    this.#offline = options.offline;
    this.#commandLine = options.commandLine;
    this.#log = options.log;
    this.#complaints = new ConnectionComplaints(options.log);
    this.#listeners = options.listeners;
  }

  async prepare(config: Config, contents: Contents): Promise<Prepared> {
    const { file, workers } = config;
    const next: Running = {
      file,
      contents,
      workers,
      patience: Math.max(longestDeadline(config) || PATIENCE, LEAST_PATIENCE),
      // The first one's share is the largest.
      mostConnections: mostClients(descriptorsForCalls(shareOf(config, { place: 0, of: workers }))),
    };
    if (this.#running === null) return this.#first(next);
    const prepared: WorkerProcess[] = [];
    const discard = () => {
      for (const worker of prepared) void worker.call("discard", null, CALL_TIME).catch(() => {});
    };
    // One after the other: the others answer meanwhile.
    for (const worker of [...this.#workers].filter(({ isReady }) => isReady)) {
      try {
        await worker.call("prepare", this.#loading(next, worker), LOAD_TIME);
        prepared.push(worker);
      } catch (error) {
        // It is replaced, or brought in line later.
        if (error instanceof Unanswered) continue;
        discard();
        throw error;
      }
    }
    return { use: () => this.#use(next, prepared), discard };
  }

  async status(): Promise<EngineStatus> {
    const asked = await Promise.all(
      [...this.#workers].map(async (worker) => ({
        worker,
        // One that is being started knows of nothing yet.
        status: worker.isReady
          ? await worker.call("status", null, STATUS_TIME).catch(() => undefined)
          : undefined,
      })),
    );
    const answered = asked.flatMap(({ status }) => status ?? []);
    return {
      ...sumOf(answered, this.#listeners()),
      workers: asked.map(({ worker, status }) => ({
        pid: worker.pid,
        connections: worker.connections,
        answers: status !== undefined,
      })),
    };
  }

  async decisions(query: DecisionQuery): Promise<FoundDecisions> {
    const ready = this.#ready();
    const asked = ready.map((worker) => worker.call("decisions", query, STATUS_TIME).catch(() => undefined));
    const found = (await Promise.all(asked)).filter((part) => part !== undefined);
    return together(found, query.limit, this.#workers.size - found.length);
  }

  async reopenLog(): Promise<void> {
    await this.#all((worker) => worker.call("reopenLog", null, CALL_TIME));
  }

  async figures(): Promise<Figures> {
    const all = [...this.#workers];
    const answered = new Set<WorkerProcess>();
    await Promise.all(
      all
        .filter(({ isReady }) => isReady)
        .map(async (worker) => {
          const figures = await worker.call("figures", null, STATUS_TIME).catch(() => undefined);
          if (figures === undefined || !this.#workers.has(worker)) return;
          this.#figures.said(worker, figures);
          answered.add(worker);
        }),
    );
    return sumOfFigures([
      this.#figures.sum(answered),
      listenerFigures(this.#listeners()),
      await processFigures(""),
      {
        logDropped: [{ labels: [], value: droppedLines() }],
        workers: [
          { labels: ["answering"], value: answered.size },
          { labels: ["silent"], value: all.length - answered.size },
        ],
      },
    ]);
  }

  async switched(): Promise<void> {
    const switches = this.#offline.snapshot();
    await this.#all((worker) => worker.call("switch", switches, CALL_TIME));
  }

  /** Not before one that takes connections has done it: while all are being replaced, nobody has the stores open. */
  async forget(revocation: Revocation, dryRun: boolean): Promise<Met> {
    const until = performance.now() + FORGET_TIME;
    for (;;) {
      const first = await this.#firstReady(until);
      const met = new Map<WorkerProcess, Met>();
      try {
        await this.#all(async (worker) => {
          const own = worker !== first;
          met.set(worker, await worker.call("forget", { revocation, dryRun, own }, FORGET_TIME));
        });
      } catch (error) {
        // One that has just ended is replaced; one that lives and says nothing has used up the time.
        if (!(error instanceof Unanswered) || performance.now() >= until) throw error;
        await delay(LOOK_EVERY);
        continue;
      }
      if (met.has(first)) return sumOfMet([...met.values()]);
    }
  }

  async *exportCache(): AsyncIterable<string> {
    await this.#firstReady(performance.now() + CALL_TIME);
    yield* exportAll(this.#ready());
  }

  async loadCache(lines: AsyncIterable<string>): Promise<LoadCounts> {
    await this.#firstReady(performance.now() + CALL_TIME);
    return loadAll(this.#ready(), lines);
  }

  async close(graceMs: number): Promise<void> {
    this.#closing = true;
    this.handOver.close();
    const workers = [...this.#workers];
    for (const worker of workers) void worker.call("stop", graceMs - STOP_TIME, CALL_TIME).catch(() => {});
    await within(graceMs + END_TIME, Promise.all(workers.map(({ ended }) => ended)));
    for (const worker of this.#workers) worker.kill();
    await Promise.all(workers.map(({ ended }) => ended));
  }

  /** At the start: without all of its workers the bridge does not begin. */
  async #first(next: Running): Promise<Prepared> {
    const workers = Array.from({ length: next.workers }, (_, place) => this.#start(place, next));
    const discard = () => {
      this.#closing = true;
      for (const worker of workers) worker.kill();
    };
    try {
      await Promise.all(
        workers.map((worker) => worker.call("prepare", this.#loading(next, worker), LOAD_TIME)),
      );
    } catch (error) {
      discard();
      throw error;
    }
    return { use: () => this.#use(next, workers), discard };
  }

  async #use(next: Running, prepared: readonly WorkerProcess[]): Promise<void> {
    this.#running = next;
    this.handOver.patience = next.patience;
    this.handOver.most = next.mostConnections;
    // Those that are being started see for themselves that the configuration is another now.
    const concerned = [...this.#workers].filter((worker) => worker.isReady || prepared.includes(worker));
    await Promise.all(
      concerned.map((worker) => this.#bringUp(worker, prepared.includes(worker) ? next : null)),
    );
    for (const worker of [...this.#workers]) {
      if (worker.place >= next.workers) this.#retire(worker);
    }
    const places = new Set(this.#active().map(({ place }) => place));
    for (let place = 0; place < next.workers; place++) {
      if (!places.has(place)) void this.#bringUp(this.#start(place, next), null);
    }
  }

  #retire(worker: WorkerProcess): void {
    if (this.#retiring.has(worker)) return;
    this.#retiring.add(worker);
    this.#distribute();
    void worker.call("retire", null, CALL_TIME).catch(() => {});
  }

  /**
   * Has a worker use the configuration that is in use; the next one too, where that changes meanwhile. One that cannot is
   * ended, and so replaced.
   */
  async #bringUp(worker: WorkerProcess, prepared: Running | null): Promise<void> {
    let loaded = prepared;
    try {
      do {
        const wanted: Running = this.#running!;
        if (loaded !== wanted) await worker.call("prepare", this.#loading(wanted, worker), LOAD_TIME);
        await worker.call("use", null, CALL_TIME);
        loaded = wanted;
      } while (loaded !== this.#running);
      if (!worker.isReady) worker.watch(SILENCE, () => this.#onSilent(worker));
      worker.isReady = true;
      this.#distribute();
    } catch (error) {
      // Of one that could not be started its end says why.
      if (!this.#workers.has(worker) || this.#closing || worker.pid === 0) return;
      const fields = { worker_pid: worker.pid, detail: (error as Error).message };
      this.#log.error(fields, "a worker process could not load the configuration and is ended");
      worker.kill();
    }
  }

  /** The secrets that the configuration takes from the environment come with it. */
  #start(place: number, { contents }: Running): WorkerProcess {
    const worker = new WorkerProcess(place, environmentWithout(contents));
    worker.onPrinted((text) => {
      this.#log.warn(
        { worker_pid: worker.pid, text },
        "printed by a worker process, not by the bridge itself",
      );
    });
    this.#workers.add(worker);
    void worker.ended.then((how) => this.#onEnded(worker, how));
    return worker;
  }

  #onEnded(worker: WorkerProcess, how: string): void {
    this.#workers.delete(worker);
    this.#figures.ended(worker);
    const wasRetiring = this.#retiring.delete(worker);
    this.#distribute();
    if (this.#closing || this.#running === null) return;
    const isAlone = !this.#active().some(({ isReady }) => isReady);
    // Connections wait for any of them.
    if (isAlone) for (const place of this.#pausing.keys()) this.#replaceAfter(place, PAUSE_OF_ALL);
    if (wasRetiring || worker.place >= this.#running.workers) return;
    const pause = Math.min(this.#pauseAfter(worker), isAlone ? PAUSE_OF_ALL : LONGEST_PAUSE);
    const fields = {
      worker_pid: worker.pid,
      how,
      connections: worker.connections,
      ...(pause > 0 && { replaced_in_ms: pause }),
    };
    this.#log.error(fields, "a worker process has ended and is replaced; its connections are lost");
    this.#replaceAfter(worker.place, pause);
  }

  #onSilent(worker: WorkerProcess): void {
    const fields = { worker_pid: worker.pid, connections: worker.connections };
    this.#log.error(fields, `a worker process has said nothing for ${SILENCE / 1000} s and is ended`);
    worker.kill();
  }

  #complainOfLate(): void {
    this.#complaints.say(
      { workers: this.#ready().length },
      "no worker took connections in time: they were closed, for the mail system to connect again",
    );
  }

  #replaceAfter(place: number, pause: number): void {
    clearTimeout(this.#pausing.get(place));
    this.#pausing.set(
      place,
      setTimeout(() => this.#replace(place), pause),
    );
  }

  #replace(place: number): void {
    this.#pausing.delete(place);
    const there = this.#active().some((worker) => worker.place === place);
    if (this.#closing || there || this.#running === null || place >= this.#running.workers) return;
    void this.#bringUp(this.#start(place, this.#running), null);
  }

  /** In milliseconds. */
  #pauseAfter(worker: WorkerProcess): number {
    const early =
      performance.now() - worker.startedAt < WELL_AFTER ? (this.#early.get(worker.place) ?? 0) : 0;
    this.#early.set(worker.place, early + 1);
    return early === 0 ? 0 : Math.min(FIRST_PAUSE * 2 ** (early - 1), LONGEST_PAUSE);
  }

  #loading({ file, contents, workers }: Running, { place }: WorkerProcess): Loading {
    return {
      file,
      contents,
      share: { place, of: workers },
      offline: this.#commandLine,
      switches: this.#offline.snapshot(),
    };
  }

  #distribute(): void {
    this.handOver.use(this.#ready().filter((worker) => !this.#retiring.has(worker)));
  }

  #active(): readonly WorkerProcess[] {
    return [...this.#workers].filter((worker) => !this.#retiring.has(worker));
  }

  /** Those whose store is asked where it is shared come first. */
  #ready(): readonly WorkerProcess[] {
    return [...this.#workers].filter(({ isReady }) => isReady);
  }

  /**
   * The first of those that take connections; waited for while all are being replaced.
   *
   * @param until by `performance.now()`
   * @throws Error when there is none by then
   */
  async #firstReady(until: number): Promise<WorkerProcess> {
    for (;;) {
      const [first] = this.#ready();
      if (first !== undefined) return first;
      if (this.#closing || performance.now() >= until) throw new Error(NONE_READY);
      await delay(LOOK_EVERY);
    }
  }

  /** Asks all of them; fails when one has failed that still lives. */
  async #all(ask: (worker: WorkerProcess) => Promise<unknown>): Promise<void> {
    await Promise.all(
      [...this.#workers].map(async (worker) => {
        try {
          await ask(worker);
        } catch (error) {
          if (this.#workers.has(worker)) throw error;
        }
      }),
    );
  }
}
