/**
 * The end of a decision's time: one signal, passed down through everything that is done for it.
 *
 * It is a number until somebody waits for it; only then does it cost a timer.
 */
import { Timer } from "./timer.ts";

/** The part of the time by which a decision may end early where thousands are to end at once. */
const LEEWAY = 0.2;

class Expiry extends Timer {
  readonly #callback: () => void;

  constructor({ end, leeway }: Deadline, callback: () => void) {
    super();
    this.#callback = callback;
    this.startTimer(end, leeway);
  }

  protected override onTime(): void {
    this.#callback();
  }

  cancel(): void {
    this.stopTimer();
  }
}

export class Deadline {
  /** By performance.now(), in milliseconds. */
  readonly end: number;
  /** Milliseconds by which whoever waits may be told early, for the answer to be there in time. */
  readonly leeway: number;

  /** @param milliseconds from now */
  constructor(milliseconds: number) {
    this.end = performance.now() + milliseconds;
    this.leeway = LEEWAY * milliseconds;
  }

  /** Milliseconds left; 0 when it has passed. */
  remaining(): number {
    return Math.max(0, this.end - performance.now());
  }

  /** Whether those who waited for it may have been told. */
  get isReached(): boolean {
    return this.remaining() <= this.leeway;
  }

  /**
   * Calls back once when the deadline passes, soon if it has already, and within its leeway where many end at once.
   *
   * @returns takes the callback back
   */
  onExpire(callback: () => void): () => void {
    const expiry = new Expiry(this, callback);
    return () => expiry.cancel();
  }

  /** Gives what `work` resolves to, or `late` when the deadline comes first. Rejects as `work` does. */
  cut<T, L>(work: Promise<T>, late: L): Promise<T | L> {
    return new Promise((resolve, reject) => {
      const cancel = this.onExpire(() => resolve(late));
      work.then(resolve, reject).finally(cancel);
    });
  }
}
