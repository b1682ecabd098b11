/**
 * A worker as the supervisor has it: started, asked to do things, given connections, watched, and told of when it ends.
 *
 * Whatever is asked of a worker that ends, or does not answer in time, fails with a sentence.
 */
import { type ChildProcess, fork } from "node:child_process";
import { ProblemError } from "../source/problem.ts";
import { within } from "../time/within.ts";
import type { Accepted, Taker } from "./hand-over.ts";
import type { Call, FromWorker, HandedOver, Method, Ping, WorkerCalls } from "./messages.ts";

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

const STANDARD_OUTPUT = 1;
/** A connection on its way. */
interface Taking {
  readonly since: number;
  readonly settle: (hasArrived: boolean) => void;
}

/** Nothing came of a call because the worker did not answer it. */
export class Unanswered extends Error {}

/** A worker is asked whether it is there every so many milliseconds. */
const BEAT = 500;
/** What it has said by its end is read within so many milliseconds. */
const LAST_WORDS = 1000;

export class WorkerProcess implements Taker {
  /** Its place among the workers, from 0. */
  readonly place: number;
  readonly startedAt = performance.now();
  /** Resolves when it has ended and all that it said was heard, to what ended it: `signal SIGKILL`, `exit status 1`. */
  readonly ended: Promise<string>;
  /** It takes connections. */
  isReady = false;
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  #taking: Taking | null = null;
  /** What was on its way when it was asked whether it is there; null when it has answered. */
  #asked: { readonly taking: Taking | null } | null = null;
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
    this.ended = this.#end();
    void this.ended.then((how) => {
      this.isReady = false;
      this.#failAll(`the worker process has ended (${how})`);
      this.#settleTaking(false);
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get connections(): number {
    return this.#handed - this.#endedConnections;
  }

  get takingSince(): number | null {
    return this.#taking?.since ?? null;
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
    // One that could not be started has no channel.
    if (this.pid === 0) return Promise.reject(new Unanswered("it could not be started"));
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

  hand({ place, socket, at }: Accepted, more: boolean): Promise<boolean> {
    this.#handed++;
    const since = performance.now();
    const message: HandedOver = { connection: place, waited: since - at, more };
    return new Promise((settle) => {
      this.#taking = { since, settle };
      // What was written to the channel has not arrived; one that could not even be written waits for the worker's end.
      this.#child.send(message, socket, { keepOpen: true }, () => {});
    });
  }

  /**
   * Asks it time and again whether it is there.
   *
   * @param silence milliseconds without a word after which it is not; counted in beats, so that it is not blamed for the
   *   time in which this process could not listen
   * @param onSilent told once
   */
  watch(silence: number, onSilent: () => void): void {
    let beats = 0;
    const timer = setInterval(() => {
      if (this.#asked === null) {
        beats = 0;
        this.#asked = { taking: this.#taking };
        const ping: Ping = { ping: true };
        this.#child.send(ping, undefined, undefined, () => {});
      } else if (++beats * BEAT >= silence) {
        clearInterval(timer);
        onSilent();
      }
    }, BEAT);
    void this.ended.then(() => clearInterval(timer));
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** Resolves to what ended it. */
  async #end(): Promise<string> {
    const closed = new Promise((resolve) => this.#child.once("close", resolve));
    const how = await new Promise<string>((resolve) => {
      this.#child.once("exit", (status, signal) => {
        resolve(signal === null ? `exit status ${status}` : `signal ${signal}`);
      });
      // One that could not be started never exits.
      this.#child.on("error", (error) => {
        if (this.#child.pid === undefined) resolve(error.message);
      });
    });
    await within(LAST_WORDS, closed);
    return how;
  }

  /** What was handed to it before it was asked has arrived by now, or never will. */
  #isThere(): void {
    const taking = this.#asked?.taking ?? null;
    this.#asked = null;
    if (taking !== null && this.#taking === taking) this.#settleTaking(false);
  }

  #receive(message: FromWorker): void {
    if ("taken" in message) this.#settleTaking(true);
    else if ("pong" in message) this.#isThere();
    else if ("ended" in message) this.#endedConnections = message.ended;
    else if ("failed" in message) {
      const { call, failed, problems } = message;
      this.#fail(call, problems === undefined ? new Error(failed) : new ProblemError(problems));
    } else this.#take(message.call)?.resolve(message.result);
  }

  #settleTaking(hasArrived: boolean): void {
    const taking = this.#taking;
    if (taking === null) return;
    this.#taking = null;
    if (!hasArrived) this.#handed--;
    taking.settle(hasArrived);
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
