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

const A_DAY = 24 * 3600_000;

export class StoreLog implements Log {
  /** By store, until it says that it is over. */
  readonly #last = new Map<unknown, StoreComplaint>();
  /** Complaints since the start. */
  complaints = 0;
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  /** The last complaint that is not over; what happened once is forgotten after a day. */
  get last(): StoreComplaint | null {
    const latest = [...this.#last.values()].toSorted((a, b) => b.at - a.at)[0];
    return latest !== undefined && Date.now() - latest.at < A_DAY ? latest : null;
  }

  debug(fields: object, message: string): void {
    this.#log.debug(fields, message);
  }

  /** A store has something to say that is no complaint: it works again. */
  info(fields: object, message: string): void {
    this.#last.delete(storeIn(fields));
    this.#log.info(fields, message);
  }

  warn(fields: object, message: string): void {
    this.#note(fields, message);
    this.#log.warn(fields, message);
  }

  error(fields: object, message: string): void {
    this.#note(fields, message);
    this.#log.error(fields, message);
  }

  #note(fields: object, message: string): void {
    this.#last.set(storeIn(fields), { at: Date.now(), message });
    this.complaints++;
  }
}

function storeIn(fields: object): unknown {
  return "store" in fields ? fields.store : undefined;
}
