/**
 * Authority, certificate and key of a service's TLS connections, read from files and read again when they change.
 *
 * The first reading throws with what is wrong; a later one that goes wrong is reported once, and what was read before
 * stays in use. Files that belong together are rarely replaced in one moment, so a set that does not fit is given
 * until the next look to become whole.
 */
import { readFileSync, statSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { createSecureContext, type SecureContext } from "node:tls";
import { runsAsRoot } from "../../files/hands.ts";
import { signatureOf } from "../../files/signature.ts";
import { fileProblem } from "../../source/trusted.ts";
import { messageOf, ownTrouble } from "./errors.ts";

export interface TlsOptions {
  /** Files, PEM. Without `ca`, the authorities that Node trusts. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** The name to ask for and to find in the certificate, if it isn't the URL's. */
  readonly serverName?: string;
  /** Milliseconds between two looks at the files. Default: 3 seconds. */
  readonly checkEvery?: number;
}

const CHECK_EVERY = 3_000;
const FILES = ["ca", "cert", "key"] as const;

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
    this.#files = FILES.flatMap((name) => options[name] ?? []);
    this.#onReload = onReload;
    this.#seen = this.#files.map((file) => signatureOf(statSync(file, { throwIfNoEntry: false }))).join();
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

  #lookLater(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#look().finally(() => this.#lookLater());
    }, this.#options.checkEvery ?? CHECK_EVERY).unref();
  }

  async #look(): Promise<void> {
    const stats = await Promise.all(this.#files.map((file) => stat(file).catch(() => undefined)));
    const seen = stats.map(signatureOf).join();
    if (seen === this.#seen || this.#closed) return;
    const files = this.#files.join(", ");
    try {
      // Root has looked in whose hands they are, and they may be in others' by now.
      for (const file of this.#files) refuse(runsAsRoot() ? fileProblem(file) : undefined);
      const contents = FILES.map((name) => this.#options[name]).map((file) => file && readFile(file));
      this.#context = contextOf((await Promise.all(contents)).map((content) => content || undefined));
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
  return contextOf(FILES.map((name) => contentOf(name, options[name])));
}

function contentOf(name: string, file: string | undefined): Buffer | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file);
  } catch (error) {
    throw new Error(`tls.${name} cannot be read: ${messageOf(error)}`);
  }
}

function refuse(problem: string | undefined): void {
  if (problem !== undefined) throw new Error(problem);
}

function contextOf([ca, cert, key]: readonly (Buffer | undefined)[]): SecureContext {
  // OpenSSL takes a file without a certificate as an empty list, with which no service could be verified.
  if (ca !== undefined && !ca.includes("-----BEGIN")) throw new Error("tls.ca holds no certificate in PEM");
  return createSecureContext({
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  });
}
