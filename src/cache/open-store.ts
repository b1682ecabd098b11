/** Placeholder of the lead, until the stores are here: replace this file. Keep the names `StoreUrl`, `parseStoreUrl(text, resolve)`, `openStore(url: StoreUrl, options)`. */
import type { Log } from "../observe/log.ts";
import type { Remembered, Store } from "./store.ts";

export type StoreUrl =
  | { readonly kind: "memory" }
  | { readonly kind: "lmdb"; readonly path: string }
  | { readonly kind: "redis"; readonly url: string; readonly password?: string };

export interface StoreOptions {
  readonly maxEntries: number;
  readonly secret?: string;
  readonly keep: number;
  readonly timeout: number;
  readonly log: Log;
}

export function parseStoreUrl(
  text: string,
  _resolve: (file: string) => string,
): StoreUrl | { problem: string } {
  return text === "memory" ? { kind: "memory" } : { problem: "expected memory" };
}

export async function openStore(_url: StoreUrl, _options: StoreOptions): Promise<Store> {
  const entries = new Map<string, Remembered>();
  return {
    kind: "memory",
    get: (key) => entries.get(key),
    set: (key, entry) => void entries.set(key, entry),
    delete: (key) => void entries.delete(key),
    count: async () => entries.size,
    entries: async function* () {
      yield* entries;
    },
    revoke: async () => {},
    onRevocation: () => {},
    close: async () => {},
  };
}
