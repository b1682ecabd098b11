/**
 * Gathers lines, so that many go out with one write: a log line for each decision is otherwise a write for each decision.
 *
 * No line waits longer than a moment, and none is torn apart.
 */

/** A line waits this long at most, in milliseconds. */
const LONGEST_WAIT = 100;

export class Gatherer {
  readonly #most: number;
  readonly #write: (lines: Buffer) => void;
  /** Lines as they go out; nobody keeps the text that they were put together from. */
  #lines: Buffer | null = null;
  #size = 0;
  #timer: NodeJS.Timeout | null = null;

  /**
   * @param most bytes that go out together; 0: each line at once
   * @param write takes whole lines, to keep
   */
  constructor(most: number, write: (lines: Buffer) => void) {
    this.#most = most;
    this.#write = write;
  }

  add(line: string): void {
    const size = Buffer.byteLength(line);
    if (this.#size + size > this.#most) this.flush();
    if (size > this.#most) {
      this.#write(Buffer.from(line));
      return;
    }
    this.#lines ??= Buffer.allocUnsafeSlow(this.#most);
    this.#size += this.#lines.write(line, this.#size);
    this.#timer ??= setTimeout(() => this.flush(), LONGEST_WAIT).unref();
  }

  /** Writes what waits. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#lines === null || this.#size === 0) return;
    const lines = this.#lines.subarray(0, this.#size);
    const isFew = this.#size < this.#most / 2;
    // Few lines may wait for long: they are not to hold room for many.
    if (!isFew) this.#lines = null;
    this.#size = 0;
    this.#write(isFew ? copyOf(lines) : lines);
  }
}

function copyOf(lines: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(lines.length);
  lines.copy(copy);
  return copy;
}
