/**
 * How much the machine kept everybody waiting: the event loop of the load generator, which runs in this process, and the
 * processes of the bridge and of the service for want of a processor. An answer is late only beyond that.
 */
import { readFileSync } from "node:fs";

/** Between two looks, in milliseconds. */
const TICK = 10;
/** A timer is never exact; in milliseconds. */
const USUAL = 3;
/** Every so many ticks the processes are looked at. */
const LOOK = 10;

interface Delay {
  readonly from: number;
  readonly to: number;
  readonly ms: number;
}

export class Delays {
  readonly #pids: () => readonly number[];
  readonly #delays: Delay[] = [];
  readonly #waited = new Map<number, number>();
  #timer: NodeJS.Timeout | undefined;
  #last = 0;
  #looked = 0;
  #ticks = 0;

  /** @param pids of the processes on which an answer hangs */
  constructor(pids: () => readonly number[]) {
    this.#pids = pids;
  }

  start(): void {
    this.#last = this.#looked = Date.now();
    this.#timer = setInterval(() => this.#tick(), TICK);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Milliseconds that were lost between two times. */
  between(from: number, to: number): number {
    let sum = 0;
    let low = 0;
    let high = this.#delays.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#delays[middle]!.to < from) low = middle + 1;
      else high = middle;
    }
    for (; low < this.#delays.length && this.#delays[low]!.from <= to; low++) sum += this.#delays[low]!.ms;
    return sum;
  }

  #tick(): void {
    const now = Date.now();
    const lag = now - this.#last - TICK;
    if (lag > USUAL) this.#delays.push({ from: this.#last, to: now, ms: lag });
    this.#last = now;
    if (++this.#ticks % LOOK === 0) this.#look(now);
  }

  #look(now: number): void {
    let worst = 0;
    for (const pid of this.#pids()) {
      const waited = waitedFor(pid);
      const before = this.#waited.get(pid);
      this.#waited.set(pid, waited);
      if (before !== undefined) worst += Math.max(waited - before, 0);
    }
    if (worst > USUAL) this.#delays.push({ from: this.#looked, to: now, ms: worst });
    this.#looked = now;
  }
}

/** Milliseconds that the main thread was ready to run and did not, since it began; 0 where the kernel doesn't say. */
function waitedFor(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[1]) / 1e6;
  } catch {
    return 0;
  }
}
