/**
 * The file of a store on disk, opened: checked first, moved aside when it is damaged, made anew when there is none, and
 * readable by its owner only. Beside it stands PATH-lock, which the processes that share it agree by.
 */
import { chmodSync, closeSync, openSync, renameSync, statSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { type Database, open, type RootDatabase } from "lmdb";
import { makeOwnFolder } from "../../files/own-folder.ts";
import type { Log } from "../../observe/log.ts";
import { findDamage } from "./lmdb-check.ts";

/** The databases in the file. Keys are bytes: of an entry, of its end and itself, of a revocation's number. */
export interface Databases {
  readonly root: RootDatabase<Buffer, Buffer>;
  readonly entries: Database<Buffer, Buffer>;
  /** `staleUntil` and key of each entry, for deleting in that order. */
  readonly expiry: Database<Buffer, Buffer>;
  readonly revocations: Database<Buffer, Buffer>;
}

/** Address space, neither memory nor disk, so that the file need not be mapped anew when it grows. */
const MAP_SIZE = 64 * 1024 ** 3;
/** What LMDB needs for its table of readers, written out so that a full disk shows here and not as a signal. */
const LOCK_SIZE = 16 * 1024;

/**
 * Opens the file at `path`.
 *
 * @throws an error whose message says what to do, when it can be neither opened nor made
 */
export function openFile(path: string, log: Log): Databases {
  try {
    // LMDB opens its files by name, and follows links.
    makeOwnFolder(dirname(path));
    moveAsideIfDamaged(path, log);
    createPrivately(path);
    return openDatabases(path);
  } catch (error) {
    throw new Error(`${path} cannot be used: ${(error as Error).message}`);
  }
}

/** Options that lmdb has and its types have not. */
const UNTYPED: object = {
  // Entries are found by hash: what stands beside one on the disk is of no use.
  noReadAhead: true,
  // What is written at once is one transaction: its thread does not begin before the last of it is there.
  txnStartThreshold: 1_000_000,
};

/** Opens the file once more, after `root.close()`: it was sound a moment ago. */
export function openDatabases(path: string): Databases {
  const binary = { encoding: "binary", keyEncoding: "binary" } as const;
  const root = open<Buffer, Buffer>({
    path,
    noSubdir: true,
    maxDbs: 4,
    mapSize: MAP_SIZE,
    // With it, a promise that nobody can reach is rejected when the disk is full, which would end the process.
    eventTurnBatching: false,
    ...UNTYPED,
    ...binary,
  });
  return {
    root,
    entries: root.openDB({ name: "entries", ...binary }),
    expiry: root.openDB({ name: "expiry", ...binary }),
    revocations: root.openDB({ name: "revocations", ...binary }),
  };
}

function moveAsideIfDamaged(path: string, log: Log): void {
  const before = statSync(path, { throwIfNoEntry: false });
  if (before === undefined) return;
  if (!before.isFile()) throw new Error("it is no file");
  const damage = findDamage(path);
  if (damage === null) return;
  // Another worker may have found the same and begun anew already.
  if (statSync(path, { throwIfNoEntry: false })?.ino !== before.ino) return;
  const aside = `${path}.corrupt-${new Date().toISOString().replace(/[-:]|\.\d+/g, "")}`;
  renameSync(path, aside);
  try {
    renameSync(`${path}-lock`, `${aside}-lock`);
  } catch {
    // There was none.
  }
  log.error(
    { file: path, moved_to: aside, damage },
    "the store of remembered decisions is damaged: it was moved aside, and begins anew, empty",
  );
}

function createPrivately(path: string): void {
  closeSync(openSync(path, "a", 0o600));
  chmodSync(path, 0o600);
  const lock = openSync(`${path}-lock`, "a", 0o600);
  try {
    const { size } = statSync(`${path}-lock`);
    if (size < LOCK_SIZE) writeSync(lock, Buffer.alloc(LOCK_SIZE - size));
  } finally {
    closeSync(lock);
  }
  chmodSync(`${path}-lock`, 0o600);
}
