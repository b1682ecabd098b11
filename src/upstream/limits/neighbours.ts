/**
 * Whether somebody else has asked lately, of whoever asks: the two that asked last, and when, are all that has to be
 * known for it.
 */

export class Neighbours {
  readonly #lately: number;
  #last = "";
  #lastAt = Number.NEGATIVE_INFINITY;
  /** The one before the last, another one. */
  #other = "";
  #otherAt = Number.NEGATIVE_INFINITY;

  /** @param lately in milliseconds */
  constructor(lately: number) {
    this.#lately = lately;
  }

  /** @param now in milliseconds, never going back */
  asks(subject: string, now: number): void {
    if (subject !== this.#last) {
      this.#other = this.#last;
      this.#otherAt = this.#lastAt;
      this.#last = subject;
    }
    this.#lastAt = now;
  }

  /** Whether anybody but `subject` has asked lately. */
  has(subject: string, now: number): boolean {
    return (
      (this.#last !== subject && now - this.#lastAt < this.#lately) ||
      (this.#other !== subject && now - this.#otherAt < this.#lately)
    );
  }
}
