/**
 * What a row of calls without a reply says of the next one.
 *
 * When none of so many had an answer in the time that it got, one that has less than half of it will have none either, and
 * is not worth a connection: with hundreds in line each place that one leaves would be taken by the next, for the last
 * moments of its time, just when all of them have to be told that it is over. Calls that have their whole time are made
 * all the same, though not by the thousand, so that a service that is back is noticed.
 */

/** Calls in a row. */
const ENOUGH = 20;
/** Calls at once, to see whether it is over. */
const TRIALS = 50;

export class Silence {
  #row = 0;
  #last = 0;

  /** @param milliseconds that a call had, and got no reply */
  count(milliseconds: number): void {
    this.#row++;
    this.#last = milliseconds;
  }

  /** There was a reply. */
  end(): void {
    this.#row = 0;
  }

  /** Calls at once that are worth making. */
  get most(): number {
    return this.#row < ENOUGH ? Number.POSITIVE_INFINITY : TRIALS;
  }

  /** Milliseconds with less than which no call needs to be made; 0 where nothing is known. */
  get least(): number {
    return this.#row < ENOUGH ? 0 : this.#last / 2;
  }
}
