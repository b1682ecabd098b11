/** Latencies of one measurement, exact: as many as there are, sorted when asked. */

export class Samples {
  #values = new Float64Array(1 << 16);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(milliseconds: number): void {
    if (this.#count === this.#values.length) {
      const larger = new Float64Array(2 * this.#count);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#count++] = milliseconds;
  }

  clear(): void {
    this.#count = 0;
  }

  /** Milliseconds within which half, 99 % and all were answered; 0 without samples. */
  summary(): { readonly p50: number; readonly p99: number; readonly longest: number } {
    const sorted = this.#values.subarray(0, this.#count).sort();
    const at = (part: number) => sorted[Math.min(this.#count - 1, Math.floor(part * this.#count))] ?? 0;
    return { p50: at(0.5), p99: at(0.99), longest: at(1) };
  }
}

/** The value in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
