/**
 * Whether the file that LMDB has mapped is still the one at its path, and whole. Somebody may restore a copy while the
 * bridge runs: one that is cut, or written over, ends the process with a signal as soon as a page is looked at that is not
 * there any more.
 *
 * So its length is looked at before the pages are, and a few times a second what stands at
 * the path. Nothing can be done against a cut in the very moment of a look; that a file which was cut is made as long
 * again, empty, keeps all later looks from harm.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  statSync,
  unlinkSync,
} from "node:fs";
import { newestTransaction, pretendEnded } from "./lmdb-check.ts";

/** Between two looks at the length, in milliseconds: under load one is enough for several pages. */
const TRUSTED_FOR = 0.1;
/** A file that nobody can write is left by all. */
const WRITABLE = 0o200;

export class LmdbWatch {
  readonly #path: string;
  readonly #file: number;
  readonly #inode: number;
  /** Of the lock file: processes agree by it about this very file, and about no other. */
  readonly #lockInode: number | undefined;
  /** It only ever grows. */
  #size: number;
  #transaction: bigint;
  #changedAt = 0;
  #lookedAt = 0;

  /** @param path of a file that has just been opened */
  constructor(path: string) {
    this.#path = path;
    this.#file = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW);
    const { ino, size } = fstatSync(this.#file);
    this.#inode = ino;
    this.#lockInode = inodeOf(`${path}-lock`);
    this.#size = size;
    this.#transaction = newestTransaction(this.#file) ?? 0n;
  }

  /** False when pages are gone that were there, or are others than LMDB wrote. */
  isWhole(): boolean {
    const now = performance.now();
    if (now - this.#lookedAt < TRUSTED_FOR) return true;
    if (this.#damage() !== null) return false;
    this.#lookedAt = now;
    return true;
  }

  /** Whether its content is not what LMDB wrote. Then LMDB cannot even close it: it waits for pages that never come. */
  get isDamaged(): boolean {
    return this.#damage() !== null;
  }

  #damage(): string | null {
    const { size, mode, mtimeMs } = fstatSync(this.#file);
    if ((mode & WRITABLE) === 0) return "another process found it damaged";
    if (size < this.#size) return "it was cut, or is being written over";
    this.#size = size;
    if (mtimeMs === this.#changedAt) return null;
    const transaction = newestTransaction(this.#file);
    // An older copy; LMDB counts upwards.
    if (transaction === null || transaction < this.#transaction) return "another file was written over it";
    this.#transaction = transaction;
    this.#changedAt = mtimeMs;
    return null;
  }

  /** What has become of the file, in a few words; null when all is well. */
  whatHappened(): string | null {
    this.#changedAt = 0;
    const damage = this.#damage();
    if (damage !== null) return damage;
    const inode = inodeOf(this.#path);
    if (inode === undefined) return "it was removed";
    return inode === this.#inode ? null : "another file was put in its place";
  }

  /**
   * Makes pages that are gone be there again, empty, so that looking at them harms nobody. A mark tells all processes, who
   * could not see any more that it was cut.
   */
  mend(): void {
    // Another process that has left it has done so already.
    if (!this.isDamaged || (fstatSync(this.#file).mode & WRITABLE) === 0) return;
    fchmodSync(this.#file, 0o400);
    if (fstatSync(this.#file).size < this.#size) ftruncateSync(this.#file, this.#size);
    pretendEnded(this.#file, this.#lastBegun());
  }

  /**
   * The number of the last transaction, as the processes have agreed on it (mti_txnid, in the lock file). Only for a file
   * that is given up: to close the lock file is to give up all locks on it that this process has.
   */
  #lastBegun(): bigint {
    if (inodeOf(`${this.#path}-lock`) !== this.#lockInode) return this.#transaction;
    const lock = openSync(`${this.#path}-lock`, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const bytes = Buffer.alloc(8);
      return readSync(lock, bytes, 0, 8, 8) === 8 ? bytes.readBigUInt64LE() : this.#transaction;
    } finally {
      closeSync(lock);
    }
  }

  /**
   * Makes room at the path: nobody can go on with this file, nor with its lock, while others still have it open.
   *
   * @returns where the file was moved to; null where it is not there any more
   */
  setAside(): string | null {
    const isThere = inodeOf(this.#path) === this.#inode;
    const aside = `${this.#path}.overwritten-${new Date().toISOString().replace(/[-:]|\.\d+/g, "")}`;
    try {
      if (inodeOf(`${this.#path}-lock`) === this.#lockInode) unlinkSync(`${this.#path}-lock`);
      if (isThere) renameSync(this.#path, aside);
    } catch (error) {
      // Another process has done it.
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
    return isThere ? aside : null;
  }

  close(): void {
    closeSync(this.#file);
  }
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}
