/** What an entry may hold at most. Checked both before it is stored and when it comes back from outside the process. */
import { LONGEST_LIFE } from "./freshness.ts";
import type { Remembered } from "./store.ts";

/** Of one entry outside the process, in bytes. */
export const MAX_ENTRY_SIZE = 256 * 1024;
/** Of a key, in characters. */
const MAX_KEY_LENGTH = 500;

const MAX_HEADERS = 1_000;
const MAX_ATTRIBUTES = 1_000;
const MAX_RECIPIENTS = 10_000;
/** The last millisecond that a Date can tell. */
const LAST_TIME = 8.64e15;

/** Whether a key can stand in every store: not empty, not too long, without control characters. */
export function isKey(key: string): boolean {
  return key.length > 0 && key.length <= MAX_KEY_LENGTH && !/[\x00-\x1f\x7f]/.test(key);
}

/** Whether an entry's values are possible at all. */
export function isRememberable({ reply, storedAt, freshUntil, staleUntil, asked }: Remembered): boolean {
  return (
    isTime(storedAt) &&
    isTime(freshUntil) &&
    isTime(staleUntil) &&
    freshUntil <= staleUntil &&
    // One that lived longer would outlive the revocations that cover it.
    staleUntil - storedAt <= LONGEST_LIFE &&
    Number.isInteger(reply.status) &&
    reply.status >= 100 &&
    reply.status <= 999 &&
    reply.headers.size <= MAX_HEADERS &&
    asked.attributes.size <= MAX_ATTRIBUTES &&
    asked.recipients.length <= MAX_RECIPIENTS
  );
}

function isTime(value: number): boolean {
  return value >= 0 && value <= LAST_TIME;
}
