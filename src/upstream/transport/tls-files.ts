/**
 * Authority, certificate and key of a service's TLS connections, read from files and read again when they change.
 *
 * The first reading throws with what is wrong; a later one that goes wrong is reported once, and what was read before
 * stays in use. Files that belong together are rarely replaced in one moment, so a set that does not fit is given
 * until the next look to become whole. A passphrase that has changed is a change of the files that it opens.
 */
import { readFileSync, statSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import type { SecureContext } from "node:tls";
import { runsAsRoot } from "../../files/hands.ts";
import { readingProblem } from "../../files/rights.ts";
import { signatureOf } from "../../files/signature.ts";
import { fileProblem } from "../../source/trusted.ts";
import { messageOf, ownTrouble } from "./errors.ts";
import { secureContextOf, TLS_FILES, type TlsContents, type TlsOptions } from "./tls-options.ts";

const CHECK_EVERY = 3_000;

export class TlsFiles {
  readonly #options: TlsOptions;
  readonly #files: readonly string[];
  readonly #onReload: (ok: boolean, detail: string) => void;
  #context: SecureContext;
  /** The signature of the files in use. */
  #seen: string;
  /** Of files that could not be used, and whether that was reported. */
  #broken = { seen: "", reported: false };
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /**
   * @param onReload called after a change: whether the new files are in use, and what to say of it
   * @throws Error that names the file and what is wrong with it
   */
  constructor(options: TlsOptions, onReload: (ok: boolean, detail: string) => void) {
    this.#options = options;
    this.#files = TLS_FILES.flatMap((name) => options[name] ?? []);
    this.#onReload = onReload;
    this.#seen = this.#signature(
      this.#files.map((file) => signatureOf(statSync(file, { throwIfNoEntry: false }))),
    );
    this.#context = readTlsFiles(options);
    if (this.#files.length > 0) this.#lookLater();
  }

  get context(): SecureContext {
    return this.#context;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #signature(files: readonly string[]): string {
    return [...files, this.#options.passphrase?.reveal() ?? ""].join();
  }

  #lookLater(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#look().finally(() => this.#lookLater());
    }, this.#options.checkEvery ?? CHECK_EVERY).unref();
  }

  async #look(): Promise<void> {
    const stats = await Promise.all(this.#files.map((file) => stat(file).catch(() => undefined)));
    const seen = this.#signature(stats.map(signatureOf));
    if (seen === this.#seen || this.#closed) return;
    const files = this.#files.join(", ");
    try {
      // Root has looked in whose hands they are, and they may be in others' by now.
      for (const file of this.#files) refuse(runsAsRoot() ? fileProblem(file) : undefined);
      const contents: TlsContents = {};
      for (const name of TLS_FILES) {
        const file = this.#options[name];
        if (file !== undefined) contents[name] = await readFile(file);
      }
      this.#context = secureContextOf(this.#options, contents);
      this.#seen = seen;
      this.#broken = { seen: "", reported: false };
      this.#onReload(true, `the changed files of tls are in use: ${files}`);
    } catch (error) {
      if (this.#broken.seen !== seen) {
        this.#broken = { seen, reported: false };
      } else if (!this.#broken.reported) {
        this.#broken.reported = true;
        const why = ownTrouble(error) ?? messageOf(error);
        const detail = `the changed files of tls cannot be used (${why}): ${files}`;
        this.#onReload(false, `${detail}; what was read before stays in use`);
      }
    }
  }
}

/**
 * Reads the files and makes of them what connections are secured with.
 *
 * @throws Error that says which file cannot be used, or that a key and its certificate do not fit
 */
export function readTlsFiles(options: TlsOptions): SecureContext {
  const contents: TlsContents = {};
  for (const name of TLS_FILES) {
    const file = options[name];
    if (file !== undefined) contents[name] = contentOf(name, file);
  }
  return secureContextOf(options, contents);
}

function contentOf(name: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new Error(`tls.${name} cannot be read: ${readingProblem(file) ?? messageOf(error)}`);
  }
}

function refuse(problem: string | undefined): void {
  if (problem !== undefined) throw new Error(problem);
}
