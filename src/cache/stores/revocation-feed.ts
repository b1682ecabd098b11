/**
 * The revocations that a process knows of, and those who want to hear of them.
 *
 * A revocation is kept until no entry from before it can live any more; where this host has a folder for it, on the disk
 * as well. There is a bound to how many are kept: beyond it the oldest become one that forgets everything from before
 * them. That forgets too much, never too little.
 */
import type { Log } from "../../observe/log.ts";
import { implies } from "../revocations.ts";
import type { Revocation } from "../store.ts";
import { Complaints } from "./complaints.ts";
import type { Forgotten } from "./forgotten.ts";
import { textOf } from "./revocation-codec.ts";

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
  readonly #complaints: Complaints;
  readonly #keep: () => number;
  readonly #forgotten: Forgotten | null;
  readonly #listeners: Listener[] = [];
  /** By text. */
  #known = new Map<string, Revocation>();
  /** Everything from before is revoked already, in milliseconds since 1970. */
  #floor = Number.NEGATIVE_INFINITY;

  /**
   * @param keep for how long an entry can live, in milliseconds
   * @param forgotten where this host keeps them
   */
  constructor(log: Log, keep: () => number, forgotten: Forgotten | null = null) {
    this.#log = log;
    this.#complaints = new Complaints(log);
    this.#keep = keep;
    this.#forgotten = forgotten;
    for (const revocation of forgotten?.load() ?? []) this.#learn(revocation);
  }

  /** Calls back at once with those known already, then with each new one. */
  subscribe(listener: Listener): void {
    this.#listeners.push(listener);
    for (const revocation of this.#known.values()) listener(revocation);
  }

  /**
   * Tells everyone, at once, of one that was made here.
   *
   * @returns false where this host has no place to keep it
   * @throws Error when it could not be kept on this host; everyone has been told all the same
   */
  async announce(revocation: Revocation): Promise<boolean> {
    this.#learn(revocation);
    if (this.#forgotten === null) return false;
    await this.#forgotten.add(revocation);
    return true;
  }

  /** Tells everyone of one that others made, unless it is known. */
  hear(revocation: Revocation): void {
    if (!this.#learn(revocation) || this.#forgotten === null) return;
    this.#forgotten.addInTurn(revocation).catch((error: Error) => {
      this.#complaints.warn(
        { reason: error.message },
        "what others want forgotten could not be kept on this host: after a restart the store alone knows",
      );
    });
  }

  /** What is known, and nothing of what is `present` elsewhere says. */
  missingIn(present: readonly Revocation[]): Revocation[] {
    const texts = new Set(present.map(textOf));
    const oldest = Date.now() - this.#keep();
    return [...this.#known]
      .filter(([text, known]) => known.at >= oldest && !texts.has(text))
      .map(([, known]) => known)
      .filter((known) => !present.some((other) => implies(other, known)));
  }

  /** True where it is new. Those that are over already are dropped. */
  #learn(revocation: Revocation): boolean {
    const oldest = Date.now() - this.#keep();
    const text = textOf(revocation);
    if (revocation.at < oldest || revocation.at <= this.#floor || this.#known.has(text)) return false;
    if (this.#known.size >= MOST) {
      for (const [old, { at }] of this.#known) if (at < oldest) this.#known.delete(old);
    }
    this.#known.set(text, revocation);
    if (revocation.service === undefined && Object.keys(revocation.attributes).length === 0) {
      this.#floor = revocation.at;
    }
    if (this.#known.size > MOST) this.#merge();
    for (const listener of this.#listeners) listener(revocation);
    return true;
  }

  #merge(): void {
    const merger = mergeOldest([...this.#known.values()], (known) => known, this.#log);
    if (merger === undefined) return;
    const { merged, replaced } = merger;
    const gone = new Set(replaced);
    const kept = [...this.#known].filter(([, known]) => !gone.has(known));
    this.#known = new Map([[textOf(merged), merged], ...kept]);
    this.#floor = Math.max(this.#floor, merged.at);
    for (const listener of this.#listeners) listener(merged);
    const forgotten = this.#forgotten;
    if (forgotten === null) return;
    // The new one is on the disk before they go.
    void forgotten.addInTurn(merged).then(
      async () => {
        for (const revocation of replaced) await forgotten.remove(revocation);
      },
      () => {},
    );
  }
}
