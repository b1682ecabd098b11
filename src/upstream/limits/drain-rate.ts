/** How fast a line of waiting calls moves: slots that become free in a millisecond, while somebody waits for one. */

/** Milliseconds that are counted together, at least. */
const WINDOW = 100;
/** The weight of the last window. */
const GAIN = 0.5;

export class DrainRate {
  #rate = 0;
  /** When the window began; null while nobody waits. */
  #since: number | null = null;
  #freed = 0;

  /** Somebody waits. */
  begin(now: number): void {
    if (this.#since !== null) return;
    this.#since = now;
    this.#freed = 0;
  }

  /** Nobody waits any more; what was true of this line need not be true of the next. */
  end(): void {
    this.#since = null;
    this.#rate = 0;
  }

  /** A slot became free. */
  count(now: number): void {
    if (this.#since === null) return;
    this.#freed++;
    const elapsed = now - this.#since;
    if (elapsed < WINDOW) return;
    const seen = this.#freed / elapsed;
    this.#rate = this.#rate === 0 ? seen : this.#rate + GAIN * (seen - this.#rate);
    this.#since = now;
    this.#freed = 0;
  }

  /** Milliseconds until `slots` have become free; 0 where nothing is known. */
  timeFor(slots: number): number {
    return this.#rate === 0 ? 0 : slots / this.#rate;
  }
}
