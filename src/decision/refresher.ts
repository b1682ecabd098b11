/**
 * Asks again in the background, so that what is remembered is still known when the service goes away: entries in use
 * shortly before their ttl ends, and the requests of `warm`.
 *
 * It never holds anything up, asks little at once, and leaves a service in trouble alone for a while.
 */
import type { Found } from "../cache/cache.ts";
import { askedAgain, type PolicyRequest } from "../model/request.ts";

/** Calls in the background at once. */
const MOST_UNDERWAY = 16;
/** After a call that failed, in milliseconds. */
const PAUSE = 5_000;
/** How often the list is looked through for what is due, in milliseconds. */
const LOOK_EVERY = 1_000;
/** The part of its fresh life after which a request of the list is asked again. */
const RENEW_AFTER = 0.8;
/** When the service's reply may not be remembered, or could not be had: milliseconds until the next question. */
const ASK_AGAIN = 30_000;

/** Asks the service for a request, keeps the reply and gives what is remembered now; rejects when the service fails. */
export type Renew = (request: PolicyRequest) => Promise<Found | undefined>;

interface Warm {
  readonly request: PolicyRequest;
  /** When to ask again, by performance.now(): a clock that is set back holds nothing up. */
  dueAt: number;
}

export class Refresher {
  readonly #renew: Renew;
  readonly #mayAsk: () => boolean;
  /** What is being asked: keys, and entries of the list. */
  readonly #underway = new Set<string | Warm>();
  readonly #warm: readonly Warm[];
  /** Where the next look through the list begins. */
  #next = 0;
  /** Nothing of the list is due before; it may be long, and is not looked through in vain. */
  #nothingDueUntil = 0;
  #pausedUntil = 0;
  readonly #timer: NodeJS.Timeout | undefined;

  /**
   * @param mayAsk whether calls are made at all (not offline)
   * @param warm requests to keep known
   */
  constructor(renew: Renew, mayAsk: () => boolean, warm: readonly PolicyRequest[]) {
    this.#renew = renew;
    this.#mayAsk = mayAsk;
    this.#warm = warm.map((request) => ({ request, dueAt: 0 }));
    if (warm.length > 0) this.#timer = setInterval(() => this.#lookThrough(), LOOK_EVERY).unref();
  }

  /** Asks again for an entry that is in use. */
  refresh(key: string, request: PolicyRequest): void {
    if (this.#mayBegin(key)) void this.#ask(key, request);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#pausedUntil = Number.POSITIVE_INFINITY;
  }

  /** Goes once around the list, as far as there is room. */
  #lookThrough(): void {
    const now = performance.now();
    if (now < this.#nothingDueUntil || now < this.#pausedUntil || !this.#mayAsk()) return;
    let earliest = now + ASK_AGAIN;
    for (let step = 0; step < this.#warm.length; step++) {
      if (this.#underway.size >= MOST_UNDERWAY) return;
      const entry = this.#warm[this.#next]!;
      this.#next = (this.#next + 1) % this.#warm.length;
      if (entry.dueAt <= now && !this.#underway.has(entry)) this.#askOf(entry);
      earliest = Math.min(earliest, entry.dueAt);
    }
    this.#nothingDueUntil = earliest;
  }

  #askOf(entry: Warm): void {
    entry.dueAt = performance.now() + ASK_AGAIN;
    void this.#ask(entry, entry.request).then((found) => {
      if (found?.fresh) {
        entry.dueAt = performance.now() + (found.freshUntil - Date.now()) * RENEW_AFTER;
        this.#nothingDueUntil = Math.min(this.#nothingDueUntil, entry.dueAt);
      }
      this.#lookThrough();
    });
  }

  #mayBegin(what: string | Warm): boolean {
    return (
      this.#underway.size < MOST_UNDERWAY &&
      !this.#underway.has(what) &&
      performance.now() >= this.#pausedUntil &&
      this.#mayAsk()
    );
  }

  async #ask(what: string | Warm, request: PolicyRequest): Promise<Found | undefined> {
    this.#underway.add(what);
    try {
      return await this.#renew(askedAgain(request));
    } catch {
      this.#pausedUntil = Math.max(this.#pausedUntil, performance.now() + PAUSE);
      return undefined;
    } finally {
      this.#underway.delete(what);
    }
  }
}
