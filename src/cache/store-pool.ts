/**
 * The stores that are open: one for each place, however many services share it, and open across reloads, so that a
 * new configuration begins with what the old one knew. One that nobody uses any more is closed: it would go on deleting
 * by the limits of a configuration that is gone.
 */
import type { Log } from "../observe/log.ts";
import { LONGEST_LIFE } from "./freshness.ts";
import { openStore, type StoreUrl } from "./open-store.ts";
import type { Store } from "./store.ts";

/** Which store a service names, and with what limits; times in milliseconds. */
export interface StoreChoice {
  readonly store: StoreUrl;
  /** The folder where this host keeps what was to be forgotten; undefined: none. */
  readonly forgotten?: string;
  readonly maxEntries: number;
  /** For one look into the store. */
  readonly timeout: number;
  /** Signs what leaves the process. */
  readonly secret: { reveal(): string } | null;
}

interface Shared {
  readonly store: Promise<Store>;
  users: number;
}

export class StorePool {
  readonly #log: Log;
  readonly #stores = new Map<string, Shared>();

  constructor(log: Log) {
    this.#log = log;
  }

  /**
   * The store that `cache` of a service names, to be released when the service is closed. What is in memory belongs to
   * one service alone.
   */
  open(service: string, config: StoreChoice): Promise<Store> {
    const { store: url, forgotten, maxEntries, timeout } = config;
    const secret = config.secret?.reveal();
    const place = JSON.stringify([
      url.kind === "memory" ? service : null,
      url,
      forgotten,
      maxEntries,
      timeout,
      secret,
    ]);
    let shared = this.#stores.get(place);
    if (shared === undefined) {
      const store = openStore(url, {
        maxEntries,
        keep: LONGEST_LIFE,
        timeout,
        log: this.#log,
        ...(forgotten !== undefined && { forgotten }),
        ...(secret !== undefined && { secret }),
      });
      shared = { store, users: 0 };
      this.#stores.set(place, shared);
      store.catch(() => this.#stores.delete(place));
    }
    shared.users++;
    return shared.store;
  }

  /** One user less. */
  async release(store: Store): Promise<void> {
    for (const [place, shared] of this.#stores) {
      if ((await shared.store.catch(() => null)) !== store || --shared.users > 0) continue;
      this.#stores.delete(place);
      await store.close();
    }
  }

  /** Writes what still waits, and ends all connections. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#stores.values()].map(async ({ store }) => (await store).close()));
  }
}
