/**
 * Timers by the thousand for next to nothing: one timing wheel for all deadlines and attempts.
 *
 * A request starts and stops a timer or two and nearly none of them ever expires, so starting and stopping are a few
 * pointers in a list, and one sweep every `RESOLUTION` milliseconds looks only at the slots whose time has come
 * (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", scheme 6). A timer never expires early, and late
 * by no more than the resolution and what the event loop is busy with. The sweep runs only while a timer is waiting.
 */

const RESOLUTION = 5;
const SLOTS = 1024;

const NOT_WAITING = -1;
const EXPIRING = -2;

/** Something that ends at a time of its own unless it is stopped before. */
export abstract class Timer {
  /** By performance.now(). */
  #due = 0;
  #slot = NOT_WAITING;
  #next: Timer | null = null;
  #previous: Timer | null = null;

  /** Called once, when the time has come. */
  protected abstract onTime(): void;

  /** Sets the time, in milliseconds by performance.now(); a timer that is waiting already is set anew. */
  protected startTimer(due: number): void {
    this.stopTimer();
    Timer.#wake();
    this.#due = due;
    this.#slot = Math.max(Math.ceil(due / RESOLUTION), Timer.#swept + 1) % SLOTS;
    const head = Timer.#heads[this.#slot] ?? null;
    this.#next = head;
    if (head !== null) head.#previous = this;
    Timer.#heads[this.#slot] = this;
    Timer.#waiting++;
  }

  protected stopTimer(): void {
    if (this.#slot >= 0) this.#unlink();
    this.#slot = NOT_WAITING;
  }

  #unlink(): void {
    if (this.#previous === null) Timer.#heads[this.#slot] = this.#next;
    else this.#previous.#next = this.#next;
    if (this.#next !== null) this.#next.#previous = this.#previous;
    this.#next = null;
    this.#previous = null;
    Timer.#waiting--;
  }

  static readonly #heads: (Timer | null)[] = new Array<Timer | null>(SLOTS).fill(null);
  static #waiting = 0;
  static #sweeping = false;
  /** The last slot, counted from the clock's zero, whose timers were looked at. */
  static #swept = 0;

  static #wake(): void {
    if (Timer.#sweeping) return;
    Timer.#sweeping = true;
    Timer.#swept = Math.floor(performance.now() / RESOLUTION);
    setTimeout(Timer.#sweep, RESOLUTION);
  }

  static readonly #sweep = (): void => {
    const now = performance.now();
    const current = Math.floor(now / RESOLUTION);
    const first = Math.max(Timer.#swept + 1, current - SLOTS + 1);
    Timer.#swept = current;

    const expired: Timer[] = [];
    for (let slot = first; slot <= current; slot++) {
      let timer = Timer.#heads[slot % SLOTS] ?? null;
      while (timer !== null) {
        const next: Timer | null = timer.#next;
        if (timer.#due <= now) {
          timer.#unlink();
          timer.#slot = EXPIRING;
          expired.push(timer);
        }
        timer = next;
      }
    }

    // One that another's end has stopped or set anew meanwhile is left alone.
    for (const timer of expired) {
      if (timer.#slot !== EXPIRING) continue;
      timer.#slot = NOT_WAITING;
      timer.onTime();
    }

    if (Timer.#waiting > 0) setTimeout(Timer.#sweep, RESOLUTION);
    else Timer.#sweeping = false;
  };
}
