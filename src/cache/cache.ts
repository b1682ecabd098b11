/**
 * The remembered decisions of one service: what may be kept, what may be used, and for how long.
 *
 * Kept is the service's reply, not the action: rules run again for each request, since they may look at more of it
 * than the service saw. Only what a rule answered is kept, never a default.
 */

import { isRefusal, verbOf } from "../model/action.ts";
import type { Verdict } from "../model/decision.ts";
import type { UpstreamReply, UpstreamRequest } from "../model/exchange.ts";
import type { Cause, Failure } from "../model/failure.ts";
import type { PolicyRequest } from "../model/request.ts";
import { freshness, type Lifetimes, LONGEST_LIFE } from "./freshness.ts";
import { fromForgottenLine, fromLine, toForgottenLine, toLine } from "./line.ts";
import { type Revocations, revocationsOf } from "./revocations.ts";
import type { Remembered, Revocation, Store } from "./store.ts";

export interface CachePolicy extends Lifetimes {
  /** Causes of failure for which a reply past its ttl answers. */
  readonly staleCauses: ReadonlySet<Cause>;
  /** `permit`, `deny`, or verbs: the actions whose replies are kept. */
  readonly only: ReadonlySet<string>;
  /** Replaces a DUNNO that comes from a reply past its ttl; null: nothing does. */
  readonly markStale: string | null;
  /** The rules look at nothing but the reply, so that what they made of it is kept with it. */
  readonly keepsVerdicts: boolean;
  /** Signs what is exported; undefined: nothing does. */
  readonly signature: string | undefined;
}

/** The key of a call and the request that led to it; a failure where `cache.key` cannot be rendered. */
export type KeyOf = (
  call: UpstreamRequest,
  request: PolicyRequest,
) => string | Failure | Promise<string | Failure>;

/** A remembered reply that may be used. */
export interface Found {
  readonly entry: Remembered;
  readonly reply: UpstreamReply;
  readonly fresh: boolean;
  /** In milliseconds since 1970. */
  readonly freshUntil: number;
  /** In whole seconds. */
  readonly age: number;
  /** Soon no longer fresh, and it is in use: time to ask again. */
  readonly due: boolean;
}

export interface CacheCounters {
  hits: number;
  misses: number;
  stale: number;
  stored: number;
}

/** Larger replies are not kept, in bytes. */
const MOST_KEPT = 64 * 1024;
/** The last part of the ttl, in which an entry that is used is asked again. */
const DUE_PART = 0.1;

export class DecisionCache {
  readonly store: Store;
  readonly counters: CacheCounters;
  readonly #service: string;
  readonly #policy: CachePolicy;
  readonly key: KeyOf;
  readonly #revocations: Revocations;

  /** @param counters of a cache before it, to go on with */
  constructor(
    service: string,
    policy: CachePolicy,
    store: Store,
    keyOf: KeyOf,
    counters: CacheCounters = { hits: 0, misses: 0, stale: 0, stored: 0 },
  ) {
    this.counters = counters;
    this.#service = service;
    this.#policy = policy;
    this.store = store;
    this.key = keyOf;
    this.#revocations = revocationsOf(store, LONGEST_LIFE);
  }

  /** Another number after each revocation. */
  get epoch(): number {
    return this.#revocations.count;
  }

  /** What is remembered and may still be used, fresh or stale. At once, unless the store has to be waited for. */
  find(key: string, request: PolicyRequest): Found | undefined | Promise<Found | undefined> {
    const entry = this.store.get(key);
    if (entry instanceof Promise) return entry.then((found) => this.#usable(key, found, request));
    return this.#usable(key, entry, request);
  }

  #usable(key: string, entry: Remembered | undefined, request: PolicyRequest): Found | undefined {
    const now = Date.now();
    // From the future: a clock has jumped, and how old it is nobody knows.
    if (
      entry === undefined ||
      entry.storedAt > now ||
      now >= entry.staleUntil ||
      entry.service !== this.#service ||
      this.#isForgotten(key, entry, request)
    ) {
      this.counters.misses++;
      return undefined;
    }
    const fresh = now < entry.freshUntil;
    if (fresh) this.counters.hits++;
    return {
      entry,
      reply: entry.reply,
      fresh,
      freshUntil: entry.freshUntil,
      age: Math.floor((now - entry.storedAt) / 1000),
      due: fresh && entry.freshUntil - now < (entry.freshUntil - entry.storedAt) * DUE_PART,
    };
  }

  /** One that can answer nobody any more is deleted: it came back with an old copy of the store, say. */
  #isForgotten(key: string, entry: Remembered, request: PolicyRequest): boolean {
    if (!this.#revocations.cover(entry, request.attributes)) return false;
    if (this.#revocations.cover(entry, entry.asked.attributes)) this.store.delete(key);
    return true;
  }

  /** Whether what was found some time ago, before a call that failed, may still answer. */
  isStillUsable({ entry }: Found, request: PolicyRequest): boolean {
    return Date.now() < entry.staleUntil && !this.#revocations.cover(entry, request.attributes);
  }

  /**
   * Keeps a reply that a rule has answered, if it may be kept. If not, what was kept before is gone: it is no longer what
   * the service says. Only a deferral leaves it, since that says nothing of afterwards.
   *
   * @returns until when it is fresh, in milliseconds since 1970; null where it was not kept
   */
  keep(key: string, reply: UpstreamReply, verdict: Verdict, request: PolicyRequest): number | null {
    const { only } = this.#policy;
    const verb = verbOf(verdict.action);
    if (isDeferral(verb) && !only.has(verb)) return null;
    // When it was asked for: a revocation that came while the service was thinking covers it.
    const storedAt = request.time;
    const times = freshness(reply.headers, storedAt, this.#policy);
    // A clock that was put back meanwhile would have it outlive whatever is forgotten before that time comes.
    const isKept =
      storedAt <= Date.now() && reply.body.length <= MOST_KEPT && this.#isKept(verdict.action, verb);
    if (!isKept || times === null || times.staleUntil <= storedAt) {
      this.#drop(key);
      return null;
    }
    const { attributes, listener, recipients } = request;
    this.counters.stored++;
    this.store.set(key, {
      service: this.#service,
      // A copy: what came off the socket is a part of a much larger buffer, which would be kept whole.
      reply: { status: reply.status, headers: new Map(reply.headers), body: Buffer.from(reply.body) },
      storedAt,
      ...times,
      ...(this.#policy.keepsVerdicts && { verdict }),
      asked: { attributes, listener, recipients },
    });
    return times.freshUntil;
  }

  /** Where looking is at once, it costs less than writing. */
  #drop(key: string): void {
    if (this.store.kind === "redis" || this.store.get(key) !== undefined) this.store.delete(key);
  }

  /** All that is remembered, a line of NDJSON each, after what was to be forgotten. */
  async *export(): AsyncIterable<string> {
    const now = Date.now();
    for (const revocation of this.#revocations.of(this.#service)) {
      yield toForgottenLine(revocation, this.#policy.signature);
    }
    for await (const [key, entry] of this.store.entries()) {
      // Services may share a store.
      if (entry.service !== this.#service || entry.staleUntil <= now) continue;
      if (this.#revocations.cover(entry, entry.asked.attributes)) continue;
      yield toLine(key, entry, this.#policy.signature);
    }
  }

  /**
   * Takes in a line of an export, unless what is remembered is younger, or it has been forgotten; or a line that says what
   * was to be forgotten.
   *
   * @returns the problem, where it is not taken in
   */
  async load(line: string): Promise<string | undefined> {
    const revocation = fromForgottenLine(line, this.#policy.signature);
    if (revocation !== null) return "problem" in revocation ? revocation.problem : this.#forget(revocation);
    const parsed = fromLine(line, this.#policy.signature);
    if ("problem" in parsed) return parsed.problem;
    const { key, entry } = parsed;
    const now = Date.now();
    if (entry.service !== this.#service) return `it is of the service ${JSON.stringify(entry.service)}`;
    if (entry.staleUntil <= now) return "it is too old to be used";
    if (entry.storedAt > now) return "it is from the future: compare the clocks of both hosts";
    if (this.#revocations.cover(entry, entry.asked.attributes)) return "it has been forgotten";
    const present = await this.store.get(key);
    // One from the future, of a clock that has jumped, is worth nothing.
    if (present !== undefined && present.storedAt > entry.storedAt && present.storedAt <= now) {
      return "a younger one is remembered already";
    }
    this.store.set(key, entry);
    return undefined;
  }

  async #forget(revocation: Revocation): Promise<string | undefined> {
    if (revocation.service !== this.#service)
      return `it is of the service ${JSON.stringify(revocation.service)}`;
    if (this.#revocations.includes(revocation)) return undefined;
    try {
      await this.store.revoke(revocation);
      return undefined;
    } catch (error) {
      return `what was to be forgotten could not be written: ${(error as Error).message}`;
    }
  }

  #isKept(action: string, verb: string): boolean {
    const { only } = this.#policy;
    return only.has(verb) || only.has(isRefusal(action) || verb === "DISCARD" ? "deny" : "permit");
  }

  /** Whether a stale reply answers a failure with this cause. */
  covers(cause: Cause): boolean {
    return this.#policy.staleCauses.has(cause);
  }

  /** The action that a stale reply's action becomes. */
  marked(action: string): string {
    this.counters.stale++;
    return action === "DUNNO" && this.#policy.markStale !== null ? this.#policy.markStale : action;
  }
}

function isDeferral(verb: string): boolean {
  return verb.startsWith("DEFER") || verb.startsWith("4");
}
