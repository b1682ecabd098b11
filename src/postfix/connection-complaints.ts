/** Log lines about connections that were not taken: one now and then, however many they are. */
import type { ConnectionLog } from "./connection.ts";

/** Milliseconds between two. */
const INTERVAL = 10_000;

export class ConnectionComplaints {
  readonly #log: ConnectionLog;
  #last = Number.NEGATIVE_INFINITY;

  constructor(log: ConnectionLog) {
    this.#log = log;
  }

  /** @param what why it was not: too many are open, or the system refused */
  notTaken(fields: object, what: string): void {
    this.say(
      fields,
      `a connection was not taken: ${what}; raise the limit (LimitNOFILE= of systemd, ulimit -n)`,
    );
  }

  say(fields: object, message: string): void {
    const now = performance.now();
    if (now - this.#last < INTERVAL) return;
    this.#last = now;
    this.#log.error(fields, message);
  }
}
