/**
 * How many calls at once a service takes well, found by its latency: the gradient limiter of Netflix's
 * concurrency-limits (Gradient2), with Envoy's way to know what a call takes where nothing waits.
 *
 * The latency of the last moments is held against that without load: the median, which questions that are slow by
 * themselves don't change. While they agree, the limit grows by the square root of itself, which is what may queue up at
 * the service; when replies take half as long again, calls wait there rather than being worked on, and the limit shrinks
 * in proportion. A call that got no reply in time, or was told that there is too much, shrinks it at once. It doesn't
 * grow for a load that doesn't use it.
 *
 * Under lasting load a long-term average, as Gradient2 has it, follows the latency of the queue that the limiter
 * itself allows, and the limit creeps up without end. So every ten seconds it is halved for a moment, to see what a call
 * takes then.
 */

export interface GradientOptions {
  readonly initial: number;
  readonly least: number;
  readonly most: number;
}

const DEFAULTS: GradientOptions = { initial: 20, least: 4, most: 1000 };

/** Latencies are taken together over this many milliseconds, and this many calls, at least; of more calls the last ones. */
const WINDOW = 100;
const MINIMUM_CALLS = 10;
const SAMPLES = 64;
/** Windows under load between two looks at the latency without it; the first look comes sooner. */
const PROBE_EVERY = 100;
const FIRST_PROBE = 5;
/** The weight of a window in the latency without load, where there is little. */
const GAIN = 0.1;
/** What the latency may exceed that without load by. */
const TOLERANCE = 1.5;
/** The part of a change that is made in one window. */
const SMOOTHING = 0.5;
/** What is left of the limit after a window in which calls were dropped. */
const BACK_OFF = 0.9;

export class GradientLimit {
  readonly #options: GradientOptions;
  #limit: number;
  /** Latency without load; 0 before anything is known. */
  #unloaded = 0;
  #untilProbe = FIRST_PROBE;
  /** Windows that a probe has still to go: one for what was under way before, one to measure. */
  #probing = 0;
  /** Of the window: when it began, by performance.now(), how many calls, the latencies of the last of them, the most at once. */
  #since = performance.now();
  #calls = 0;
  readonly #latencies = new Float64Array(SAMPLES);
  #mostInFlight = 0;
  #dropped = false;

  constructor(options: GradientOptions = DEFAULTS) {
    this.#options = options;
    this.#limit = options.initial;
  }

  get current(): number {
    if (this.#probing === 0) return Math.floor(this.#limit);
    return Math.max(this.#options.least, Math.floor(this.#limit / 2));
  }

  /**
   * A call ended.
   *
   * @param latency in milliseconds; null where it was dropped: no reply in time, or one that said there is too much
   * @param inFlight calls under way, this one included
   * @param now by performance.now()
   */
  observe(latency: number | null, inFlight: number, now: number): void {
    this.#mostInFlight = Math.max(this.#mostInFlight, inFlight);
    if (latency === null) {
      this.#dropped = true;
    } else {
      this.#latencies[this.#calls % SAMPLES] = latency;
      this.#calls++;
    }
    const enough = this.#dropped || this.#calls >= MINIMUM_CALLS;
    if (enough && now - this.#since >= WINDOW) this.#endWindow(now);
  }

  #endWindow(now: number): void {
    if (this.#dropped) this.#set(this.#limit * BACK_OFF);
    else this.#compare(this.#median());
    this.#since = now;
    this.#calls = 0;
    this.#mostInFlight = 0;
    this.#dropped = false;
  }

  #median(): number {
    const seen = this.#latencies.subarray(0, Math.min(this.#calls, SAMPLES)).sort();
    return seen[seen.length >> 1]!;
  }

  #compare(latency: number): void {
    if (this.#probing > 0) {
      if (--this.#probing === 0) this.#unloaded = latency;
      return;
    }
    if (this.#unloaded === 0 || latency < this.#unloaded) this.#unloaded = latency;
    if (this.#mostInFlight < this.#limit / 2) {
      this.#unloaded += GAIN * (latency - this.#unloaded);
      return;
    }
    const gradient = Math.max(0.5, Math.min(1, (TOLERANCE * this.#unloaded) / latency));
    const next = gradient * this.#limit + Math.sqrt(this.#limit);
    this.#set(this.#limit + SMOOTHING * (next - this.#limit));
    if (--this.#untilProbe > 0) return;
    this.#untilProbe = PROBE_EVERY;
    this.#probing = 2;
  }

  #set(limit: number): void {
    this.#limit = Math.max(this.#options.least, Math.min(this.#options.most, limit));
  }
}
