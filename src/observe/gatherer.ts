/**
 * Gathers lines, so that many go out with one write: a log line for each decision is otherwise a write for each decision.
 *
 * No line waits longer than a moment, and none is torn apart.
 */

/** A line waits this long at most, in milliseconds. */
const LONGEST_WAIT = 100;

export class Gatherer {
  readonly #most: number;
  readonly #sizeOf: (line: string) => number;
  readonly #write: (lines: string) => void;
  #lines = "";
  #size = 0;
  #timer: NodeJS.Timeout | null = null;

  /**
   * @param most that goes out together, by `sizeOf`; 0: each line at once
   * @param sizeOf in bytes where a write must not be larger, else whatever is quick
   * @param write takes whole lines
   */
  constructor(most: number, sizeOf: (line: string) => number, write: (lines: string) => void) {
    this.#most = most;
    this.#sizeOf = sizeOf;
    this.#write = write;
  }

  add(line: string): void {
    const size = this.#sizeOf(line);
    if (this.#size + size > this.#most) this.flush();
    this.#lines += line;
    this.#size += size;
    if (this.#size >= this.#most) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), LONGEST_WAIT).unref();
  }

  /** Writes what waits. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#lines === "") return;
    const lines = this.#lines;
    this.#lines = "";
    this.#size = 0;
    this.#write(lines);
  }
}
