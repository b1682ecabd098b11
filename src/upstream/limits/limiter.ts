/**
 * How many calls a service gets at once. Those beyond wait in line, the longest waiting first.
 *
 * Nobody waits past the point from which the call could not end in time: when the service takes less than
 * it is given, a line that is served at the very end of everyone's deadline would answer no one. Nor does anybody begin
 * to wait in a line that, as it moves, is too long for that; so the line is never longer than what the service can
 * take within a deadline, whatever comes.
 */
import type { Deadline } from "../../time/deadline.ts";
import { Timer } from "../../time/timer.ts";
import { DrainRate } from "./drain-rate.ts";
import { GradientLimit } from "./gradient-limit.ts";

/** The weight of a new observation, as in TCP's round-trip estimate (RFC 6298 §2), where the 4 comes from, too. */
const GAIN = 1 / 8;

export interface LimiterReport {
  readonly inFlight: number;
  readonly waiting: number;
  readonly limit: number;
}

export class Limiter {
  readonly #fixed: number;
  readonly #gradient: GradientLimit | null;
  readonly #drainRate = new DrainRate();
  #inFlight = 0;
  #waiting = 0;
  #first: Waiter | null = null;
  #last: Waiter | null = null;
  #latency = 0;
  #deviation = 0;

  constructor(limit: number | "auto") {
    this.#fixed = limit === "auto" ? 0 : limit;
    this.#gradient = limit === "auto" ? new GradientLimit() : null;
  }

  get #limit(): number {
    return this.#gradient === null ? this.#fixed : this.#gradient.current;
  }

  /** What a call is expected to take, in milliseconds; 0 before the first was seen. */
  get expectedLatency(): number {
    return this.#latency + 4 * this.#deviation;
  }

  /** Slots taken, those who wait for one, and how many there are. */
  get report(): LimiterReport {
    return { inFlight: this.#inFlight, waiting: this.#waiting, limit: this.#limit };
  }

  /**
   * Takes a slot: true, or false when there is none in time, at once where that can be foreseen. Each slot taken
   * must be released once.
   */
  acquire(deadline: Deadline): boolean | Promise<boolean> {
    if (this.#inFlight < this.#limit && this.#first === null) {
      this.#inFlight++;
      return true;
    }
    const now = performance.now();
    this.#drainRate.begin(now);
    const remaining = Math.max(0, deadline.end - now);
    const patience = remaining - Math.min(this.expectedLatency, remaining / 2);
    if (this.#drainRate.timeFor(this.#waiting + 1) > patience) return false;
    return new Promise((resolve) =>
      this.#enqueue(new Waiter(this, resolve, now + patience, deadline.leeway)),
    );
  }

  /** @param outcome how long the call took, in milliseconds; or how it ended otherwise */
  release(outcome: number | "dropped" | "unknown"): void {
    if (this.#gradient !== null && outcome !== "unknown") {
      const latency = outcome === "dropped" ? null : outcome;
      this.#gradient.observe(latency, this.#inFlight, performance.now());
    }
    if (typeof outcome === "number") this.#observe(outcome);
    this.#inFlight--;
    if (this.#first === null) this.#drainRate.end();
    else this.#drainRate.count(performance.now());
    while (this.#first !== null && this.#inFlight < this.#limit) {
      const waiter = this.#first;
      this.leave(waiter);
      this.#inFlight++;
      waiter.grant();
    }
  }

  #observe(latency: number): void {
    const error = latency - this.#latency;
    this.#latency += GAIN * error;
    this.#deviation += GAIN * (Math.abs(error) - this.#deviation);
  }

  #enqueue(waiter: Waiter): void {
    this.#waiting++;
    waiter.ahead = this.#last;
    if (this.#last === null) this.#first = waiter;
    else this.#last.behind = waiter;
    this.#last = waiter;
  }

  /** For the waiter alone: it is in the line no longer. */
  leave(waiter: Waiter): void {
    this.#waiting--;
    if (waiter.ahead === null) this.#first = waiter.behind;
    else waiter.ahead.behind = waiter.behind;
    if (waiter.behind === null) this.#last = waiter.ahead;
    else waiter.behind.ahead = waiter.ahead;
  }
}

class Waiter extends Timer {
  ahead: Waiter | null = null;
  behind: Waiter | null = null;
  readonly #limiter: Limiter;
  readonly #resolve: (granted: boolean) => void;

  constructor(limiter: Limiter, resolve: (granted: boolean) => void, until: number, leeway: number) {
    super();
    this.#limiter = limiter;
    this.#resolve = resolve;
    this.startTimer(until, leeway);
  }

  grant(): void {
    this.stopTimer();
    this.#resolve(true);
  }

  protected override onTime(): void {
    this.#limiter.leave(this);
    this.#resolve(false);
  }
}
