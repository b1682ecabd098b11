/**
 * The last decisions of this process, to be asked why: bounded in number, in bytes and in time, whatever comes. They outlive
 * a reload, not the process.
 *
 * To keep one costs next to nothing; what is shown of it is put together, and its secrets masked, when somebody asks.
 */
import { setImmediate as turn } from "node:timers/promises";
import type { Decision } from "../model/decision.ts";
import type { PolicyRequest } from "../model/request.ts";
import { charactersOf } from "../postfix/attributes.ts";
import { compileFilter, type DecisionQuery } from "./query.ts";
import { type Mask, type ShownDecision, shownDecision, shownSteps } from "./shown.ts";
import { Steps } from "./steps.ts";

/** What was found, newest first. */
export interface FoundDecisions {
  readonly decisions: readonly ShownDecision[];
  /** How many decisions are remembered, of which these are some. */
  readonly kept: number;
  /** When the oldest of them was made, RFC 3339 in UTC; null where there is none. */
  readonly since: string | null;
  /** To be given as `after`, so that the next answer has what was decided since this one. */
  readonly cursor: string;
  /** Worker processes that did not answer. */
  readonly silent?: number;
}

interface Entry {
  readonly number: number;
  readonly request: PolicyRequest;
  readonly steps: Steps | null;
  /** Its action as it was sent. */
  readonly decision: Decision;
  readonly took: number;
  /** By the secrets of the configuration that it was made with. */
  readonly mask: Mask;
  readonly size: number;
}

/** Of all, in bytes, about. */
const MOST_BYTES = 16 * 1024 * 1024;
/** Milliseconds. */
const MOST_TIME = 3_600_000;
/** Of one decision, in bytes: objects, and the names of attributes. */
const AT_LEAST = 4096;
/** Of decisions, so many are watched step by step in so many milliseconds: 200 a second. */
const WATCHED_IN_INTERVAL = 20;
const INTERVAL = 100;
/** So many are shown before others have their turn. */
const IN_ONE_TURN = 20;

export class RecentDecisions {
  #most: number;
  readonly #mostBytes: number;
  /** A ring: the oldest at `#first`. */
  #ring: (Entry | undefined)[] = [];
  #first = 0;
  #count = 0;
  #bytes = 0;
  #numbered = 0;
  #timer: NodeJS.Timeout | null = null;
  #intervalBegan = Number.NEGATIVE_INFINITY;
  #watchedInInterval = 0;
  /** Told from other processes, and from this one's number in another life. */
  readonly #origin = `${process.pid}-${Date.now().toString(36)}`;

  /** @param most how many; 0: none are kept */
  constructor(most: number, mostBytes = MOST_BYTES) {
    this.#most = most;
    this.#mostBytes = mostBytes;
  }

  get isOn(): boolean {
    return this.#most > 0;
  }

  /**
   * What collects the steps of a decision; null where it is to be kept without them: what stays alive for each decision costs
   * those after it, so of thousands a second some are watched and of all the outcome is kept.
   *
   * @param now by `performance.now()`
   */
  watch(now: number): Steps | null {
    if (!this.isOn) return null;
    if (now - this.#intervalBegan >= INTERVAL) {
      this.#intervalBegan = now;
      this.#watchedInInterval = 0;
    }
    return this.#watchedInInterval++ < WATCHED_IN_INTERVAL ? new Steps(false) : null;
  }

  /** From now on so many are kept. */
  resize(most: number): void {
    if (most === this.#most) return;
    const entries = this.#newestFirst().slice(0, most).reverse();
    this.#most = most;
    this.#ring = entries;
    this.#first = 0;
    this.#count = entries.length;
    this.#bytes = entries.reduce((sum, { size }) => sum + size, 0);
  }

  /**
   * @param steps null: they were not watched
   * @param decision as it was answered
   * @param took milliseconds
   */
  record(request: PolicyRequest, steps: Steps | null, decision: Decision, took: number, mask: Mask): void {
    if (!this.isOn) return;
    const size = AT_LEAST + sizeOf(request) + (steps?.conclude() ?? 0);
    while (this.#count > 0 && (this.#count === this.#most || this.#bytes + size > this.#mostBytes)) {
      this.#dropOldest();
    }
    const entry = { number: ++this.#numbered, request, steps, decision, took, mask, size };
    this.#ring[(this.#first + this.#count) % this.#most] = entry;
    this.#count++;
    this.#bytes += size;
    this.#timer ??= setTimeout(() => this.#expire(), MOST_TIME).unref();
  }

  /**
   * Those that `query` is about, newest first.
   *
   * @param mask by the secrets of the configuration in use
   */
  async find(query: DecisionQuery, mask: Mask): Promise<FoundDecisions> {
    this.#dropOld();
    const matches = compileFilter(query);
    const after = numberIn(query.after, this.#origin);
    const entries = this.#newestFirst();
    const decisions: ShownDecision[] = [];
    for (const entry of entries) {
      if (entry.number <= after || decisions.length === query.limit) break;
      if (!matches(entry.request, entry.decision)) continue;
      // To mask takes time, and requests are to be answered meanwhile.
      if (decisions.length > 0 && decisions.length % IN_ONE_TURN === 0) await turn();
      decisions.push(shown(entry, query.steps, mask));
    }
    return {
      decisions,
      kept: entries.length,
      since: entries.length === 0 ? null : new Date(entries.at(-1)!.request.time).toISOString(),
      cursor: `${this.#origin}.${this.#numbered}`,
    };
  }

  #newestFirst(): Entry[] {
    const entries: Entry[] = [];
    for (let n = this.#count - 1; n >= 0; n--) entries.push(this.#ring[(this.#first + n) % this.#most]!);
    return entries;
  }

  #dropOldest(): void {
    this.#bytes -= this.#ring[this.#first]!.size;
    this.#ring[this.#first] = undefined;
    this.#first = (this.#first + 1) % this.#most;
    this.#count--;
  }

  #dropOld(): void {
    const oldest = performance.now() - MOST_TIME;
    while (this.#count > 0 && this.#ring[this.#first]!.request.startedAt < oldest) this.#dropOldest();
  }

  /** Also where nothing is decided any more. */
  #expire(): void {
    this.#timer = null;
    this.#dropOld();
    if (this.#count === 0) return;
    const left = this.#ring[this.#first]!.request.startedAt + MOST_TIME - performance.now();
    this.#timer = setTimeout(() => this.#expire(), Math.max(left, 1000)).unref();
  }
}

function shown(
  { request, steps, decision, took, mask: own }: Entry,
  whole: boolean,
  now: Mask,
): ShownDecision {
  const mask: Mask = own === now ? now : (text) => now(own(text));
  const decided = shownDecision(request, decision, took, mask);
  if (!whole || steps === null) return decided;
  return { ...decided, steps: shownSteps(request, steps, decision, mask) };
}

function sizeOf({ attributes, recipients }: PolicyRequest): number {
  return recipients.length * 64 + charactersOf(attributes);
}

/** The number that a cursor has for an origin; 0 where it knows nothing of it. */
function numberIn(cursor: string | undefined, origin: string): number {
  for (const part of cursor?.split(",") ?? []) {
    if (part.startsWith(`${origin}.`)) return Number(part.slice(origin.length + 1)) || 0;
  }
  return 0;
}

/**
 * What several processes have found, as one.
 *
 * @param silent processes that did not answer
 */
export function together(parts: readonly FoundDecisions[], limit: number, silent: number): FoundDecisions {
  const decisions = parts.flatMap((part) => part.decisions);
  decisions.sort((a, b) => (a.time < b.time ? 1 : a.time > b.time ? -1 : 0));
  const times = parts.flatMap(({ since }) => since ?? []).sort();
  return {
    decisions: decisions.slice(0, limit),
    kept: parts.reduce((sum, { kept }) => sum + kept, 0),
    since: times[0] ?? null,
    cursor: parts.map(({ cursor }) => cursor).join(","),
    ...(silent > 0 && { silent }),
  };
}
