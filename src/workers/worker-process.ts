/**
 * A worker as the supervisor has it: started, asked to do things, given connections, and told of when it ends.
 *
 * Whatever is asked of a worker that ends, or does not answer in time, fails with a sentence.
 */
import { type ChildProcess, fork } from "node:child_process";
import type { Socket } from "node:net";
import { ProblemError } from "../yaml/problem.ts";
import type { Call, FromWorker, HandedOver, ListenerPlace, Method, WorkerCalls } from "./messages.ts";

/** A connection that was accepted and is to be handed to a worker. */
export interface Accepted {
  readonly place: ListenerPlace;
  readonly socket: Socket;
}

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

const STANDARD_OUTPUT = 1;

/** Nothing came of a call because the worker did not answer it. */
export class Unanswered extends Error {}

export class WorkerProcess {
  /** Its place among the workers, from 0. */
  readonly place: number;
  readonly startedAt = performance.now();
  /** Resolves when it has ended, to what ended it: `signal SIGKILL`, `exit status 1`. */
  readonly ended: Promise<string>;
  /** It takes connections. */
  isReady = false;
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  /** On their way. */
  readonly #underway = new Set<Accepted>();
  #calls = 0;
  #handed = 0;
  #endedConnections = 0;

  /** @param env its environment */
  constructor(place: number, env: NodeJS.ProcessEnv) {
    this.place = place;
    // There is one log, the supervisor's. What Node or a library prints by itself comes here, and so to the log.
    const stdio = ["ignore", "pipe", "pipe", "ipc"] as const;
    this.#child = fork(process.argv[1] ?? "", ["worker"], { env, stdio: [...stdio, STANDARD_OUTPUT] });
    this.#child.on("message", (message: FromWorker) => this.#receive(message));
    this.ended = new Promise((resolve) => {
      this.#child.once("exit", (status, signal) => {
        resolve(signal === null ? `exit status ${status}` : `signal ${signal}`);
      });
      // One that could not be started never exits.
      this.#child.on("error", (error) => {
        if (this.#child.pid === undefined) resolve(error.message);
      });
    });
    void this.ended.then((how) => {
      this.isReady = false;
      this.#failAll(`the worker process has ended (${how})`);
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Connections that it has, or will have. */
  get connections(): number {
    return this.#handed - this.#endedConnections;
  }

  /** Connections that have not reached it; when it has ended they never will. */
  get underway(): readonly Accepted[] {
    return [...this.#underway];
  }

  /** Tells what it writes to its standard streams, a piece at a time. */
  onPrinted(tell: (text: string) => void): void {
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => tell(text.trimEnd()));
    }
  }

  /** @param time milliseconds that the answer may take */
  call<M extends Method>(method: M, parameter: WorkerCalls[M][0], time: number): Promise<WorkerCalls[M][1]> {
    const call = ++this.#calls;
    const message: Call = { call, method, parameter };
    return new Promise((resolve, reject) => {
      const late = () =>
        this.#fail(call, new Unanswered(`worker process ${this.pid} did not answer within ${time / 1000} s`));
      this.#pending.set(call, {
        resolve: resolve as (result: unknown) => void,
        reject,
        timer: setTimeout(late, time),
      });
      this.#child.send(message, undefined, undefined, (error) => {
        if (error !== null) this.#fail(call, new Unanswered(error.message));
      });
    });
  }

  hand(accepted: Accepted): void {
    this.#handed++;
    this.#underway.add(accepted);
    const message: HandedOver = { connection: accepted.place };
    this.#child.send(message, accepted.socket, undefined, (error) => {
      // One that failed waits for the worker's end.
      if (error === null) this.#underway.delete(accepted);
    });
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  #receive(message: FromWorker): void {
    if ("ended" in message) {
      this.#endedConnections = message.ended;
      return;
    }
    if ("failed" in message) {
      const { call, failed, problems } = message;
      this.#fail(call, problems === undefined ? new Error(failed) : new ProblemError(problems));
      return;
    }
    this.#take(message.call)?.resolve(message.result);
  }

  #fail(call: number, error: Error): void {
    this.#take(call)?.reject(error);
  }

  #failAll(why: string): void {
    for (const call of [...this.#pending.keys()]) this.#fail(call, new Unanswered(why));
  }

  #take(call: number): Pending | undefined {
    const pending = this.#pending.get(call);
    this.#pending.delete(call);
    clearTimeout(pending?.timer);
    return pending;
  }
}
