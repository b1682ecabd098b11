/**
 * The stores that are open: one for each place, however many services share it, and open across reloads, so that a
 * new configuration begins with what the old one knew.
 */
import type { CacheConfig } from "../config/cache.ts";
import type { Log } from "../observe/log.ts";
import { LONGEST_LIFE } from "./cache.ts";
import { openStore } from "./open-store.ts";
import type { Store } from "./store.ts";

export class StorePool {
  readonly #log: Log;
  readonly #stores = new Map<string, Promise<Store>>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** The store that `cache` of a service names. What is in memory belongs to one service alone. */
  open(service: string, config: CacheConfig): Promise<Store> {
    const { store: url, maxEntries, timeout } = config;
    const secret = config.secret?.reveal();
    const place = JSON.stringify([url.kind === "memory" ? service : null, url, maxEntries, timeout, secret]);
    let store = this.#stores.get(place);
    if (store === undefined) {
      const options = { maxEntries, keep: LONGEST_LIFE, timeout, log: this.#log };
      store = openStore(url, secret === undefined ? options : { ...options, secret });
      this.#stores.set(place, store);
      store.catch(() => this.#stores.delete(place));
    }
    return store;
  }

  /** Writes what still waits, and ends all connections. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#stores.values()].map(async (store) => (await store).close()));
  }
}
