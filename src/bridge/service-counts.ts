/**
 * What has been decided for one service since the start, in numbers that a decision changes in place: nothing is looked for,
 * made or sorted before somebody wants to see them.
 */
import type { CacheCounters } from "../cache/cache.ts";
import { VERBS, verbOf } from "../model/action.ts";
import { type Decision, SOURCES } from "../model/decision.ts";
import { CAUSES, type Cause } from "../model/failure.ts";
import { AGES, Histogram, SECONDS } from "../observe/histogram.ts";
import { AttemptMeter } from "../upstream/meter.ts";

/** Times are in milliseconds since 1970. */
export interface ServiceActivity {
  /** When the service itself last gave an answer; null: not since the start. */
  answeredAt: number | null;
  /** The last time that it gave none although it was asked. */
  failure: { readonly at: number; readonly cause: Cause; readonly detail: string } | null;
}

/** Kinds of answers: verbs, reply codes by their first digit, a connection that is closed without one. */
export const ANSWERS: readonly string[] = [
  ...[...VERBS].map((verb) => verb.toLowerCase()),
  "4xx",
  "5xx",
  "closed",
  "other",
];
const BY_VERB: ReadonlyMap<string, number> = new Map([...VERBS].map((verb, index) => [verb, index]));
const [CODE_4XX, CODE_5XX, CLOSED, OTHER] = ["4xx", "5xx", "closed", "other"].map((name) =>
  ANSWERS.indexOf(name),
) as [number, number, number, number];

export class ServiceCounts implements ServiceActivity {
  answeredAt: number | null = null;
  failure: ServiceActivity["failure"] = null;
  /** Decisions by source, then by answer: the index in SOURCES times that of ANSWERS. */
  readonly decisions: number[] = new Array(SOURCES.length * ANSWERS.length).fill(0);
  /** Decisions that had no answer of the service's, by cause. */
  readonly failures: Record<Cause, number> = Object.fromEntries(CAUSES.map((cause) => [cause, 0])) as Record<
    Cause,
    number
  >;
  /** In seconds, in the order of SOURCES. */
  readonly durations: readonly Histogram[] = SOURCES.map(() => new Histogram(SECONDS));
  /** Of remembered replies when they answered, in seconds. */
  readonly ages = new Histogram(AGES);
  readonly attempts = new AttemptMeter();
  readonly cache: CacheCounters = { hits: 0, misses: 0, stale: 0, stored: 0 };
  /** Of what shows the service who asks: tokens fetched, sessions opened. */
  readonly renewals = { ok: 0, failed: 0 };

  /** @param milliseconds that it took */
  record({ action, source, cause, age }: Decision, milliseconds: number): void {
    const from = SOURCES.indexOf(source);
    this.decisions[from * ANSWERS.length + kindOf(action)]!++;
    this.durations[from]!.add(milliseconds / 1000);
    if (cause !== undefined) this.failures[cause]++;
    if (age !== undefined) this.ages.add(age);
  }
}

function kindOf(action: string | null): number {
  if (action === null) return CLOSED;
  const known = BY_VERB.get(verbOf(action));
  if (known !== undefined) return known;
  const first = action.charCodeAt(0);
  return first === 0x34 ? CODE_4XX : first === 0x35 ? CODE_5XX : OTHER;
}
