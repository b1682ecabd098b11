/**
 * How often something took how long, in buckets: what a decision pays for its place in a metric is one look along a short
 * array.
 */

/** Upper ends of buckets of time, in seconds: from what is remembered to what a deadline cuts. */
export const SECONDS: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];
/** … of the age of what is remembered: from a second to a week. */
export const AGES: readonly number[] = [1, 10, 60, 300, 900, 3600, 4 * 3600, 24 * 3600, 7 * 24 * 3600];

/** How often a value fell into each bucket, the last being all that are above its end; and the sum of all. */
export interface Buckets {
  readonly counts: readonly number[];
  readonly sum: number;
}

export class Histogram {
  readonly #ends: readonly number[];
  readonly #counts: number[];
  #sum = 0;

  /** @param ends ascending */
  constructor(ends: readonly number[]) {
    this.#ends = ends;
    this.#counts = new Array(ends.length + 1).fill(0);
  }

  /** @param value in the unit of the buckets' ends */
  add(value: number): void {
    const ends = this.#ends;
    let at = 0;
    while (at < ends.length && value > ends[at]!) at++;
    this.#counts[at]!++;
    this.#sum += value;
  }

  get buckets(): Buckets {
    return { counts: [...this.#counts], sum: this.#sum };
  }
}
