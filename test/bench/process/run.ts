/**
 * One run of load, whatever the protocol: warm-up, then a time that is measured, in a closed loop or at a fixed rate.
 *
 * At a fixed rate requests arrive when the timer wakes this process, whether or not the ones before are answered. One that
 * finds all connections busy waits for one, and its time counts from its arrival ("coordinated omission").
 */
import type { Measured, Pace } from "../measurement.ts";
import { Samples } from "../samples.ts";

/** Something that asks once and tells the run when it is answered. */
export interface Asker {
  start(arrivedAt: number): void;
}

/** How the use of resources is read. */
export interface Usage {
  processorTimes(): Map<number, number>;
  busiest(before: Map<number, number>, after: Map<number, number>): number;
  memory(): number;
}

const MOST_TEXTS = 10;
/** Milliseconds that the last answers are waited for. */
const PATIENCE = 15_000;

export class Run<A extends Asker> {
  readonly #pace: Pace;
  readonly #usage: Usage;
  readonly #samples = new Samples();
  readonly #replies = new Map<string, number>();
  readonly #free: A[] = [];
  readonly #arrivals: number[] = [];
  #unanswered = 0;
  #lost = 0;
  #running = false;
  #onQuiet: () => void = () => {};

  constructor(pace: Pace, usage: Usage) {
    this.#pace = pace;
    this.#usage = usage;
  }

  async measure(askers: readonly A[]): Promise<Measured> {
    const { rate, seconds, warmup } = this.#pace;
    this.#running = true;
    this.#free.push(...askers);
    const timer = rate === undefined ? undefined : this.#arriveAt(rate);
    if (rate === undefined) while (this.#free.length > 0) this.#begin(this.#free.pop()!, performance.now());

    await sleep(warmup);
    this.#samples.clear();
    this.#replies.clear();
    const begin = {
      at: performance.now(),
      times: this.#usage.processorTimes(),
      memory: this.#usage.memory(),
    };
    await sleep(seconds);
    const elapsed = (performance.now() - begin.at) / 1000;
    const used = this.#usage.busiest(begin.times, this.#usage.processorTimes());
    const memory = this.#usage.memory();
    const inTime = this.#samples.count;
    this.#running = false;
    clearInterval(timer);
    if (rate !== undefined) await this.#quiet();
    return {
      rate: inTime / elapsed,
      coreRate: inTime / used,
      busy: used / elapsed,
      ...this.#samples.summary(),
      replies: Object.fromEntries(this.#replies),
      lost: this.#lost,
      memory: [begin.memory, memory],
    };
  }

  /** A request was answered. */
  end(asker: A, arrivedAt: number, reply: string): void {
    const now = performance.now();
    this.#unanswered--;
    this.#samples.add(now - arrivedAt);
    const count = this.#replies.get(reply);
    if (count !== undefined || this.#replies.size < MOST_TEXTS) this.#replies.set(reply, (count ?? 0) + 1);
    if (this.#pace.rate === undefined) {
      if (this.#running) this.#begin(asker, now);
      return;
    }
    const arrived = this.#arrivals.shift();
    if (arrived !== undefined) this.#begin(asker, arrived);
    else this.#free.push(asker);
    if (this.#unanswered === 0) this.#onQuiet();
  }

  lose(_asker: A): void {
    if (this.#running) this.#lost++;
  }

  #begin(asker: A, arrivedAt: number): void {
    this.#unanswered++;
    asker.start(arrivedAt);
  }

  #arriveAt(rate: number): NodeJS.Timeout {
    const startedAt = performance.now();
    let arrived = 0;
    return setInterval(() => {
      const now = performance.now();
      for (const due = ((now - startedAt) / 1000) * rate; arrived < due; arrived++) {
        const asker = this.#free.pop();
        if (asker === undefined) this.#arrivals.push(now);
        else this.#begin(asker, now);
      }
    }, 1);
  }

  /** What has arrived is answered, or it is too late for that. */
  async #quiet(): Promise<void> {
    if (this.#unanswered === 0) return;
    await new Promise<void>((resolve) => {
      const patience = setTimeout(resolve, PATIENCE);
      this.#onQuiet = () => {
        clearTimeout(patience);
        resolve();
      };
    });
  }
}

function sleep(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}
