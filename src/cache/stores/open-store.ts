/**
 * Opens the store that a configuration names. Who names the same store with the same options shares one, so that it also
 * outlives a reload; it is closed when the last of them has closed it.
 */
import type { Revocation, Store } from "../store.ts";
import type { StoreUrl } from "../store-url.ts";
import { guard } from "./guarded.ts";
import { LmdbStore } from "./lmdb.ts";
import { MemoryStore } from "./memory.ts";
import type { StoreOptions } from "./options.ts";
import { RedisStore } from "./redis.ts";

interface Shared {
  readonly store: Store;
  users: number;
}

const shared = new Map<string, Shared>();
/** Stores that are being closed: a file must not be opened while it is. */
const closing = new Map<string, Promise<void>>();

/**
 * A store that never fails: where a file cannot be used, an error line says so, and memory takes its place.
 *
 * @example await openStore({ kind: "memory" }, { maxEntries: 100_000, keep: 86_400_000, timeout: 50, log })
 */
export async function openStore(url: StoreUrl, options: StoreOptions): Promise<Store> {
  const { maxEntries, secret, keep, timeout } = options;
  const name = JSON.stringify([url, maxEntries, secret, keep, timeout]);
  await closing.get(name);
  let found = shared.get(name);
  if (found === undefined) {
    found = { store: create(url, options), users: 0 };
    shared.set(name, found);
  }
  found.users++;
  return new SharedStore(found, () => release(name));
}

function create(url: StoreUrl, options: StoreOptions): Store {
  if (url.kind === "memory") return new MemoryStore(options);
  if (url.kind === "redis") return guard(new RedisStore(url, options), options);
  try {
    return new LmdbStore(url.path, options);
  } catch (error) {
    options.log.error(
      { store: "lmdb", reason: (error as Error).message },
      "the store of remembered decisions cannot be opened: they are kept in memory, and a restart will forget them",
    );
    return new MemoryStore(options);
  }
}

async function release(name: string): Promise<void> {
  const found = shared.get(name);
  if (found === undefined || --found.users > 0) return;
  shared.delete(name);
  const closed = found.store.close().finally(() => closing.delete(name));
  closing.set(name, closed);
  await closed;
}

/** One user's view of a store: it hears nothing more after it has closed its own. */
class SharedStore implements Store {
  readonly #store: Store;
  readonly #release: () => Promise<void>;
  #listeners: ((revocation: Revocation) => void)[] = [];
  #isClosed = false;

  constructor({ store }: Shared, release: () => Promise<void>) {
    this.#store = store;
    this.#release = release;
  }

  get kind(): Store["kind"] {
    return this.#store.kind;
  }

  get(key: string): ReturnType<Store["get"]> {
    return this.#store.get(key);
  }

  set(...entry: Parameters<Store["set"]>): void {
    this.#store.set(...entry);
  }

  delete(key: string): void {
    this.#store.delete(key);
  }

  count(): Promise<number> {
    return this.#store.count();
  }

  entries(): ReturnType<Store["entries"]> {
    return this.#store.entries();
  }

  revoke(revocation: Revocation): Promise<void> {
    return this.#store.revoke(revocation);
  }

  onRevocation(listener: (revocation: Revocation) => void): void {
    const index = this.#listeners.push(listener) - 1;
    this.#store.onRevocation((revocation) => this.#listeners[index]?.(revocation));
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    // What the store keeps of this user must not keep a whole configuration alive.
    this.#listeners = [];
    await this.#release();
  }
}
