/**
 * What changes an LMDB file, one after the other: a transaction has ended, and its thread with it, before the next one
 * begins or the file is closed.
 *
 * LMDB's promises are kept a moment before the thread that writes has ended. A file closed in that moment, or opened
 * anew, ends the process in native code (lmdb 3.5: notifyUserCallbacks, mdb_freelist_save).
 */
import { LATE, within } from "../../time/within.ts";
import type { Databases } from "./lmdb-file.ts";

/** For one transaction, in milliseconds. It waits for the disk, which may be very slow; but some errors are never told. */
const TIME_LIMIT = 30_000;

export type Write = (written: Promise<unknown>) => void;

export class LmdbTurns {
  readonly #databases: () => Databases | Promise<Databases>;
  #last: Promise<unknown> = Promise.resolve();
  #isStuck = false;
  #hasFailed = false;

  /** @param databases the file as it is open now; where it has to be opened anew first, that is part of the turn */
  constructor(databases: () => Databases | Promise<Databases>) {
    this.#databases = databases;
  }

  /** True when a transaction did not end: nothing can be written any more. */
  get isStuck(): boolean {
    return this.#isStuck;
  }

  /** False when the last transaction failed: LMDB would wait for its end for ever. The file is sound all the same. */
  get canClose(): boolean {
    return !this.#hasFailed;
  }

  /** The file is another one from now on: what failed in the one before is over. */
  begin(): void {
    this.#hasFailed = false;
  }

  /** Does `action` when everything before it has ended, and gives what it gives. */
  take<T>(action: () => T | Promise<T>): Promise<T> {
    const result = this.#last.then(action);
    this.#last = result.catch(() => {});
    return result;
  }

  /**
   * Does what `change` does in one transaction, when everything before it has ended. `change` gives the promise of each
   * write to `write`, and makes all of them at once.
   *
   * @returns what `change` gives
   * @throws an error that says why it could not be written
   */
  transact<T>(change: (databases: Databases, write: Write) => T): Promise<T> {
    return this.take(async () => {
      if (this.#isStuck) throw new Error("an earlier transaction has not ended");
      const current = await this.#databases();
      const writes = new Set<Promise<unknown>>();
      try {
        return change(current, (written) => writes.add(written));
      } finally {
        // Also what was begun before `change` failed has to end.
        if (writes.size > 0) await this.#end(current.root, writes);
      }
    });
  }

  /** Waits until the writes and their thread have ended; throws the error of those that failed. */
  async #end(root: Databases["root"], writes: Set<Promise<unknown>>): Promise<void> {
    const ended = Promise.allSettled(writes).then(async (results) => {
      const failed = results.find((result) => result.status === "rejected");
      if (failed === undefined) {
        // Kept when the thread has ended; never, when it failed.
        await root.flushed;
        return undefined;
      }
      return causeOf(failed.reason);
    });
    const failure = await within(TIME_LIMIT, ended);
    this.#hasFailed = failure !== undefined;
    if (failure === LATE) {
      this.#isStuck = true;
      throw new Error(
        `not written in ${TIME_LIMIT / 1000} s; nothing more is until the bridge is started again`,
      );
    }
    if (failure !== undefined) throw failure;
  }
}

/** LMDB tells why a transaction failed when its thread has ended, in a promise within the error. */
async function causeOf(error: Error & { commitError?: Promise<never> }): Promise<Error> {
  try {
    await error.commitError;
  } catch (cause) {
    return cause as Error;
  }
  return error;
}
