/** Where lines end up: what a reload hands from one to the next, and how many were dropped. */

export interface Sink {
  /** Begins when `former` has written what it had, or could not within two seconds: then with what it has left. */
  follow(former: Sink): void;
  /** Ends it, after so many milliseconds at most, and gives what could not be written. */
  leave(time: number): Promise<Rest>;
  /** Resolves when all is written, when nobody will take it, or when so many milliseconds have passed; then it is over. */
  end(time: number): Promise<void>;
}

/** What one sink leaves to the next. */
export interface Rest {
  /** Whole lines, with their ends; one or more in a buffer. */
  readonly lines: readonly Buffer[];
  readonly dropped: number;
}

export const NOTHING_LEFT: Rest = { lines: [], dropped: 0 };
/** How long a former sink may go on before the next one takes over what it could not write. */
export const HAND_OVER_TIME = 2000;

/** Of this process, since it began. */
let droppedInAll = 0;

/** How many lines this process has dropped since it began, wherever they were to go. */
export function droppedLines(): number {
  return droppedInAll;
}

export function countDropped(lines: number): void {
  droppedInAll += lines;
}
