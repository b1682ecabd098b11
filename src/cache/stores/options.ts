/** What every store is opened with. */
import type { Log } from "../../observe/log.ts";

export interface StoreOptions {
  readonly maxEntries: number;
  /** Signs what leaves the process. */
  readonly secret?: string;
  /** For how long an entry can live, in milliseconds: so long revocations are kept. */
  readonly keep: number;
  /** For one look into a store that has to be waited for, in milliseconds. */
  readonly timeout: number;
  readonly log: Log;
}
