/** Remembered replies in the memory of the process, bounded by count and by bytes: the least recently used go first. */
import { LRUCache } from "lru-cache";
import type { Remembered, Revocation, Store } from "../store.ts";
import type { StoreOptions } from "./options.ts";
import { RevocationFeed } from "./revocation-feed.ts";

/** Of all entries together, as far as it can be counted, in bytes. */
const MAX_BYTES = 64 * 1024 * 1024;
/** Of an entry without its texts and body, as measured: object, maps and the cache's own. */
const OVERHEAD = 500;
/** A map's item, the same. */
const ITEM_OVERHEAD = 40;

export class MemoryStore implements Store {
  readonly kind = "memory";
  readonly #entries: LRUCache<string, Remembered>;
  readonly #revocations: RevocationFeed;

  /** @param maxBytes of all entries together; default 64 MiB */
  constructor(options: Pick<StoreOptions, "maxEntries" | "keep" | "log">, maxBytes = MAX_BYTES) {
    this.#entries = new LRUCache({
      max: options.maxEntries,
      maxSize: maxBytes,
      sizeCalculation: sizeOf,
      ttlResolution: 1000,
    });
    this.#revocations = new RevocationFeed(options.log, () => options.keep);
  }

  get(key: string): Remembered | undefined {
    return this.#entries.get(key);
  }

  set(key: string, entry: Remembered): void {
    const ttl = entry.staleUntil - Date.now();
    if (ttl <= 0) this.#entries.delete(key);
    else this.#entries.set(key, entry, { ttl });
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  async count(): Promise<number> {
    return this.#entries.size;
  }

  async *entries(): AsyncGenerator<readonly [string, Remembered]> {
    yield* this.#entries.entries();
  }

  async revoke(revocation: Revocation): Promise<void> {
    this.#revocations.announce(revocation);
  }

  onRevocation(listener: (revocation: Revocation) => void): void {
    this.#revocations.subscribe(listener);
  }

  async close(): Promise<void> {
    this.#entries.clear();
  }
}

function sizeOf({ reply, asked }: Remembered, key: string): number {
  let size = OVERHEAD + key.length + reply.body.length;
  for (const [name, value] of reply.headers) size += ITEM_OVERHEAD + name.length + value.length;
  for (const value of asked.attributes.values()) size += ITEM_OVERHEAD + value.length;
  for (const recipient of asked.recipients) size += ITEM_OVERHEAD + recipient.length;
  return size;
}
