/** What every store is opened with. */
import type { Log } from "../../observe/log.ts";
import { Forgotten } from "./forgotten.ts";
import { RevocationFeed } from "./revocation-feed.ts";

export interface StoreOptions {
  readonly maxEntries: number;
  /** Signs what leaves the process. */
  readonly secret?: string;
  /** For how long an entry can live, in milliseconds: so long revocations are kept. */
  readonly keep: number;
  /** A folder of this host where they are kept as well; absent: there is none. */
  readonly forgotten?: string;
  /** For one look into a store that has to be waited for, in milliseconds. */
  readonly timeout: number;
  readonly log: Log;
}

/** What a store knows to be revoked, beginning with what this host has kept. */
export function openFeed(
  options: Pick<StoreOptions, "secret" | "keep" | "forgotten" | "log">,
): RevocationFeed {
  const { keep, forgotten, log } = options;
  return new RevocationFeed(
    log,
    () => keep,
    forgotten === undefined ? null : new Forgotten(forgotten, options),
  );
}
