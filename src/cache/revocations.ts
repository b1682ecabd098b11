/** What was to be forgotten, and whether a remembered reply is among it. */
import type { Remembered, Revocation } from "./store.ts";

export class Revocations {
  #list: readonly Revocation[] = [];

  /** @param keep how long an entry can live, in milliseconds: a revocation that is older covers nothing any more */
  add(revocation: Revocation, keep: number): void {
    const oldest = Date.now() - keep;
    const known = this.#list.some(
      (other) =>
        other.at === revocation.at &&
        other.service === revocation.service &&
        JSON.stringify(other.attributes) === JSON.stringify(revocation.attributes),
    );
    if (known) return;
    this.#list = [...this.#list.filter(({ at }) => at >= oldest), revocation];
  }

  /**
   * Whether an entry must not be used to answer a request with these attributes. One reply may serve several requests, so
   * it is covered when either the request it was asked for matches or the one it would answer.
   */
  cover(entry: Remembered, attributes: ReadonlyMap<string, string>): boolean {
    for (const revocation of this.#list) {
      if (entry.storedAt > revocation.at) continue;
      if (revocation.service !== undefined && revocation.service !== entry.service) continue;
      if (matches(revocation, attributes) || matches(revocation, entry.asked.attributes)) return true;
    }
    return false;
  }
}

function matches({ attributes: wanted }: Revocation, attributes: ReadonlyMap<string, string>): boolean {
  for (const name in wanted) if ((attributes.get(name) ?? "") !== wanted[name]) return false;
  return true;
}
