/**
 * Log files read back, line by line: plain, compressed (told by their first bytes, not by their names), or standard input.
 * Whatever their size, no more of them is in memory than a few lines.
 */
import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { pipeline, type Readable } from "node:stream";
import * as zlib from "node:zlib";
import { excerpt } from "../text/excerpt.ts";

/** Bytes of a line; the bridge writes none that is longer. */
const LONGEST_LINE = 1024 * 1024;

/** Standard input, among the names of files. */
const STANDARD_INPUT = "-";

const GZIP = [0x1f, 0x8b];
const ZSTD = [0x28, 0xb5, 0x2f, 0xfd];

/** What was read so far, in bytes of the files as they lie on the disk. */
export interface BytesRead {
  read: number;
  /** Undefined where one is standard input or another thing without an end. */
  readonly total: number | undefined;
}

export interface LogLines {
  /** Without their ends; one that is too long is left out and counted. */
  readonly lines: AsyncIterable<readonly string[]>;
  readonly bytes: BytesRead;
  /** Lines that were longer than any that the bridge writes. */
  readonly tooLong: { count: number };
}

/**
 * Opens log files, to be read one after the other in the order in which they are named.
 *
 * @throws Error that names the file that is not there, is no file, or that this Node cannot decompress
 */
export async function openLogs(files: readonly string[]): Promise<LogLines> {
  let total: number | undefined = 0;
  for (const file of files) {
    const size = file === STANDARD_INPUT ? undefined : await sizeOf(file);
    total = size === undefined || total === undefined ? undefined : total + size;
    if (file !== STANDARD_INPUT) await decompressorOf(file);
  }
  const bytes: BytesRead = { read: 0, total };
  const tooLong = { count: 0 };
  return { lines: readAll(files, bytes, tooLong), bytes, tooLong };
}

/** Undefined: it is a pipe or the like. */
async function sizeOf(file: string): Promise<number | undefined> {
  try {
    const found = await stat(file);
    if (found.isDirectory())
      throw Object.assign(new Error(), { code: "it is a folder: name the files in it" });
    return found.isFile() ? found.size : undefined;
  } catch (error) {
    throw unreadable(file, error);
  }
}

async function* readAll(
  files: readonly string[],
  bytes: BytesRead,
  tooLong: { count: number },
): AsyncIterable<readonly string[]> {
  for (const file of files) {
    try {
      yield* splitLines(await streamOf(file, bytes), tooLong);
    } catch (error) {
      throw unreadable(file, error);
    }
  }
}

async function streamOf(file: string, bytes: BytesRead): Promise<Readable> {
  const raw = file === STANDARD_INPUT ? process.stdin : createReadStream(file);
  raw.on("data", (chunk: Buffer) => {
    bytes.read += chunk.length;
  });
  raw.pause();
  const decompressor = file === STANDARD_INPUT ? null : await decompressorOf(file);
  // Errors of both come out of the one that is read.
  return decompressor === null ? raw : pipeline(raw, decompressor, () => {});
}

/** @throws Error when this Node has none for it */
async function decompressorOf(file: string): Promise<(Readable & NodeJS.ReadWriteStream) | null> {
  const start = await firstBytes(file);
  if (beginsWith(start, GZIP)) return zlib.createGunzip();
  if (!beginsWith(start, ZSTD)) return null;
  // Since Node 22.15; its types are those of Node 20.
  const { createZstdDecompress } = zlib as { createZstdDecompress?: () => zlib.Gunzip };
  if (createZstdDecompress === undefined) {
    const advice = `Node ${process.versions.node} cannot read zstd (22.15 and later can); use: zstd -dc ${file} | pfxbridge … -`;
    throw unreadable(file, new Error(advice));
  }
  return createZstdDecompress();
}

async function firstBytes(file: string): Promise<Buffer> {
  // Of a pipe nothing can be looked at beforehand.
  if (!(await stat(file)).isFile()) return Buffer.alloc(0);
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    handle = await open(file);
  } catch (error) {
    throw unreadable(file, error);
  }
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(4), 0, 4, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

function beginsWith(bytes: Buffer, start: readonly number[]): boolean {
  return bytes.length >= start.length && start.every((byte, at) => bytes[at] === byte);
}

/** The lines of one piece at a time: to hand on each by itself would cost more than reading it. */
async function* splitLines(
  stream: AsyncIterable<Buffer>,
  tooLong: { count: number },
): AsyncIterable<readonly string[]> {
  let rest: Buffer[] = [];
  let restLength = 0;
  const overlong = () => restLength > LONGEST_LINE;
  for await (const chunk of stream) {
    const end = chunk.lastIndexOf(0x0a);
    if (end === -1) {
      restLength += chunk.length;
      if (overlong()) rest = [];
      else rest.push(chunk);
      continue;
    }
    const whole = overlong() ? chunk.subarray(chunk.indexOf(0x0a) + 1, end) : chunk.subarray(0, end);
    if (overlong()) tooLong.count++;
    const text = (rest.length === 0 || overlong() ? whole : Buffer.concat([...rest, whole])).toString("utf8");
    rest = [chunk.subarray(end + 1)];
    restLength = rest[0]!.length;
    yield text.split("\n");
  }
  if (overlong()) tooLong.count++;
  else if (restLength > 0) yield [Buffer.concat(rest).toString("utf8")];
}

function unreadable(file: string, error: unknown): Error {
  if (error instanceof UnreadableLog) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  return new UnreadableLog(`${excerpt(file)} cannot be read: ${REASONS[code ?? ""] ?? code ?? message}`);
}

class UnreadableLog extends Error {}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "this user may not read it",
  Z_DATA_ERROR: "its compressed data is damaged",
  Z_BUF_ERROR: "its compressed data ends in the middle",
};
