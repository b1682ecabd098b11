/** Remembered replies in the memory of the process, bounded by count and by bytes: the least recently used go first. */
import { LRUCache } from "lru-cache";
import type { Log } from "../../observe/log.ts";
import type { Remembered, Revocation, Store } from "../store.ts";
import { openFeed, type StoreOptions } from "./options.ts";
import type { RevocationFeed } from "./revocation-feed.ts";

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
  readonly #log: Log;

  readonly #inPlaceOf: Store["kind"];

  /**
   * @param maxBytes of all entries together; default 64 MiB
   * @param inPlaceOf the store that was to be opened and could not be
   */
  constructor(
    options: Omit<StoreOptions, "timeout">,
    maxBytes = MAX_BYTES,
    inPlaceOf: Store["kind"] = "memory",
  ) {
    this.#entries = new LRUCache({
      max: options.maxEntries,
      maxSize: maxBytes,
      sizeCalculation: sizeOf,
      ttlResolution: 1000,
    });
    this.#revocations = openFeed(options);
    this.#inPlaceOf = inPlaceOf;
    this.#log = options.log;
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

  /**
   * What is in memory goes with the process. What is in the store that this one stands in for comes back with it: then
   * the revocation must be kept until it does.
   *
   * @throws Error when it could not be kept, or others who share that store cannot be told
   */
  async revoke(revocation: Revocation): Promise<void> {
    try {
      const isKept = await this.#revocations.announce(revocation);
      if (!isKept && this.#inPlaceOf !== "memory") throw new Error("this host has no folder for it");
    } catch (error) {
      const { message } = error as Error;
      if (this.#inPlaceOf !== "memory") {
        throw new Error(
          `the store could not be opened, and what it holds would come back with it: ${message}`,
        );
      }
      this.#log.warn(
        { reason: message },
        "what was forgotten is not kept: an old export could bring it back",
      );
    }
    if (this.#inPlaceOf === "redis") {
      throw new Error("Redis could not be opened; other hosts will be told when this one is started with it");
    }
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
