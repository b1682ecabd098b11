/** Where a host keeps what was to be forgotten: as durably as what it revokes, and apart from it. */
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
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
  const folder = state === undefined ? process.env.STATE_DIRECTORY?.split(":")[0] : dirname(state);
  if (folder === undefined) return undefined;
  if (store.kind === "memory") return join(folder, `forgotten-${service}`);
  const { mode, nodes, name, db, prefix } = store;
  const place = createHash("sha256").update(JSON.stringify([mode, nodes, name, db, prefix]));
  return join(folder, `forgotten-redis-${place.digest("hex").slice(0, 16)}`);
}
