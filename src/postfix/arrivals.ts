/**
 * Connections that arrive go before requests.
 *
 * After a restart all of Postfix's processes connect at the same moment, and the system gives one connection for each turn
 * of the event loop. If each turn also did the work of all connections that are there, the time until the last one has its
 * first answer would grow with the square of their number. So while each turn brings a connection nothing is decided, and
 * what is read waits; but not for long: 50 ms, or as long as it took to decide what had waited before, so that on a busy
 * machine too at least half of the time is for those that arrive.
 */
import { noteTurn } from "../time/arrived.ts";

/** Milliseconds that requests wait at most, where deciding takes no time. */
const LONGEST = 50;
const LONGEST_EVER = 250;

/** Waits while others arrive. */
interface Waiting {
  /** They have arrived, or it has waited long enough. */
  resume(): void;
}

export class Arrivals {
  /** Connections are arriving: nothing is to be decided now. */
  underway = false;
  /** This turn has brought one. */
  #brought = false;
  /** Another is known to follow, though not yet in the next turn. */
  #more = false;
  #looking = false;
  #waiting = new Set<Waiting>();
  #timer: NodeJS.Timeout | undefined;
  /** Milliseconds that it took to decide what had waited. */
  #work = 0;

  /**
   * A connection has arrived.
   *
   * @param more whether it is known that another follows
   */
  note(more: boolean): void {
    noteTurn();
    this.#brought = true;
    this.#more = more;
    if (!this.underway) {
      this.underway = true;
      this.#timer = setTimeout(this.#end, Math.min(Math.max(LONGEST, this.#work), LONGEST_EVER));
    }
    if (!more) this.#lookLater();
  }

  /** Until they have arrived. */
  hold(waiting: Waiting): void {
    this.#waiting.add(waiting);
  }

  #lookLater(): void {
    if (this.#looking) return;
    this.#looking = true;
    setImmediate(this.#look);
  }

  readonly #look = (): void => {
    this.#looking = false;
    if (!this.underway) return;
    if (this.#brought) {
      this.#brought = false;
      this.#lookLater();
    } else if (!this.#more) {
      this.#end();
    }
  };

  readonly #end = (): void => {
    clearTimeout(this.#timer);
    this.underway = false;
    this.#brought = false;
    const waiting = this.#waiting;
    this.#waiting = new Set();
    const begin = performance.now();
    for (const one of waiting) one.resume();
    this.#work = performance.now() - begin;
  };
}
