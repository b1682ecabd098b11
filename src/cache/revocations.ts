/**
 * What was to be forgotten, and whether a remembered reply is among it.
 *
 * Kept once for each store, however many services and configurations use it.
 */
import type { Remembered, Revocation, Store } from "./store.ts";

/** By how much the clocks of hosts that share a store may differ, in milliseconds. Forgets too much, never too little. */
const CLOCK_SKEW = 2_000;

const known = new WeakMap<Store, Revocations>();

/** @param keep how long an entry can live, in milliseconds: a revocation that is older covers nothing any more */
export function revocationsOf(store: Store, keep: number): Revocations {
  let revocations = known.get(store);
  if (revocations === undefined) {
    const heard = new Revocations(store.kind === "redis" ? CLOCK_SKEW : 0);
    store.onRevocation((revocation) => heard.add(revocation, keep));
    known.set(store, heard);
    revocations = heard;
  }
  return revocations;
}

export class Revocations {
  /** The latest first: entries are mostly younger than nearly all of them. */
  #list: readonly Revocation[] = [];
  /** How many have come: what was under way before the last one is not what would be answered now. */
  count = 0;
  readonly #skew: number;

  constructor(skew = 0) {
    this.#skew = skew;
  }

  /** Whether it is among what is known already. */
  includes(revocation: Revocation): boolean {
    return this.#list.some((other) => implies(other, revocation));
  }

  add(revocation: Revocation, keep: number): void {
    const oldest = Date.now() - keep;
    if (this.includes(revocation)) return;
    const list = this.#list.filter((other) => other.at >= oldest && !implies(revocation, other));
    const place = list.findIndex(({ at }) => at <= revocation.at);
    list.splice(place < 0 ? list.length : place, 0, revocation);
    this.#list = list;
    this.count++;
  }

  /** Those that concern a service, as of it alone. */
  of(service: string): (Revocation & { readonly service: string })[] {
    return this.#list
      .filter((revocation) => (revocation.service ?? service) === service)
      .map(({ at, attributes }) => ({ at, service, attributes }));
  }

  /**
   * Whether an entry must not be used to answer a request with these attributes. One reply may serve several requests, so
   * it is covered when either the request it was asked for matches or the one it would answer.
   */
  cover(entry: Remembered, attributes: ReadonlyMap<string, string>): boolean {
    for (const revocation of this.#list) {
      if (entry.storedAt > revocation.at + this.#skew) return false;
      if (revocation.service !== undefined && revocation.service !== entry.service) continue;
      if (matches(revocation, attributes) || matches(revocation, entry.asked.attributes)) return true;
    }
    return false;
  }
}

/** Whether the first covers all that the second does. */
export function implies(first: Revocation, second: Revocation): boolean {
  if (first.at < second.at || (first.service !== undefined && first.service !== second.service)) return false;
  for (const name in first.attributes) {
    if (first.attributes[name] !== second.attributes[name]) return false;
  }
  return true;
}

/** Whether a policy request is among those that are meant. */
export function matches(
  { attributes: wanted }: Pick<Revocation, "attributes">,
  attributes: ReadonlyMap<string, string>,
): boolean {
  for (const name in wanted) if ((attributes.get(name) ?? "") !== wanted[name]) return false;
  return true;
}
