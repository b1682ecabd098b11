/**
 * Ends connections that were given up, a few in each turn of the event loop.
 *
 * To end one takes longer than to give an answer, and calls are given up by the hundred in the moment in which
 * their answers are due: those go first.
 */
import { noteTurn } from "../../time/arrived.ts";

interface Ending {
  destroy(): void;
}

/** Milliseconds of a turn. */
const SLICE = 1;

const waiting = new Set<Ending>();

/** Ends it soon, once. */
export function endSoon(ending: Ending): void {
  if (waiting.size === 0) setImmediate(endSome);
  waiting.add(ending);
}

function endSome(): void {
  noteTurn();
  const until = performance.now() + SLICE;
  for (const ending of waiting) {
    waiting.delete(ending);
    ending.destroy();
    if (performance.now() > until) break;
  }
  if (waiting.size > 0) setImmediate(endSome);
}
