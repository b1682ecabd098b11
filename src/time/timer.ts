/**
 * Timers by the thousand for next to nothing: one timing wheel for all deadlines and attempts.
 *
 * A request starts and stops a timer or two and nearly none of them ever expires, so starting and stopping are a few
 * pointers in a list, and one sweep every `RESOLUTION` milliseconds looks only at the slots whose time has come
 * (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", scheme 6). A timer never expires early, and late
 * by no more than the resolution and what the event loop is busy with. The sweep runs only while a timer is waiting.
 *
 * Where thousands begin in one moment they would end in one moment, too, and what has to be done then takes longer than
 * anybody has. So a timer may be given leeway: when those that are due with it are as many as can be dealt with, it
 * comes earlier, into a slot that has room.
 */
import { noteTurn } from "./arrived.ts";

const RESOLUTION = 5;
const SLOTS = 1024;
/** Timers that can be dealt with in the time of a slot: 0.1 ms each, for a decision, its log line and its answer. */
const CROWD = 50;
/** Slots by which a sweep may be late. */
const LATE = 2;

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

  /**
   * Sets the time; a timer that is waiting already is set anew.
   *
   * @param due in milliseconds by performance.now()
   * @param leeway milliseconds by which it may come earlier, in a crowd
   */
  protected startTimer(due: number, leeway = 0): void {
    this.stopTimer();
    Timer.#wake();
    const slot = Timer.#slotFor(due, leeway);
    this.#due = Math.min(due, slot * RESOLUTION);
    this.#slot = slot % SLOTS;
    const head = Timer.#heads[this.#slot] ?? null;
    this.#next = head;
    if (head !== null) head.#previous = this;
    Timer.#heads[this.#slot] = this;
    Timer.#counts[this.#slot]!++;
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
    Timer.#counts[this.#slot]!--;
    Timer.#waiting--;
  }

  static readonly #heads: (Timer | null)[] = new Array<Timer | null>(SLOTS).fill(null);
  /** How many wait in each slot. */
  static readonly #counts = new Uint32Array(SLOTS);
  static #waiting = 0;
  static #sweeping = false;
  /** Whether a look is due before the turn ends. */
  static #overdue = false;
  /** The last slot, counted from the clock's zero, whose timers were looked at. */
  static #swept = 0;

  /** Counted from the clock's zero; where all that the leeway allows are full, the first of them. */
  static #slotFor(due: number, leeway: number): number {
    const next = Timer.#swept + 1;
    const first = Math.max(Math.ceil((due - leeway) / RESOLUTION), next);
    let slot = Math.max(Math.ceil(due / RESOLUTION), next);
    while (slot > first && Timer.#counts[slot % SLOTS]! >= CROWD) slot--;
    return slot;
  }

  static #wake(): void {
    const current = Math.floor(performance.now() / RESOLUTION);
    if (!Timer.#sweeping) {
      Timer.#sweeping = true;
      Timer.#swept = current;
      setTimeout(Timer.#sweep, RESOLUTION);
    } else if (current - Timer.#swept > LATE && !Timer.#overdue) {
      // One turn of the event loop may bring a thousand requests; those whose time is up don't wait for its end.
      Timer.#overdue = true;
      queueMicrotask(Timer.#expire);
    }
  }

  static readonly #sweep = (): void => {
    noteTurn();
    Timer.#expire();
    if (Timer.#waiting > 0) setTimeout(Timer.#sweep, RESOLUTION);
    else Timer.#sweeping = false;
  };

  static readonly #expire = (): void => {
    Timer.#overdue = false;
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
  };
}
