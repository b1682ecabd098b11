/**
 * Since when what is read now may have been there.
 *
 * A turn of the event loop that reads a thousand requests takes its time, and the last of them was there before the first
 * was read; what comes meanwhile waits for the next turn, as it does while hundreds of timers end. A time that began with the
 * reading would leave out that wait, which the client has had all the same. So it begins when the system was last asked
 * what had come, or a little before, but for what came while there was nothing to do.
 */
import { performance } from "node:perf_hooks";

/** What was there then has been read; all times by performance.now(). */
let emptied = 0;
/** How long the loop had been idle then. */
let idleThen = -1;
/** When the last turn was noted. */
let noted = 0;
/** Whether this turn has begun to read, and since when what it reads may have been there. */
let isReading = false;
let since = 0;

/** A turn of the event loop begins work that may take its time: to be told at most once in each. */
export function noteTurn(): void {
  const now = performance.now();
  // Between this turn and the last one that was noted the system was asked.
  if (!waited(now)) emptied = Math.max(emptied, noted);
  noted = now;
}

/** To be asked while something is read: by performance.now(), and hardly earlier than it can be. */
export function arrivedAt(): number {
  if (isReading) return since;
  isReading = true;
  const now = performance.now();
  waited(now);
  since = emptied;
  setImmediate(endTurn, now);
  return since;
}

/** Whether there was nothing to do for a while: what has come since has just come. */
function waited(now: number): boolean {
  const { idleTime } = performance.nodeTiming;
  if (idleTime <= idleThen) return false;
  idleThen = idleTime;
  emptied = now;
  return true;
}

function endTurn(began: number): void {
  isReading = false;
  emptied = noted = began;
  idleThen = performance.nodeTiming.idleTime;
}
