/** One question at a time: identical calls that are in flight at the same moment are one call. */
import type { Deadline } from "../upstream/deadline.ts";

export class Flights<T> {
  readonly #underway = new Map<string, Promise<T>>();

  /**
   * Makes the call, or joins the one that is under way for the same key.
   *
   * @param late what a joined call gives when it isn't there at the deadline of the one who joined
   * @returns also whether it was joined: its failure may be due to a deadline that was not one's own
   */
  async fly(
    key: string,
    deadline: Deadline,
    late: T,
    call: () => Promise<T>,
  ): Promise<{ readonly result: T; readonly joined: boolean }> {
    const other = this.#underway.get(key);
    if (other !== undefined) return { result: await deadline.cut(other, late), joined: true };
    const flight = call();
    this.#underway.set(key, flight);
    try {
      return { result: await flight, joined: false };
    } finally {
      this.#underway.delete(key);
    }
  }
}
