/**
 * The revocations that a process knows of, and those who want to hear of them.
 *
 * A revocation is kept until no entry from before it can live any more. There is a bound to how many are kept: beyond it
 * the oldest become one that forgets everything from before them. That forgets too much, never too little.
 */
import type { Log } from "../../observe/log.ts";
import type { Revocation } from "../store.ts";

const MOST = 10_000;

type Listener = (revocation: Revocation) => void;

/** Of a list that has become too long: what replaces which of its items. */
export interface Merger<T> {
  readonly merged: Revocation;
  readonly replaced: readonly T[];
}

/**
 * Merges the older half of a list that is longer than 10,000.
 *
 * @returns undefined where the list is short enough
 */
export function mergeOldest<T>(
  items: readonly T[],
  of: (item: T) => Revocation,
  log: Log,
): Merger<T> | undefined {
  if (items.length <= MOST) return undefined;
  const replaced = [...items].sort((a, b) => of(a).at - of(b).at).slice(0, items.length - MOST / 2);
  const at = of(replaced[replaced.length - 1] as T).at;
  log.warn(
    { revocations: items.length, merged: replaced.length, before: new Date(at).toISOString() },
    "too many revocations: the oldest have become one, which forgets all decisions from before them",
  );
  return { merged: { at, attributes: {} }, replaced };
}

export class RevocationFeed {
  readonly #log: Log;
  readonly #keep: () => number;
  readonly #listeners: Listener[] = [];
  #known: Revocation[] = [];

  /** @param keep for how long an entry can live, in milliseconds */
  constructor(log: Log, keep: () => number) {
    this.#log = log;
    this.#keep = keep;
  }

  /** Calls back at once with those known already, then with each new one. */
  subscribe(listener: Listener): void {
    this.#listeners.push(listener);
    for (const revocation of this.#known) listener(revocation);
  }

  /** Tells everyone; those that are over already are dropped. */
  announce(revocation: Revocation): void {
    const oldest = Date.now() - this.#keep();
    if (revocation.at < oldest) return;
    if (this.#known.length >= MOST) this.#known = this.#known.filter(({ at }) => at >= oldest);
    this.#known.push(revocation);
    const merger = mergeOldest(this.#known, (known) => known, this.#log);
    if (merger !== undefined) {
      const replaced = new Set(merger.replaced);
      this.#known = [merger.merged, ...this.#known.filter((known) => !replaced.has(known))];
      this.#tell(merger.merged);
    }
    this.#tell(revocation);
  }

  #tell(revocation: Revocation): void {
    for (const listener of this.#listeners) listener(revocation);
  }
}
