/**
 * What opossum counts by, made cheap: the calls that were completed and those that failed, over a sliding window.
 *
 * opossum's own Status counts a call when it begins, so that calls that hang make the failure rate look
 * better than it is, and keeps the latency of each. This one is told of a call when it is over, and keeps two numbers
 * for each tenth of the window.
 */
import { EventEmitter } from "node:events";
import CircuitBreaker from "opossum";

const BUCKETS = 10;

// opossum takes only its own class and its descendants, and doesn't export it. With a rotation of our own it starts no timers.
const options = { rotateBucketController: new EventEmitter(), enableSnapshots: false };
const Status = CircuitBreaker.newStatus(options).constructor as new (
  o: CircuitBreaker.StatusOptions,
) => EventEmitter;

export class CircuitWindow extends Status {
  readonly #bucketLength: number;
  readonly #completed = new Float64Array(BUCKETS);
  readonly #failed = new Float64Array(BUCKETS);
  /** The bucket that is counted in, numbered from the clock's zero. */
  #current = 0;

  /** @param length of the window, in milliseconds */
  constructor(length: number) {
    super(options);
    this.#bucketLength = length / BUCKETS;
  }

  /** For opossum, which names each event that it sees; all but two are left uncounted. */
  increment(property: string): void {
    if (property === "fires") this.count();
    else if (property === "failures") this.#failed[this.#rotate()]!++;
  }

  /** A call was completed. */
  count(): void {
    this.#completed[this.#rotate()]!++;
  }

  /** What opossum decides by. */
  get stats(): { readonly fires: number; readonly failures: number } {
    this.#rotate();
    return { fires: sum(this.#completed), failures: sum(this.#failed) };
  }

  clear(): void {
    this.#completed.fill(0);
    this.#failed.fill(0);
  }

  #rotate(): number {
    const now = Math.floor(performance.now() / this.#bucketLength);
    if (now - this.#current >= BUCKETS) this.clear();
    else {
      for (let bucket = this.#current + 1; bucket <= now; bucket++) {
        this.#completed[bucket % BUCKETS] = 0;
        this.#failed[bucket % BUCKETS] = 0;
      }
    }
    this.#current = now;
    return now % BUCKETS;
  }
}

function sum(counts: Float64Array): number {
  let total = 0;
  for (const count of counts) total += count;
  return total;
}
