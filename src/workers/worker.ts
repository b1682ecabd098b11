/**
 * A worker: a bridge that answers on connections which the supervisor has accepted, and does what the supervisor asks.
 *
 * Signals are the supervisor's. When that is gone, the worker answers what is in flight and ends.
 */
import { Socket } from "node:net";
import { BridgeEngine } from "../bridge/bridge-engine.ts";
import type { Prepared } from "../bridge/engine.ts";
import { END_TIME, GRACE, longestDeadline } from "../bridge/grace.ts";
import { OfflineSwitch } from "../bridge/offline.ts";
import type { DecisionCache } from "../cache/cache.ts";
import { loadConfig } from "../config/load.ts";
import { type OpenLog, openLog, ServiceLog } from "../observe/log.ts";
import { logWhatIsPrinted } from "../observe/printed.ts";
import { SUPERVISORS_OUTPUT } from "../observe/standard-streams.ts";
import { fromContents } from "../source/contents.ts";
import { ProblemError } from "../source/problem.ts";
import { openTelemetry, type Telemetry } from "../telemetry/telemetry.ts";
import { VERSION } from "../version.ts";
import type { Call, FromWorker, HandedOver, Loading, Method, ToWorker, WorkerCalls } from "./messages.ts";
import { ReceivedConnections } from "./received-connections.ts";
import { shareOf } from "./share.ts";

type Handlers = {
  readonly [M in Method]: (parameter: WorkerCalls[M][0]) => WorkerCalls[M][1] | Promise<WorkerCalls[M][1]>;
};

/** Ended connections are told of together, after so many milliseconds. */
const TELL_EVERY = 50;
/** That spans may take to be sent at the end, in milliseconds; the supervisor waits no longer than END_TIME. */
const TELEMETRY_TIME = 400;
/** An export goes in pieces of about so many characters. */
const PIECE = 256 * 1024;

/** Runs until the supervisor says so, or is gone. */
export async function runWorker(): Promise<void> {
  await new Worker().ended;
}

class Worker {
  readonly ended: Promise<void>;
  readonly #log = new ServiceLog();
  readonly #offline: OfflineSwitch;
  readonly #engine: BridgeEngine;
  readonly #connections: ReceivedConnections;
  #prepared: { readonly bridge: Prepared; readonly log: OpenLog; readonly reopen: () => OpenLog } | null =
    null;
  /** Opens the log of the configuration in use once more. */
  #reopen: (() => OpenLog) | null = null;
  #isLogging = false;
  /** Traces alone: figures are the supervisor's. */
  #telemetry: Telemetry | null = null;
  /** Of any configuration whose decisions may still be under way, in milliseconds. */
  #longestDeadline = 0;
  /** Among the workers, from 1. */
  #number = 0;
  /** By reader. */
  readonly #exports = new Map<number, AsyncIterator<string>>();
  /** Connections that are here, but not read yet. */
  #arriving = 0;
  #endedConnections = 0;
  #telling = false;
  #retiring = false;
  #stopping = false;
  #end: () => void = () => {};

  constructor() {
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    // Whether `--offline` was given comes with the first configuration; it is a switch of its own there.
    this.#offline = new OfflineSwitch(false);
    this.#engine = new BridgeEngine(this.#offline, this.#log);
    this.#connections = new ReceivedConnections(this.#engine.handler, this.#log, () => this.#onEnded());
    this.#engine.receive(this.#connections);
    for (const signal of ["SIGHUP", "SIGUSR1", "SIGTERM", "SIGINT"] as const) process.on(signal, () => {});
    process.on("uncaughtException", (error) => this.#fault(error));
    process.on("unhandledRejection", (error) => this.#fault(error));
    process.on("message", (message: ToWorker, socket: unknown) => this.#receive(message, socket));
    process.on("disconnect", () => void this.#abandoned());
    logWhatIsPrinted(this.#log);
  }

  #receive(message: ToWorker, socket: unknown): void {
    if ("call" in message) void this.#answer(message);
    else if ("ping" in message) say({ pong: true });
    // Whoever has gone before it was handed over leaves no socket.
    else this.#take(message, socket instanceof Socket ? socket : undefined);
  }

  /**
   * Nothing is read from it before the supervisor can know that it is here: if this process ends first, another worker gets
   * it unread.
   */
  #take(handed: HandedOver, socket: Socket | undefined): void {
    this.#arriving++;
    say({ taken: true }, () => {
      this.#arriving--;
      if (socket === undefined) this.#onEnded();
      else this.#connections.accept(handed.connection, socket, handed);
    });
  }

  async #answer({ call, method, parameter }: Call): Promise<void> {
    try {
      const handle = this.#handlers[method] as (parameter: unknown) => unknown;
      say({ call, result: (await handle(parameter)) ?? null });
    } catch (error) {
      const problems = error instanceof ProblemError ? { problems: error.problems } : {};
      say({ call, failed: (error as Error)?.message ?? String(error), ...problems });
    }
  }

  readonly #handlers: Handlers = {
    prepare: (loading) => this.#prepare(loading),
    use: () => this.#use(),
    discard: () => this.#discard(),
    switch: (switches) => {
      this.#offline.restore(switches);
      return null;
    },
    reopenLog: () => {
      if (this.#reopen !== null) this.#log.use(this.#reopen());
      return null;
    },
    status: () => this.#engine.status(),
    decisions: (query) => this.#engine.decisions(query),
    figures: () => this.#engine.figures(String(this.#number)),
    forget: ({ revocation, dryRun, own }) => this.#engine.forget(revocation, dryRun, own ? isOwn : undefined),
    export: ({ reader, own }) => {
      let lines = this.#exports.get(reader);
      if (lines === undefined) {
        lines = this.#engine.exportCache(own ? isOwn : undefined)[Symbol.asyncIterator]();
        this.#exports.set(reader, lines);
      }
      return this.#nextPiece(reader, lines);
    },
    endExport: async (reader) => {
      await this.#exports.get(reader)?.return?.();
      this.#exports.delete(reader);
      return null;
    },
    load: ({ lines, own }) => this.#engine.loadCache(lines, own ? isOwn : undefined),
    retire: () => {
      this.#retiring = true;
      this.#endIfIdle();
      return null;
    },
    stop: (graceMs) => {
      void this.#stop(graceMs);
      return null;
    },
  };

  async #prepare(loading: Loading): Promise<null> {
    this.#discard();
    this.#offline.restore(loading.switches);
    const whole = await fromContents(loading.contents, () => loadConfig(loading.file));
    const config = shareOf(loading.offline ? { ...whole, offline: true } : whole, loading.share);
    const worker = loading.share.place + 1;
    this.#number = worker;
    const options = { ...config.log, shared: true, worker, output: SUPERVISORS_OUTPUT };
    const reopen = () => openLog(options, config.mask);
    const log = reopen();
    try {
      if (!this.#isLogging) {
        this.#isLogging = true;
        // What a module says while it is imported is to be found in the log.
        this.#log.use(reopen());
      }
      this.#telemetry ??= await openTelemetry(this.#log, VERSION);
      this.#engine.trace(this.#telemetry.tracer);
      this.#prepared = { bridge: await this.#engine.prepare(config), log, reopen };
    } catch (error) {
      void log.end(0);
      throw error;
    }
    this.#longestDeadline = Math.max(this.#longestDeadline, longestDeadline(config));
    return null;
  }

  async #use(): Promise<null> {
    const prepared = this.#prepared;
    this.#prepared = null;
    if (prepared === null) return null;
    this.#log.use(prepared.log);
    this.#reopen = prepared.reopen;
    await prepared.bridge.use();
    return null;
  }

  #discard(): null {
    this.#prepared?.bridge.discard();
    void this.#prepared?.log.end(0);
    this.#prepared = null;
    return null;
  }

  async #nextPiece(reader: number, from: AsyncIterator<string>): Promise<readonly string[]> {
    const lines: string[] = [];
    let length = 0;
    while (length < PIECE) {
      const { done, value } = await from.next();
      if (done) {
        // Asked again, it says again that it is at its end.
        if (lines.length === 0) this.#exports.delete(reader);
        break;
      }
      lines.push(value);
      length += value.length;
    }
    return lines;
  }

  #onEnded(): void {
    this.#endedConnections++;
    this.#endIfIdle();
    if (this.#telling) return;
    this.#telling = true;
    setTimeout(() => {
      this.#telling = false;
      say({ ended: this.#endedConnections });
    }, TELL_EVERY).unref();
  }

  #endIfIdle(): void {
    if (this.#retiring && this.#connections.size + this.#arriving === 0) void this.#stop(0);
  }

  #abandoned(): void {
    if (!this.#stopping) this.#log.error({}, "the supervisor has gone: answering what is in flight");
    const grace = this.#longestDeadline + GRACE;
    // Whatever holds it up: there is nobody left who would end it.
    setTimeout(() => process.kill(process.pid, "SIGKILL"), grace + END_TIME);
    void this.#stop(grace);
  }

  async #stop(graceMs: number): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    await this.#connections.close(graceMs);
    await Promise.all([this.#engine.close(), this.#telemetry?.close(TELEMETRY_TIME)]);
    await this.#log.end();
    this.#end();
  }

  #fault(error: unknown): void {
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#log.error({ detail }, "a fault inside the bridge or a module; it goes on, please report it");
  }
}

/** Remembered by this worker alone; what is in a shared store is one worker's business. */
function isOwn({ store }: DecisionCache): boolean {
  return store.kind === "memory";
}

/** @param done the system has it; or the supervisor is gone, and who must know is told by the channel's end */
function say(message: FromWorker, done: () => void = () => {}): void {
  if (process.connected) process.send?.(message, undefined, undefined, done);
  else done();
}
