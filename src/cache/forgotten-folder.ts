/** Where a host keeps what was to be forgotten: as durably as what it revokes, and apart from it. */
import { createHash } from "node:crypto";
import type { StoreUrl } from "./store-url.ts";

/**
 * The folder for a store: beside the file of LMDB, and for all others beside `control.state`.
 *
 * @param service whose store it is, where that is in memory
 * @param state the file of `control.state`
 * @returns undefined where there is no such place
 */
export function forgottenFolder(
  store: StoreUrl,
  service: string,
  state: string | undefined,
): string | undefined {
  if (store.kind === "lmdb") return `${store.path}.forgotten`;
  if (state === undefined) return undefined;
  // Several bridges may keep their state in one folder.
  const beside = state.replace(/\.json$/, "");
  if (store.kind === "memory") return `${beside}.forgotten-${service}`;
  const { mode, nodes, name, db, prefix } = store;
  const place = createHash("sha256").update(JSON.stringify([mode, nodes, name, db, prefix]));
  return `${beside}.forgotten-redis-${place.digest("hex").slice(0, 16)}`;
}
