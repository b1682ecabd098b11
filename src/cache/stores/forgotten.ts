/**
 * What was to be forgotten, kept on this host's own disk: whatever becomes of the store, of an old copy of it or of an old
 * export, what this host has heard of once it knows after its next start.
 *
 * One file for each revocation, named after what it says, so that processes that share the folder need not agree on
 * anything. A file is there as a whole or not at all. Where a secret is given it is signed; one that is not, or that is
 * damaged, is passed over with a warning.
 */
import { createHash } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readdirSync, readSync, unlinkSync } from "node:fs";
import { access, unlink } from "node:fs/promises";
import { join } from "node:path";
import { makeOwnFolder, refuseOpenFolder } from "../../files/own-folder.ts";
import { replaceFile } from "../../files/replace-file.ts";
import type { Log } from "../../observe/log.ts";
import type { Revocation } from "../store.ts";
import { decodeRevocation, encodeRevocation, MAX_REVOCATION } from "./revocation-codec.ts";

interface ForgottenOptions {
  readonly secret?: string;
  /** For how long an entry can live, in milliseconds. */
  readonly keep: number;
  readonly log: Log;
}

/** SHA-256 in base64url. */
const NAME = /^[\w-]{43}$/;

export class Forgotten {
  readonly folder: string;
  readonly #secret: string | undefined;
  readonly #keep: number;
  readonly #log: Log;
  /** What was heard is written one by one: after a first look into a store it may be thousands. */
  #writing: Promise<unknown> = Promise.resolve();

  constructor(folder: string, { secret, keep, log }: ForgottenOptions) {
    this.folder = folder;
    this.#secret = secret;
    this.#keep = keep;
    this.#log = log;
  }

  /** All that was kept and is not over. Never throws. */
  load(): Revocation[] {
    const revocations: Revocation[] = [];
    const oldest = Date.now() - this.#keep;
    let unreadable = 0;
    for (const name of this.#names()) {
      const path = join(this.folder, name);
      const revocation = decodeRevocation(readSmall(path), this.#secret);
      if ("problem" in revocation) unreadable++;
      else if (revocation.at >= oldest) revocations.push(revocation);
      else removeQuietly(path);
    }
    if (unreadable > 0) {
      this.#log.warn(
        { folder: this.folder, files: unreadable },
        "some of what was to be forgotten cannot be read or is not signed with cache.secret: it is passed over",
      );
    }
    return revocations;
  }

  #names(): string[] {
    try {
      refuseOpenFolder(this.folder);
      return readdirSync(this.folder).filter((name) => NAME.test(name));
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== "ENOENT") {
        this.#log.error(
          { folder: this.folder, reason: message },
          "what was to be forgotten before the restart cannot be read: see to the folder",
        );
      }
      return [];
    }
  }

  /**
   * Keeps one; it is on the disk when this resolves.
   *
   * @throws Error that names the folder
   */
  async add(revocation: Revocation): Promise<void> {
    const text = encodeRevocation(revocation, this.#secret);
    const path = this.#pathOf(text);
    try {
      makeOwnFolder(this.folder);
      if (!(await exists(path))) await replaceFile(path, (file) => file.writeFile(text));
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      throw new Error(`${this.folder} cannot be written (${code ?? message})`);
    }
  }

  /** The same, after what was heard before; a failure is for whoever waits. */
  addInTurn(revocation: Revocation): Promise<void> {
    const added = this.#writing.then(() => this.add(revocation));
    this.#writing = added.catch(() => {});
    return added;
  }

  /** Another one covers as much. */
  async remove(revocation: Revocation): Promise<void> {
    await unlink(this.#pathOf(encodeRevocation(revocation, this.#secret))).catch(() => {});
  }

  #pathOf(text: string): string {
    return join(this.folder, createHash("sha256").update(text).digest("base64url"));
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Empty where there is no such file. */
function readSmall(path: string): string {
  try {
    const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const { size } = fstatSync(file);
      if (size > MAX_REVOCATION) return "";
      const bytes = Buffer.alloc(size);
      return bytes.toString("utf8", 0, readSync(file, bytes, 0, size, 0));
    } finally {
      closeSync(file);
    }
  } catch {
    return "";
  }
}

function removeQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Another process has done it.
  }
}
