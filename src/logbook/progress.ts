/** A line on a terminal that says how far a long log has been read, at what rate, and how long it will take. */
import type { BytesRead } from "./log-files.ts";

/** Milliseconds between two. */
const INTERVAL = 200;
const WIDTH = 20;

export interface ProgressOutput {
  readonly isTTY?: boolean | undefined;
  write(text: string): unknown;
}

export class Progress {
  readonly #bytes: BytesRead;
  readonly #output: ProgressOutput;
  readonly #startedAt = performance.now();
  #shownAt = Number.NEGATIVE_INFINITY;

  /** @param output nothing is written where it is no terminal */
  constructor(bytes: BytesRead, output: ProgressOutput = process.stderr) {
    this.#bytes = bytes;
    this.#output = output;
  }

  /** To be called as often as one likes; writes now and then. */
  show(decisions: number): void {
    const now = performance.now();
    if (this.#output.isTTY !== true || now - this.#shownAt < INTERVAL) return;
    this.#shownAt = now;
    this.#output.write(`\r\x1b[K${progressLine(this.#bytes, decisions, now - this.#startedAt)}`);
  }

  /** Takes the line away again. */
  end(): void {
    if (this.#shownAt > 0) this.#output.write("\r\x1b[K");
  }
}

/**
 * @param ms milliseconds since the beginning
 * @example progressLine({ read: 5e8, total: 1e9 }, 1e6, 4000) === "[##########          ] 50 %, 1000000 decisions, 125 MB/s, 4 s left"
 */
export function progressLine({ read, total }: BytesRead, decisions: number, ms: number): string {
  const rate = ms > 0 ? read / ms : 0;
  const speed = `${decisions} decisions, ${Math.round((rate * 1000) / 1e6)} MB/s`;
  // A file that is written to meanwhile grows.
  if (total === undefined || total === 0 || read > total) return `${Math.round(read / 1e6)} MB, ${speed}`;
  const part = read / total;
  const bar = "#".repeat(Math.floor(part * WIDTH)).padEnd(WIDTH);
  const left = rate > 0 ? `, ${duration((total - read) / rate)} left` : "";
  return `[${bar}] ${Math.floor(part * 100)} %, ${speed}${left}`;
}

function duration(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  return seconds < 120 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`;
}
