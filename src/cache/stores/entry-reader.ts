/** What comes back from a store outside the process: an entry that can be trusted, or a miss and a warning. */
import { decode } from "../codec.ts";
import type { Remembered, Store } from "../store.ts";
import type { Complaints } from "./complaints.ts";

export type ReadEntry = (key: string, bytes: Buffer) => Remembered | undefined;

export function entryReader(
  store: Store["kind"],
  secret: string | undefined,
  complaints: Complaints,
): ReadEntry {
  return (key, bytes) => {
    const entry = decode(key, bytes, secret);
    if (!("problem" in entry)) return entry;
    complaints.warn(
      { store, problem: entry.problem },
      "a remembered decision was not used: it cannot be trusted",
    );
    return undefined;
  };
}
