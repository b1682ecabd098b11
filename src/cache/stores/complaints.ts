/** Warnings that could come with every request, said once in a while: the first at once, the rest counted. */
import type { Log } from "../../observe/log.ts";

/** Between two lines of the same message, in milliseconds. */
const INTERVAL = 60_000;

export class Complaints {
  readonly #log: Log;
  readonly #last = new Map<string, { at: number; unsaid: number }>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** `message` is one of a few fixed sentences; what differs from one time to the next goes into `fields`. */
  warn(fields: object, message: string): void {
    const now = performance.now();
    const last = this.#last.get(message);
    if (last !== undefined && now - last.at < INTERVAL) {
      last.unsaid++;
      return;
    }
    const repeated = last?.unsaid ?? 0;
    this.#last.set(message, { at: now, unsaid: 0 });
    this.#log.warn(repeated > 0 ? { ...fields, repeated } : fields, message);
  }
}
