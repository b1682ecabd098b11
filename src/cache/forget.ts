/**
 * To forget: a revocation, which holds at once and for good, and then the entries themselves, so that they are counted and
 * deleted. What an entry was asked for can be seen in it; whom else it would answer cannot, so the revocation stays.
 */

import { LATE, within } from "../time/within.ts";
import { LONGEST_LIFE } from "./freshness.ts";
import { matches, revocationsOf } from "./revocations.ts";
import type { Remembered, Revocation, Store } from "./store.ts";

/** What a revocation met. */
export interface Met {
  /** Remembered decisions that could have been used. */
  readonly met: number;
  /** False: there were too many to look at all of them in time, and there may be more. */
  readonly complete: boolean;
}

export const NOTHING_MET: Met = { met: 0, complete: true };

/** For looking through a store, in milliseconds; what is left is looked through afterwards. */
const LOOK_TIME = 4_000;
const NOBODY: ReadonlyMap<string, string> = new Map();

/** Of several stores, or of several processes. */
export function sumOfMet(parts: readonly Met[]): Met {
  return {
    met: parts.reduce((sum, { met }) => sum + met, 0),
    complete: parts.every(({ complete }) => complete),
  };
}

/** How many entries a revocation would meet. */
export async function countMet(store: Store, revocation: Revocation): Promise<Met> {
  const known = revocationsOf(store, LONGEST_LIFE);
  return inTime(async (count) => {
    for await (const [, entry] of store.entries()) {
      if (isMeant(entry, revocation) && !known.cover(entry, NOBODY)) count.met++;
    }
  });
}

/**
 * Deletes what a revocation that the store knows has met. What was asked for since it was made stays. But what comes from
 * the future, since a clock was fast when it was remembered, is older: on its account the revocation is made once more, as
 * of then, whoever it was asked for, since whom else it would answer cannot be seen in it.
 *
 * @throws Error when that could not be made known
 */
export async function deleteMet(store: Store, revocation: Revocation): Promise<Met> {
  let latest = revocation.at;
  return inTime(async (count) => {
    for await (const [key, entry] of store.entries()) {
      if (!isOf(entry, revocation)) continue;
      const isAhead = entry.storedAt > Date.now();
      if (isAhead) latest = Math.max(latest, Math.ceil(entry.storedAt));
      const isSince = entry.storedAt > revocation.at && !isAhead;
      if (isSince || !isMeant(entry, revocation)) continue;
      count.met++;
      store.delete(key);
    }
    if (latest > revocation.at) await store.revoke({ ...revocation, at: latest });
  });
}

/** Deletes what can answer nobody any more, whichever revocation has met it. */
export async function deleteForgotten(store: Store): Promise<void> {
  const known = revocationsOf(store, LONGEST_LIFE);
  await inTime(async () => {
    for await (const [key, entry] of store.entries()) {
      if (known.cover(entry, NOBODY)) store.delete(key);
    }
  });
}

function isMeant(entry: Remembered, revocation: Revocation): boolean {
  return (
    isOf(entry, revocation) && entry.staleUntil > Date.now() && matches(revocation, entry.asked.attributes)
  );
}

function isOf(entry: Remembered, { service }: Revocation): boolean {
  return service === undefined || entry.service === service;
}

/** Looking goes on when the time is over; nobody waits for it. */
async function inTime(look: (count: { met: number }) => Promise<void>): Promise<Met> {
  const count = { met: 0 };
  const complete = (await within(LOOK_TIME, look(count))) !== LATE;
  return { met: count.met, complete };
}
