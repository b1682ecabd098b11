/**
 * Remembered replies on disk, in an LMDB file that several processes of a host share, and that outlives them.
 *
 * Reading is looking into mapped memory; writing happens in another thread, a few entries at a time, and nobody waits
 * for it. What is not yet written is answered from memory. Every so often, in small steps, entries past their end are
 * deleted, and those that end first where there are too many.
 *
 * A file that was cut, written over, replaced or removed meanwhile is left, and the store goes on with what stands at the
 * path then, or begins anew: with all revocations that this process knows.
 *
 * Pages of the file that were looked at count as the process's memory, though the system can take them back at any time.
 * When they have become many, the file is closed and opened again, which gives them back.
 */
import { readFileSync } from "node:fs";
import { setTimeout as delay, setImmediate as nextTurn } from "node:timers/promises";
import type { Log } from "../../observe/log.ts";
import { encode, staleUntilOf } from "../codec.ts";
import { isKey, isRememberable, MAX_ENTRY_SIZE } from "../limits.ts";
import type { Remembered, Revocation, Store } from "../store.ts";
import { Complaints } from "./complaints.ts";
import { entryReader, type ReadEntry } from "./entry-reader.ts";
import { type Databases, openDatabases, openFile } from "./lmdb-file.ts";
import { LmdbRevocations } from "./lmdb-revocations.ts";
import { LmdbTurns, type Write } from "./lmdb-turns.ts";
import { LmdbWatch } from "./lmdb-watch.ts";
import type { StoreOptions } from "./options.ts";

/** Between two looks at what there is to do, in milliseconds. */
const INTERVAL = 250;
/** Entries deleted in one step. */
const SWEEP_STEP = 250;
/** What part more entries there may be for a while than there should. */
const TOLERANCE = 0.05;
/** Entries that wait to be written; beyond that nothing more is remembered until some are. */
const MOST_WAITING = 10_000;
/** Entries written in one transaction; to begin one must not hold up decisions. */
const BATCH = 250;
/** Read at once for entries(). */
const CHUNK = 100;
/** Mapped pages beyond which the file is opened anew, in bytes. */
const MOST_MAPPED = 32 * 1024 * 1024;
/** Reads between two looks at how much is mapped. */
const READS_PER_LOOK = 100;
/** After a write that failed, in milliseconds: a full disk does not get empty by trying. */
const PAUSE = 10_000;
const NOTHING = Buffer.alloc(0);
const UNUSABLE = "the store of remembered decisions could not be opened again";

/** Null: deleted. */
type Waiting = Remembered | null;

export class LmdbStore implements Store {
  readonly kind = "lmdb";
  readonly #path: string;
  readonly #maxEntries: number;
  readonly #secret: string | undefined;
  readonly #log: Log;
  readonly #complaints: Complaints;
  readonly #read: ReadEntry;
  readonly #revocations: LmdbRevocations;
  readonly #timer: NodeJS.Timeout;
  readonly #turns = new LmdbTurns(() => this.#soundDatabases());
  /** What is not yet on the disk, and of this what has not yet been begun. */
  readonly #waiting = new Map<string, Waiting>();
  readonly #unbegun = new Set<string>();
  #writing: Promise<void> | null = null;
  /** More entries than there may be, by so many that nothing is remembered until some are deleted. */
  #isOverfull = false;
  #db: Databases;
  #watch: LmdbWatch;
  /** The file is to be closed and opened anew; between the two it is away. */
  #isToBeOpened = false;
  #isAway = false;
  /** What has become of the file; null: it is the one that was opened. */
  #leftBecause: string | null = null;
  #isSweeping = false;
  #pausedUntil = 0;
  #isClosed = false;
  #mappedAtOpen: number;
  #reads = 0;

  /**
   * @throws an error that says why the file cannot be used
   */
  constructor(path: string, options: Omit<StoreOptions, "timeout">) {
    this.#path = path;
    this.#maxEntries = options.maxEntries;
    this.#secret = options.secret;
    this.#log = options.log;
    this.#complaints = new Complaints(options.log);
    this.#read = entryReader(this.kind, options.secret, this.#complaints);
    this.#mappedAtOpen = mappedBytes();
    this.#db = openFile(path, options.log);
    this.#watch = new LmdbWatch(path);
    this.#revocations = new LmdbRevocations(options);
    this.#revocations.beginAnew(this.#db);
    this.#timer = setInterval(() => this.#tend(), INTERVAL);
    this.#timer.unref();
  }

  /** How many entries wait to be written. */
  get waiting(): number {
    return this.#waiting.size;
  }

  get(key: string): Remembered | undefined {
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined) return waiting ?? undefined;
    if (++this.#reads % READS_PER_LOOK === 0) this.#giveBackMemory();
    if (this.#isAway || !this.#isWhole()) return undefined;
    try {
      const bytes = this.#db.entries.getBinaryFast(pack(key));
      return bytes === undefined ? undefined : this.#read(key, bytes);
    } catch (error) {
      this.#complain(error, "a remembered decision cannot be read");
      return undefined;
    }
  }

  set(key: string, entry: Remembered): void {
    if (isKey(key) && isRememberable(entry)) this.#write(key, entry);
  }

  delete(key: string): void {
    if (isKey(key)) this.#write(key, null);
  }

  #write(key: string, entry: Waiting): void {
    if (this.#isClosed || this.#isPaused() || this.#turns.isStuck) return;
    if (this.#waiting.size >= MOST_WAITING && !this.#waiting.has(key)) {
      this.#complaints.warn(
        { store: this.kind, file: this.#path },
        "the disk is too slow: decisions are not remembered",
      );
      return;
    }
    if (this.#isOverfull && entry !== null) return;
    this.#waiting.set(key, entry);
    this.#unbegun.add(key);
    this.#writing ??= this.#writeAll();
  }

  /** Writes what waits, as much at a time as has come while the disk was busy. */
  async #writeAll(): Promise<void> {
    while (this.#unbegun.size > 0) await this.#writeSome();
    this.#writing = null;
  }

  async #writeSome(): Promise<void> {
    const begun: [string, Waiting][] = [];
    try {
      await this.#turns.transact((db, write) => {
        for (const key of this.#unbegun) {
          this.#unbegun.delete(key);
          const entry = this.#waiting.get(key) ?? null;
          begun.push([key, entry]);
          this.#put(db, write, key, entry);
          if (begun.length === BATCH) return;
        }
      });
    } catch (error) {
      this.#failed(error, "decisions could not be remembered");
      // Nor can those that wait.
      if (this.#turns.isStuck) {
        this.#waiting.clear();
        this.#unbegun.clear();
      }
    }
    for (const [key, entry] of begun) {
      // Another write of the same key may wait by now.
      if (this.#waiting.get(key) === entry) this.#waiting.delete(key);
    }
  }

  #failed(error: unknown, message: string): void {
    this.#pausedUntil = performance.now() + PAUSE;
    this.#complain(error, message);
  }

  #put({ entries, expiry }: Databases, write: Write, key: string, entry: Waiting): void {
    const bytes = entry === null ? null : encode(key, entry, this.#secret);
    if (bytes !== null && bytes.length > MAX_ENTRY_SIZE) return;
    const packed = pack(key);
    const old = entries.getBinaryFast(packed);
    const oldEnd = old === undefined ? undefined : staleUntilOf(old);
    if (oldEnd !== undefined && oldEnd !== entry?.staleUntil) write(expiry.remove(expiryKey(oldEnd, packed)));
    if (entry !== null) write(expiry.put(expiryKey(entry.staleUntil, packed), NOTHING));
    write(bytes === null ? entries.remove(packed) : entries.put(packed, bytes));
  }

  #isPaused(): boolean {
    return this.#pausedUntil > 0 && performance.now() < this.#pausedUntil;
  }

  async count(): Promise<number> {
    if (this.#isAway || !this.#isWhole()) await this.#turns.take(() => {});
    return countOf(this.#db);
  }

  async *entries(): AsyncGenerator<readonly [string, Remembered]> {
    const waiting = new Map(this.#waiting);
    for (const [key, entry] of waiting) if (entry !== null) yield [key, entry];
    let start: Buffer | undefined;
    for (;;) {
      const chunk = await this.#turns.take(async () => this.#chunk(await this.#soundDatabases(), start));
      for (const [packed, bytes] of chunk) {
        const key = unpack(packed);
        const entry = waiting.has(key) ? undefined : this.#read(key, bytes);
        if (entry !== undefined) yield [key, entry];
      }
      if (chunk.length < CHUNK) return;
      start = chunk[chunk.length - 1]?.[0];
      await nextTurn();
    }
  }

  #chunk({ entries }: Databases, start: Buffer | undefined): [Buffer, Buffer][] {
    const chunk: [Buffer, Buffer][] = [];
    const range = { limit: CHUNK, ...(start !== undefined && { start, exclusiveStart: true }) };
    for (const { key, value } of entries.getRange(range)) {
      chunk.push([Buffer.from(key), Buffer.from(value)]);
    }
    return chunk;
  }

  revoke(revocation: Revocation): Promise<void> {
    return this.#revocations.add(this.#turns, revocation);
  }

  onRevocation(listener: (revocation: Revocation) => void): void {
    this.#revocations.feed.subscribe(listener);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#timer);
    await this.#writing;
    await this.#turns.take(async () => {
      this.#isLeft();
      if (this.#turns.canClose && !this.#watch.isDamaged) await this.#db.root.close();
      this.#watch.close();
    });
  }

  /** What is to be done every so often. */
  #tend(): void {
    if (this.#isAway) return;
    try {
      this.#look();
      if (this.#isAway) return;
      this.#revocations.poll(this.#db);
      void this.#writeMissing();
      void this.#sweep();
      this.#giveBackMemory();
    } catch (error) {
      this.#complain(error, "the store of remembered decisions cannot be read");
    }
  }

  async #writeMissing(): Promise<void> {
    if (this.#isPaused() || this.#turns.isStuck || this.#isClosed) return;
    try {
      await this.#revocations.writeMissing(this.#turns);
    } catch (error) {
      this.#failed(error, "what is to be forgotten could not be written to the store");
    }
  }

  /** Deletes entries past their end, and those that end first where there are too many, step by step. */
  async #sweep(): Promise<void> {
    if (this.#isSweeping || this.#isPaused() || this.#turns.isStuck) return;
    this.#isSweeping = true;
    try {
      while (!this.#isClosed && (await this.#turns.transact((db, write) => this.#sweepStep(db, write)))) {
        await nextTurn();
      }
    } catch (error) {
      this.#failed(error, "old decisions could not be deleted");
    }
    this.#isSweeping = false;
  }

  /** True when there may be more. */
  #sweepStep({ entries, expiry }: Databases, write: Write): boolean {
    const excess = countOf({ entries }) - this.#maxEntries;
    this.#isOverfull = excess > this.#maxEntries * TOLERANCE + SWEEP_STEP;
    const limit = Math.min(SWEEP_STEP, Math.max(excess, 0));
    const range = limit > 0 ? { limit } : { limit: SWEEP_STEP, end: expiryKey(Date.now(), NOTHING) };
    let ended = 0;
    for (const found of expiry.getKeys(range)) {
      // A copy: LMDB may use the bytes again for the next look.
      const key = Buffer.from(found);
      const packed = key.subarray(8);
      const bytes = entries.getBinaryFast(packed);
      // Written anew meanwhile, it has another place in this order.
      if (bytes !== undefined && staleUntilOf(bytes) === key.readDoubleBE(0)) write(entries.remove(packed));
      write(expiry.remove(key));
      ended++;
    }
    return ended === SWEEP_STEP;
  }

  #giveBackMemory(): void {
    if (this.#isToBeOpened || mappedBytes() - this.#mappedAtOpen < MOST_MAPPED) return;
    this.#isToBeOpened = true;
    void this.#turns.take(() => this.#openAnew());
  }

  async #openAnew(): Promise<void> {
    this.#isToBeOpened = false;
    if (this.#isClosed || !this.#turns.canClose) return;
    if (this.#isLeft()) return this.#follow();
    this.#isAway = true;
    await this.#db.root.close();
    this.#mappedAtOpen = mappedBytes();
    while (this.#isAway && !this.#isClosed) {
      try {
        this.#db = openDatabases(this.#path);
        this.#isAway = false;
      } catch (error) {
        this.#complain(error, UNUSABLE);
        await delay(INTERVAL);
      }
    }
  }

  /** Before mapped pages are looked at. */
  #isWhole(): boolean {
    if (this.#watch.isWhole()) return true;
    this.#look();
    return false;
  }

  /** Where the file is not what it was: leaves its pages alone, and goes on elsewhere in a turn of its own. */
  #look(): void {
    if (!this.#isLeft()) return;
    void this.#turns.take(() => this.#follow()).catch((error) => this.#complain(error, UNUSABLE));
  }

  /** True where the file is not what it was. Its pages are not looked at any more; should anybody, they are there. */
  #isLeft(): boolean {
    this.#leftBecause ??= this.#watch.whatHappened();
    if (this.#leftBecause === null) return false;
    this.#isAway = true;
    this.#watch.mend();
    return true;
  }

  /** For a turn. */
  #soundDatabases(): Databases | Promise<Databases> {
    if (this.#leftBecause === null && (this.#watch.isWhole() || !this.#isLeft())) return this.#db;
    return this.#follow().then(() => this.#db);
  }

  /** In a turn: leaves the file for what stands at the path now. */
  async #follow(): Promise<void> {
    const what = this.#leftBecause;
    if (this.#isClosed || what === null) return;
    // One whose end LMDB would wait for is left open.
    if (this.#turns.canClose && !this.#watch.isDamaged) await this.#db.root.close();
    const aside = this.#watch.setAside();
    this.#watch.close();
    this.#log.error(
      { file: this.#path, ...(aside !== null && { moved_to: aside }) },
      `the store of remembered decisions is not the file any more that was opened: ${what}; stop the bridge before its file is restored or removed`,
    );
    while (this.#isAway && !this.#isClosed) {
      try {
        this.#db = openFile(this.#path, this.#log);
        this.#watch = new LmdbWatch(this.#path);
        this.#turns.begin();
        this.#revocations.beginAnew(this.#db);
        this.#mappedAtOpen = mappedBytes();
        this.#leftBecause = null;
        this.#isAway = false;
      } catch (error) {
        this.#complain(error, UNUSABLE);
        await delay(INTERVAL);
      }
    }
  }

  #complain(error: unknown, message: string): void {
    this.#complaints.warn({ store: this.kind, file: this.#path, reason: (error as Error).message }, message);
  }
}

/** Keys that are a SHA-256 in base64url are kept as its 32 bytes; 0xff, which UTF-8 has nowhere, tells them apart. */
const PACKED = 0xff;
const HASH_LENGTH = 43;

function pack(key: string): Buffer {
  if (key.length === HASH_LENGTH) {
    const packed = Buffer.allocUnsafe(33);
    packed[0] = PACKED;
    if (packed.write(key, 1, "base64url") === 32 && packed.toString("base64url", 1) === key) return packed;
  }
  return Buffer.from(key, "utf8");
}

function unpack(packed: Buffer): string {
  return packed[0] === PACKED ? packed.toString("base64url", 1) : packed.toString("utf8");
}

/** Positive doubles, big-endian, are in the order of their values. */
function expiryKey(staleUntil: number, packed: Buffer): Buffer {
  const key = Buffer.allocUnsafe(8 + packed.length);
  key.writeDoubleBE(staleUntil, 0);
  packed.copy(key, 8);
  return key;
}

function countOf({ entries }: Pick<Databases, "entries">): number {
  return (entries.getStats() as { entryCount: number }).entryCount;
}

/** Pages of files that the process has looked at, in bytes; 0 where the system does not say. */
function mappedBytes(): number {
  try {
    return Number(readFileSync("/proc/self/statm", "latin1").split(" ")[2]) * 4096;
  } catch {
    return 0;
  }
}
