/**
 * Opens the store that a configuration names. What a store needs is loaded with it: who keeps decisions in memory pays
 * for neither LMDB nor Redis.
 */
import type { Store } from "./store.ts";
import type { StoreUrl } from "./store-url.ts";
import { guard } from "./stores/guarded.ts";
import { MemoryStore } from "./stores/memory.ts";
import type { StoreOptions } from "./stores/options.ts";

export { parseStoreUrl, type StoreUrl } from "./store-url.ts";

/**
 * A store that never fails: where a file cannot be used, an error line says so, and memory takes its place. A Redis that
 * cannot be reached is waited for in the background.
 *
 * @example await openStore({ kind: "memory" }, { maxEntries: 100_000, keep: 86_400_000, timeout: 50, log })
 */
export async function openStore(url: StoreUrl, options: StoreOptions): Promise<Store> {
  switch (url.kind) {
    case "memory":
      return new MemoryStore(options);
    case "redis":
    case "lmdb":
      try {
        return await openOutside(url, options);
      } catch (error) {
        options.log.error(
          { store: url.kind, reason: (error as Error).message },
          "the store of remembered decisions cannot be opened: they are kept in memory, and a restart will forget them",
        );
        return new MemoryStore(options, undefined, url.kind);
      }
  }
}

async function openOutside(
  url: Exclude<StoreUrl, { readonly kind: "memory" }>,
  options: StoreOptions,
): Promise<Store> {
  if (url.kind === "lmdb") {
    const { LmdbStore } = await import("./stores/lmdb.ts");
    return new LmdbStore(url.path, options);
  }
  const { RedisStore } = await import("./stores/redis.ts");
  return guard(new RedisStore(url, options), options);
}
