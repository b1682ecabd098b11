/**
 * Authority, certificate and key of a service's TLS connections, read from files and read again when they change.
 *
 * The first reading throws with what is wrong; a later one that goes wrong is reported once, and what was read before
 * stays in use. Files that belong together are rarely replaced in one moment, so a set that does not fit is given
 * until the next look to become whole.
 */
import { readFileSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { createSecureContext, type SecureContext } from "node:tls";
import { messageOf } from "./errors.ts";

export interface TlsOptions {
  /** Files, PEM. Without `ca`, the authorities that Node trusts. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** The name to ask for and to find in the certificate, if it isn't the URL's. */
  readonly serverName?: string;
}

const LOOK_EVERY = 3_000;
const FILES = ["ca", "cert", "key"] as const;

export class TlsFiles {
  readonly #options: TlsOptions;
  readonly #onReload: (ok: boolean, detail: string) => void;
  #context: SecureContext;
  /** Of the files in use. */
  #seen = "";
  /** Of files that could not be used, and whether that was reported. */
  #broken = { seen: "", reported: false };
  readonly #timer: NodeJS.Timeout | undefined;

  /**
   * @param onReload called after a change: whether the new files are in use, and what to say of it
   * @throws Error that names the file and what is wrong with it
   */
  constructor(options: TlsOptions, onReload: (ok: boolean, detail: string) => void, lookEvery = LOOK_EVERY) {
    this.#options = options;
    this.#onReload = onReload;
    this.#context = contextOf(FILES.map((name) => contentOf(name, options[name])));
    if (FILES.every((name) => options[name] === undefined)) return;
    void this.#signature().then((seen) => {
      this.#seen = seen;
    });
    this.#timer = setInterval(() => void this.#look(), lookEvery).unref();
  }

  get context(): SecureContext {
    return this.#context;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    const seen = await this.#signature();
    if (seen === this.#seen) return;
    try {
      const contents = FILES.map((name) => this.#options[name]);
      this.#context = contextOf(
        await Promise.all(contents.map((file) => (file === undefined ? undefined : readFile(file)))),
      );
      this.#seen = seen;
      this.#broken = { seen: "", reported: false };
      this.#onReload(true, `the changed files of tls are in use: ${this.#names()}`);
    } catch (error) {
      if (this.#broken.seen !== seen) {
        this.#broken = { seen, reported: false };
      } else if (!this.#broken.reported) {
        this.#broken.reported = true;
        const kept = "the certificates that were read before stay in use";
        this.#onReload(
          false,
          `the changed files of tls cannot be used (${messageOf(error)}): ${this.#names()}; ${kept}`,
        );
      }
    }
  }

  #names(): string {
    return FILES.flatMap((name) => this.#options[name] ?? []).join(", ");
  }

  /** What changes with every change of a file, whether written over or put in its place. */
  async #signature(): Promise<string> {
    const files = FILES.flatMap((name) => this.#options[name] ?? []);
    const signatures = await Promise.all(
      files.map((file) =>
        stat(file).then(
          (s) => `${s.dev}:${s.ino}:${s.size}:${s.mtimeMs}`,
          () => "missing",
        ),
      ),
    );
    return signatures.join();
  }
}

function contentOf(name: string, file: string | undefined): Buffer | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file);
  } catch (error) {
    throw new Error(`tls.${name} cannot be read: ${messageOf(error)}`);
  }
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
