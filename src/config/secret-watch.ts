/**
 * Looks after the secrets that are kept in files: every few seconds, and when somebody says that what they show was
 * refused. Where a file cannot be used, it says so once, and what was read before stays in use.
 */
import type { Log } from "../observe/log.ts";
import type { Secret } from "./secret.ts";
import { SecretFile } from "./secret-file.ts";

/** Between two looks, in milliseconds. */
const INTERVAL = 3_000;

export class SecretWatch {
  readonly #files: readonly SecretFile[];
  readonly #log: Log;
  readonly #fields: object;
  readonly #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | null = null;
  #changes = 0;

  /**
   * @param secrets any; those that are kept in files are looked after
   * @param fields in each line of the log
   */
  constructor(secrets: readonly Secret[], log: Log, fields: object) {
    this.#files = secrets.filter((secret) => secret instanceof SecretFile);
    this.#log = log;
    this.#fields = fields;
    if (this.#files.length === 0) return;
    this.#timer = setInterval(() => void this.look(), INTERVAL);
    this.#timer.unref();
  }

  /** Whether there is anything that could change. */
  get isIdle(): boolean {
    return this.#files.length === 0;
  }

  /** Grows with each change. */
  get changes(): number {
    return this.#changes;
  }

  /** Resolves when all files have been looked at; who asks meanwhile waits for the same look. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    for (const file of this.#files) {
      const outcome = await file.look();
      if (outcome === false) continue;
      if (outcome === true) {
        this.#changes++;
        this.#log.info({ ...this.#fields, file: file.path }, "the changed file of a secret is in use");
      } else {
        const detail = `${outcome.problem}; what was read before stays in use`;
        this.#log.error({ ...this.#fields, detail }, "the changed file of a secret cannot be used");
      }
    }
  }
}
