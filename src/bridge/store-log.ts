/**
 * The log of the stores of remembered decisions, which keeps their last complaint for the status: they cost no decision
 * anything, so nobody would notice otherwise.
 */
import type { Log } from "../observe/log.ts";

export interface StoreComplaint {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly message: string;
}

export class StoreLog implements Log {
  last: StoreComplaint | null = null;
  /** Complaints since the start. */
  complaints = 0;
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  debug(fields: object, message: string): void {
    this.#log.debug(fields, message);
  }

  info(fields: object, message: string): void {
    this.#log.info(fields, message);
  }

  warn(fields: object, message: string): void {
    this.#note(message);
    this.#log.warn(fields, message);
  }

  error(fields: object, message: string): void {
    this.#note(message);
    this.#log.error(fields, message);
  }

  #note(message: string): void {
    this.last = { at: Date.now(), message };
    this.complaints++;
  }
}
