/**
 * Whether a file can be given to LMDB, which maps it into memory and trusts every byte: one that was cut off, zeroed or
 * overwritten ends the process with a signal that nobody can catch.
 *
 * So its pages are read first, as bytes: the meta pages, then the trees that they lead to. Every tree's inner pages come
 * first and name all of its leaves, so that what is missing at the end of the file is found without reading them. Of a
 * large file as much is read as a few milliseconds allow; all of it when the machine has been started anew since it was
 * written. What a crash of the process leaves behind is sound: LMDB never writes to pages that are in use.
 *
 * Format: lmdb-js' mdb.c (MDB_page_header, MDB_meta, MDB_db, MDB_node), 64 bits, little-endian.
 */
import { closeSync, fstatSync, openSync, readFileSync, readSync, writeSync } from "node:fs";

const MAGIC = 0xbeefc0de;
const VERSION = 2;
const HEADER = 24;
const META_SIZE = HEADER + 144;
const DB_SIZE = 48;
const NODE_HEADER = 8;
/** Of files that this bridge makes. */
const PAGE_SIZE = 4096;
/** All bits set; a number too large to be exact still equals it. */
const NO_PAGE = 2 ** 64;

const BRANCH = 0x01;
const LEAF = 0x02;
const OVERFLOW = 0x04;

const BIG_DATA = 0x01;
const SUB_DB = 0x02;

/** What stands in a leaf for a value that has pages of its own: the first, a transaction, how many. */
const BIG_DATA_SIZE = 24;

/** Leaves read of a file that the running machine itself has written. */
const MOST_LEAVES = 1024;
/** And so long it may take then, in milliseconds: a start must not be slow for a large file. */
const MOST_TIME = 30;
/** More levels than any tree has (CURSOR_STACK). */
const MAX_DEPTH = 32;
const MISSING = "pages that are in use are missing";

interface Meta {
  readonly txn: bigint;
  readonly bootId: bigint;
  readonly pageSize: number;
  readonly freeList: Tree;
  readonly main: Tree;
}

/**
 * What is wrong with the file, in a few words; null when nothing was found, or when it is empty. A file that another
 * process writes to meanwhile is not judged: it is in use, and so sound.
 *
 * @throws an error of the file system when it cannot be read
 */
export function findDamage(path: string): string | null {
  const fd = openSync(path, "r");
  try {
    if (fstatSync(fd).size === 0) return null;
    const metas = readMetas(fd);
    if (typeof metas === "string") return metas;
    // Looked at afterwards: another process may make it longer, and then say so in the meta pages.
    const { size } = fstatSync(fd);
    const latest = metas.reduce((a, b) => (b.txn > a.txn ? b : a));
    const hasRestarted = latest.bootId !== bootId();
    const walk = new Walk(fd, size, latest.pageSize, hasRestarted ? Infinity : MOST_LEAVES);
    const damage = walk.check(hasRestarted ? metas : [latest]);
    if (damage === null) return null;
    const again = readMetas(fd);
    // Where somebody has committed, pages that were read may have been reused: that somebody vouches for the file.
    return typeof again === "string" || again.every(({ txn }) => txn <= latest.txn) ? damage : null;
  } finally {
    closeSync(fd);
  }
}

/** The number of the last transaction in an open file; null where it is no LMDB file any more. */
export function newestTransaction(fd: number): bigint | null {
  const metas = readMetas(fd);
  if (typeof metas === "string") return null;
  return metas.reduce((a, b) => (b.txn > a.txn ? b : a)).txn;
}

/**
 * Makes LMDB take a file that it has open, and that somebody has cut or written over, for one whose transaction `txn` has
 * ended: else it waits for that for ever when it closes the file or the process ends (mdb_env_sync). What is in the file is
 * lost anyway.
 */
export function pretendEnded(fd: number, txn: bigint): void {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(txn);
  for (const page of [0, PAGE_SIZE]) writeSync(fd, bytes, 0, 8, page + HEADER + 128);
}

function readMetas(fd: number): Meta[] | string {
  const first = Buffer.alloc(META_SIZE);
  if (readSync(fd, first, 0, META_SIZE, 0) < META_SIZE) return "it is cut off";
  if (first.readUInt32LE(HEADER) !== MAGIC) return "it is no LMDB file";
  if (first.readUInt32LE(HEADER + 4) !== VERSION) return "it is an LMDB file of another version";
  const pageSize = first.readUInt32LE(HEADER + 24);
  if (![4096, 8192, 16384, 32768].includes(pageSize)) return "its first page is damaged";
  if (fstatSync(fd).size < 2 * pageSize) return "it is cut off";
  const metas: Meta[] = [];
  // The second stands half a page on: the last state that is known to be on the disk.
  for (const offset of [0, pageSize / 2, pageSize]) {
    const bytes = Buffer.alloc(META_SIZE);
    if (readSync(fd, bytes, 0, META_SIZE, offset) < META_SIZE) return "it is cut off";
    const at = HEADER;
    const txn = bytes.readBigUInt64LE(at + 128);
    if (offset === pageSize && bytes.readUInt32LE(at) !== MAGIC) return "its second page is damaged";
    if (offset === pageSize / 2 && txn === 0n) continue;
    if (bytes.readUInt32LE(at + 24) !== pageSize) return "its first pages contradict each other";
    metas.push({
      txn,
      bootId: bytes.readBigInt64LE(at + 136),
      pageSize,
      freeList: readTree(bytes, at + 24),
      main: readTree(bytes, at + 24 + DB_SIZE),
    });
  }
  return metas;
}

/** The first part of this start's UUID, as LMDB writes it into the file. */
function bootId(): bigint {
  try {
    return BigInt(`0x${readFileSync("/proc/sys/kernel/random/boot_id", "latin1").split("-")[0]}`);
  } catch {
    return 0n;
  }
}

function readUint64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32;
}

/** A tree: its root page, and how many levels it has. */
interface Tree {
  readonly root: number;
  readonly depth: number;
}

interface Task {
  readonly page: number;
  /** Levels from here to the leaves; 1 for a leaf. */
  readonly levels: number;
  /** Of the free list: its values are lists of page numbers. */
  readonly isFreeList: boolean;
}

function readTree(bytes: Buffer, at: number): Tree {
  return { depth: bytes.readUInt16LE(at + 6), root: readUint64(bytes, at + 40) };
}

/** Reads all inner pages of the trees, and leaves up to a limit. */
class Walk {
  readonly #fd: number;
  readonly #pageSize: number;
  /** In the whole file. */
  readonly #pages: number;
  readonly #inner: Task[] = [];
  readonly #leaves: Task[] = [];
  readonly #mostLeaves: number;
  /** One page, and the same as words. */
  readonly #buffer: Buffer;
  readonly #words: Uint16Array;

  constructor(fd: number, size: number, pageSize: number, mostLeaves: number) {
    this.#fd = fd;
    this.#pageSize = pageSize;
    this.#pages = Math.floor(size / pageSize);
    this.#mostLeaves = mostLeaves;
    this.#words = new Uint16Array(pageSize >> 1);
    this.#buffer = Buffer.from(this.#words.buffer);
  }

  /** What is wrong, or null. */
  check(metas: readonly Meta[]): string | null {
    for (const { freeList, main } of metas) {
      if (!this.#addTree(freeList, true) || !this.#addTree(main, false)) return MISSING;
    }
    // Read more often than there are pages: they lead in a circle.
    let left = metas.length * this.#pages;
    let leaves = 0;
    const end = this.#mostLeaves === Infinity ? Infinity : performance.now() + MOST_TIME;
    for (;;) {
      if (left % 64 === 0 && performance.now() > end) return null;
      const task = this.#inner.pop() ?? this.#leaves[leaves++];
      if (task === undefined) return null;
      if (left-- === 0 || !this.#readPage(task)) return `page ${task.page} is damaged or leads nowhere`;
    }
  }

  #addTree({ root, depth }: Tree, isFreeList: boolean): boolean {
    if (root === NO_PAGE) return true;
    return depth >= 1 && depth <= MAX_DEPTH && this.#add(root, depth, isFreeList);
  }

  /** False where the page is beyond the end of the file. */
  #add(page: number, levels: number, isFreeList: boolean): boolean {
    if (levels > 1) this.#inner.push({ page, levels, isFreeList });
    else if (this.#leaves.length < this.#mostLeaves) this.#leaves.push({ page, levels, isFreeList });
    return page < this.#pages;
  }

  /** Checks one page and adds those it leads to; false when it is damaged. */
  #readPage(task: Task): boolean {
    const page = this.#buffer;
    const words = this.#words;
    const length = readSync(this.#fd, page, 0, this.#pageSize, task.page * this.#pageSize);
    if (length < this.#pageSize || readUint64(page, 0) !== task.page) return false;
    const kind = task.levels > 1 ? BRANCH : LEAF;
    if ((page.readUInt16LE(18) & (BRANCH | LEAF | OVERFLOW)) !== kind) return false;
    const lower = page.readUInt16LE(20);
    const upper = page.readUInt16LE(22);
    // Offsets count from the header's end (PAGEBASE).
    if (lower % 2 !== 0 || lower > upper || HEADER + upper > this.#pageSize) return false;
    for (let at = HEADER; at < HEADER + lower; at += 2) {
      // What follows is done for each entry of the tree's inner pages: by words of 16 bits, which is fastest.
      const node = HEADER + (words[at >> 1] as number);
      if (node < HEADER + upper || node + NODE_HEADER > this.#pageSize || node % 2 !== 0) return false;
      const word = node >> 1;
      const data = node + NODE_HEADER + (words[word + 3] as number);
      if (data > this.#pageSize) return false;
      if (kind === LEAF) {
        if (!this.#readLeaf(node, data, task)) return false;
        continue;
      }
      const low = (words[word] as number) + (words[word + 1] as number) * 2 ** 16;
      if (!this.#add(low + (words[word + 2] as number) * 2 ** 32, task.levels - 1, task.isFreeList))
        return false;
    }
    return true;
  }

  #readLeaf(node: number, data: number, task: Task): boolean {
    const page = this.#buffer;
    const size = page.readUInt32LE(node);
    const flags = page.readUInt16LE(node + 4);
    if (flags === BIG_DATA) {
      if (data + BIG_DATA_SIZE > this.#pageSize) return false;
      const count = readUint64(page, data + 16);
      return HEADER + size <= count * this.#pageSize && readUint64(page, data) + count <= this.#pages;
    }
    if (data + size > this.#pageSize) return false;
    if (flags === SUB_DB) return size === DB_SIZE && this.#addTree(readTree(page, data), false);
    if (flags !== 0) return false;
    return !task.isFreeList || (size >= 8 && readUint64(page, data) * 8 + 8 <= size);
  }
}
