/**
 * What costs something to put together, and may be asked for by many at once: made one at a time, used for a moment by all
 * who ask, and waited for no longer than makes sense.
 */
import { LATE, within } from "../time/within.ts";

/** For so long an answer is as good as a new one, in milliseconds. */
const KEPT = 500;
/** Whoever asks waits no longer, in milliseconds; a scraper gives up at ten seconds. */
const PATIENCE = 5_000;

export class SharedAnswer<T> {
  readonly #make: () => Promise<T>;
  readonly #what: string;
  #under: Promise<T> | null = null;
  #last: { readonly at: number; readonly value: T } | null = null;

  /** @param what it is, for the message when it takes too long */
  constructor(what: string, make: () => Promise<T>) {
    this.#what = what;
    this.#make = make;
  }

  /** @throws Error when it cannot be made, or takes too long */
  async get(): Promise<T> {
    if (this.#last !== null && performance.now() - this.#last.at < KEPT) return this.#last.value;
    this.#under ??= this.#renew();
    const value = await within(PATIENCE, this.#under);
    if (value === LATE) {
      throw new Error(
        `${this.#what} took longer than ${PATIENCE / 1000} s; a store, or a worker, does not answer`,
      );
    }
    return value;
  }

  async #renew(): Promise<T> {
    try {
      const value = await this.#make();
      this.#last = { at: performance.now(), value };
      return value;
    } finally {
      this.#under = null;
    }
  }
}
