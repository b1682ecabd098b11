/**
 * Descriptors that never hold anybody up.
 *
 * A write to a pipe that nobody empties, or to a terminal that is held (Ctrl-S), sleeps in the kernel, and with it a thread
 * without which Node neither works well nor ends. Whether it does hangs on the open file, which is shared with whoever
 * started the process; so that a process has one of its own it is opened again, through /proc. Where that is not allowed
 * (another user's terminal) the descriptor stays as it is.
 */
import { closeSync, constants, fstatSync, openSync, statSync } from "node:fs";
import { openToWrite } from "../files/held-folder.ts";

const { O_WRONLY, O_RDWR, O_CREAT, O_APPEND, O_NONBLOCK, O_NOCTTY } = constants;

/** Where a worker finds its supervisor's standard output. Not 0 to 2: those of a child are made to block again. */
export const SUPERVISORS_OUTPUT = 4;

/**
 * Opens a file to append to. A named pipe (mkfifo) that nobody reads yet is opened too: what is written waits in it.
 *
 * @throws the system's error
 */
export function openWithoutBlocking(file: string): number {
  // On Linux (fifo(7)) a pipe that is opened for both never waits for a reader, and outlives one.
  const isPipe = statSync(file, { throwIfNoEntry: false })?.isFIFO() === true;
  const way = isPipe ? O_RDWR : O_WRONLY | O_CREAT;
  return openToWrite(file, way | O_APPEND | O_NONBLOCK | O_NOCTTY, 0o640);
}

/**
 * From now on standard output and standard error do not block, whoever writes there: the log, Node, a library in C. To be
 * called before the process opens anything else.
 */
export function keepStandardStreamsFromBlocking(): void {
  for (const fd of [1, 2] as const) {
    try {
      const status = fstatSync(fd);
      if (status.isFIFO() || status.isCharacterDevice()) openAgain(fd);
      else if (status.isSocket()) touch(fd);
    } catch {
      touch(fd);
    }
  }
}

/** A descriptor of one's own for standard output or standard error, so that whoever shares it notices nothing. */
export function openStandardStream(fd: 1 | 2): number {
  try {
    const status = fstatSync(fd);
    if (status.isFIFO() || status.isCharacterDevice()) return reopened(fd);
    if (status.isSocket()) touch(fd);
  } catch {
    // Another user's; then it is written to as it is.
  }
  return fd;
}

/** The same file, opened anew under the same number: the lowest that is free is what the system gives. */
function openAgain(fd: 1 | 2): void {
  const copy = reopened(fd);
  closeSync(fd);
  reopened(copy);
  closeSync(copy);
}

function reopened(fd: number): number {
  return openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
}

/** Node makes a pipe or socket that it is to write to non-blocking. */
function touch(fd: 1 | 2): void {
  void (fd === 1 ? process.stdout : process.stderr);
}
