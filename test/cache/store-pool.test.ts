import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { StorePool } from "../../src/cache/store-pool.ts";
import type { CacheConfig } from "../../src/config/config.ts";
import type { Log } from "../../src/observe/log.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { remembered } from "./stores/entries.ts";

const LOG: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

async function pool() {
  const { path, remove } = await temporaryFolder();
  const stores = new StorePool(LOG);
  onTestFinished(async () => {
    await stores.close();
    await remove();
  });
  return { stores, file: join(path, "cache.lmdb") };
}

function configOf(store: CacheConfig["store"], maxEntries = 100): CacheConfig {
  return {
    store,
    maxEntries,
    ttl: 60_000,
    maxTtl: 600_000,
    staleIfError: 60_000,
    staleCauses: new Set(),
    only: new Set(["permit"]),
    key: null,
    timeout: 50,
    secret: null,
    markStale: null,
  };
}

describe("a store", () => {
  it("in memory is one service's own, and the next configuration's too", async () => {
    const { stores } = await pool();
    const config = configOf({ kind: "memory" });
    const store = await stores.open("corp", config);
    expect(await stores.open("corp", config)).toBe(store);
    expect(await stores.open("other", config)).not.toBe(store);
  });

  it("stays open while one of its users is left, and is closed with the last", async () => {
    const { stores } = await pool();
    const config = configOf({ kind: "memory" });
    const store = await stores.open("corp", config);
    await stores.open("corp", config);
    store.set("k", remembered("k"));
    await stores.release(store);
    expect(await store.get("k")).toBeDefined();
    await stores.release(store);
    expect(await store.get("k")).toBeUndefined();
    expect(await stores.open("corp", config)).not.toBe(store);
  });

  it("on disk can be opened with other limits while the one with the old is still open", async () => {
    const { stores, file } = await pool();
    const small = await stores.open("corp", configOf({ kind: "lmdb", path: file }, 1));
    const large = await stores.open("corp", configOf({ kind: "lmdb", path: file }, 100));
    await stores.release(small);
    for (const key of ["a", "b", "c"]) large.set(key, remembered("k"));
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(await large.count()).toBe(3);
  });
});
