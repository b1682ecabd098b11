/**
 * What Redis itself refuses (read-only after a failover, full, loading, a password that is wrong): said once when it begins
 * and once when it is over, in Redis' own word, with what to do. Meanwhile it is tried again after growing pauses, so that
 * neither Redis nor the log is flooded.
 */
import type { Log } from "../../observe/log.ts";

/** Before what was refused is tried again, in milliseconds; doubles. */
const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 5000;
/** … where it refuses and gives in by turns, as a Redis that is all but full does. */
const LONGEST_WHERE_UNSTEADY = 60_000;
const STEADY_AFTER = 60_000;

/** The word that a reply of Redis begins with: what mends it. */
const REMEDIES: ReadonlyMap<string, string> = new Map([
  [
    "READONLY",
    "this server is a replica now: point cache.store at the master, or at Sentinels (redis+sentinel://), which name it",
  ],
  ["OOM", "Redis is full: raise maxmemory, or set maxmemory-policy allkeys-lru so that it makes room"],
  ["MISCONF", "Redis cannot write its snapshot to disk: see its own log, disk and folder"],
  ["LOADING", "Redis is reading its data after a start; it ends by itself"],
  ["NOAUTH", "Redis wants a password: redis://USER:PASSWORD@HOST in cache.store"],
  ["WRONGPASS", "user or password in cache.store is wrong, or the user is switched off"],
  [
    "NOPERM",
    "the user in cache.store lacks rights: it needs +@read +@write +@stream +@connection on its keys",
  ],
  ["CLUSTERDOWN", "the cluster has lost nodes or slots: redis-cli cluster info tells which"],
  ["MASTERDOWN", "this server is a replica whose master is gone: see to the master"],
  ["NOREPLICAS", "Redis waits for replicas (min-replicas-to-write): see to these"],
  ["BUSY", "a script of somebody else's holds Redis up: redis-cli script kill"],
]);

/** What to do about a reply; undefined where it is about one key or one command only. */
export function remedyFor(error: string): string | undefined {
  if (/^ERR max number of clients/.test(error)) return "Redis has too many clients: raise maxclients";
  return REMEDIES.get(/^-?([A-Z]+)\b/.exec(error)?.[1] ?? "");
}

interface Wording {
  readonly begins: string;
  readonly ends: string;
}

interface Refused {
  readonly since: number;
  pause: number;
  next: number;
  /** What was not tried, or tried in vain. */
  times: number;
}

export class Refusal {
  readonly #log: Log;
  readonly #place: string;
  readonly #wording: Wording;
  #refused: Refused | null = null;
  #endedAt = Number.NEGATIVE_INFINITY;
  /** Of the last time. */
  #lastPause = 0;

  constructor(log: Log, place: string, wording: Wording) {
    this.#log = log;
    this.#place = place;
    this.#wording = wording;
  }

  get isRefused(): boolean {
    return this.#refused !== null;
  }

  /** Whether to ask now. While it is refused one is let through now and then. */
  admits(): boolean {
    const refused = this.#refused;
    if (refused === null) return true;
    const now = performance.now();
    if (now < refused.next) {
      refused.times++;
      return false;
    }
    refused.pause = Math.max(refused.pause, Math.min(refused.pause * 2, LONGEST_PAUSE));
    refused.next = now + refused.pause;
    return true;
  }

  /** @returns false where it is no such refusal, and somebody else's to tell */
  failed({ message }: Error): boolean {
    const advice = remedyFor(message);
    if (advice === undefined) return false;
    if (this.#refused !== null) {
      this.#refused.times++;
      return true;
    }
    const now = performance.now();
    const isUnsteady = now - this.#endedAt < STEADY_AFTER;
    const pause = isUnsteady ? Math.min(this.#lastPause * 2, LONGEST_WHERE_UNSTEADY) : FIRST_PAUSE;
    this.#refused = { since: now, pause, next: now + pause, times: 1 };
    this.#log.warn({ store: "redis", place: this.#place, reason: message, advice }, this.#wording.begins);
    return true;
  }

  succeeded(): void {
    if (this.#refused === null) return;
    const { since, times, pause } = this.#refused;
    this.#refused = null;
    this.#endedAt = performance.now();
    this.#lastPause = pause;
    const seconds = Math.round((performance.now() - since) / 1000);
    this.#log.info(
      { store: "redis", place: this.#place, after_s: seconds, refused: times },
      this.#wording.ends,
    );
  }
}
