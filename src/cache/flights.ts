/** One question at a time: identical calls that are in flight at the same moment are one call. */
import type { Deadline } from "../time/deadline.ts";

interface Flight<T> extends Joined {
  readonly result: Promise<T>;
  readonly epoch: number;
}

/** Of a call that was joined. */
export interface Joined {
  readonly deadline: Deadline;
  readonly by: string;
}

export class Flights<T> {
  readonly #underway = new Map<string, Flight<T>>();

  /**
   * Makes the call, or joins the one that is under way for the same key.
   *
   * @param by who makes it
   * @param epoch a call that began in another one is not joined: its answer may not be used any more
   * @param late what a joined call gives when it isn't there at the deadline of the one who joined
   * @returns also whose call was joined, and its deadline, which its failure may be due to; null for one's own call
   */
  async fly(
    key: string,
    by: string,
    epoch: number,
    deadline: Deadline,
    late: T,
    call: () => Promise<T>,
  ): Promise<{ readonly result: T; readonly joined: Joined | null }> {
    const other = this.#underway.get(key);
    if (other !== undefined && other.epoch === epoch) {
      return { result: await deadline.cut(other.result, late), joined: other };
    }
    const flight = { result: call(), deadline, by, epoch };
    this.#underway.set(key, flight);
    try {
      return { result: await flight.result, joined: null };
    } finally {
      if (this.#underway.get(key) === flight) this.#underway.delete(key);
    }
  }
}
