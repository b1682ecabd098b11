/**
 * Reads files that decide what the bridge does, and, as root, refuses those that others could have written:
 * who can write root's configuration is root.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { changeableByOthers, runsAsRoot } from "../files/hands.ts";
import { readingProblem } from "../files/rights.ts";
import { givenContent, keepContent } from "./contents.ts";
import { noteFile } from "./files-read.ts";

/**
 * The content of a file in UTF-8, or what is wrong with it: not there, not readable, too large, in
 * others' hands.
 *
 * @param maxSize in bytes
 * @param root whether the file must be safe from others' writing
 * @param owner the user besides root whose it may be
 */
export function readTrusted(
  path: string,
  maxSize: number,
  root: boolean = runsAsRoot(),
  owner?: number,
): { readonly text: string } | { readonly problem: string } {
  noteFile(path);
  const given = givenContent(path);
  if (given !== undefined) return { text: given };
  const read = readBytes(path, maxSize, root, owner);
  if ("problem" in read) return read;
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(read.bytes);
    keepContent(path, text);
    return { text };
  } catch {
    return { problem: `${path} is not in UTF-8` };
  }
}

/** The same for bytes of any kind. */
export function readBytes(
  path: string,
  maxSize: number,
  root: boolean,
  owner?: number,
): { readonly bytes: Buffer } | { readonly problem: string } {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    return { problem: whyUnreadable(path, error) };
  }
  try {
    const status = fstatSync(file);
    if (!status.isFile()) return { problem: `${path} is no file` };
    const problem = root ? changeableByOthers(path, owner, status) : undefined;
    if (problem !== undefined) return { problem };
    const buffer = Buffer.alloc(maxSize + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length <= maxSize; length += read) {
      read = readSync(file, buffer, length, buffer.length - length, null);
    }
    if (length > maxSize) return { problem: `${path} is larger than ${maxSize} bytes` };
    return { bytes: buffer.subarray(0, length) };
  } catch (error) {
    return { problem: whyUnreadable(path, error) };
  } finally {
    closeSync(file);
  }
}

/**
 * What is wrong with a file that something else will read: not there, no file, or, for root, in others' hands.
 */
export function fileProblem(path: string, root: boolean = runsAsRoot(), owner?: number): string | undefined {
  noteFile(path);
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    return whyUnreadable(path, error);
  }
  try {
    const status = fstatSync(file);
    if (!status.isFile()) return `${path} is no file`;
    return root ? changeableByOthers(path, owner, status) : undefined;
  } finally {
    closeSync(file);
  }
}

function whyUnreadable(path: string, error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT" || code === "ENOTDIR") return `${path} does not exist`;
  if (code === "EACCES" || code === "EPERM") {
    return readingProblem(path) ?? `${path} cannot be read by this user`;
  }
  return `${path} cannot be read (${String(code ?? error)})`;
}
