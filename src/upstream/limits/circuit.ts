/**
 * The circuit breaker of one URL: opossum's states and rules, with the cost of a call in the closed state
 * kept to a few numbers.
 *
 * A call asks for a permit and says afterwards how it went. While the circuit is closed a success only counts; a
 * failure goes through opossum, which decides whether to open. After `openFor` one call at a time is let through as a
 * trial, and it alone decides; what calls from before have to say then goes unheard.
 */
import CircuitBreaker from "opossum";
import { CircuitWindow } from "./circuit-window.ts";

export interface BreakerOptions {
  /** Percent of the calls in the window from which the circuit opens. */
  readonly failureRate: number;
  /** Calls that must have been completed in the window before it may open. */
  readonly minimumCalls: number;
  /** Milliseconds that are looked back on. */
  readonly window: number;
  /** Milliseconds until the first trial. */
  readonly openFor: number;
}

export type CircuitState = "closed" | "open" | "half-open";

/** How a circuit stands, for whoever watches. */
export interface CircuitReport {
  readonly state: CircuitState;
  /** When it was last found closed and opened, in milliseconds since 1970; null while it is closed. */
  readonly openSince: number | null;
  /** What went wrong last before it opened, or in the last trial; empty while it is closed. */
  readonly lastFailure: string;
}

/** The right to make one call; exactly one of these must be called when it is over. */
export interface Permit {
  succeeded(): void;
  /** @param detail what went wrong, for the log */
  failed(detail: string): void;
  /** It ended for a reason that says nothing of the service; a trial has failed all the same. */
  interrupted(detail: string): void;
}

// opossum opens when the rate is above its threshold; 100 would then never be reached.
const BELOW = 1e-6;

export class Circuit {
  readonly #options: BreakerOptions;
  readonly #onChange: (state: CircuitState, detail: string) => void;
  readonly #window: CircuitWindow;
  readonly #breaker: CircuitBreaker<[() => Promise<void>], void>;
  /** Of every call while the circuit is closed, a new one each time that it closes; null while it is not. */
  #permit: Permit | null;
  #lastFailure = "";
  #openSince: number | null = null;

  constructor(options: BreakerOptions, onChange: (state: CircuitState, detail: string) => void) {
    this.#options = options;
    this.#onChange = onChange;
    this.#window = new CircuitWindow(options.window);
    this.#permit = new ClosedPermit(this);
    this.#breaker = new CircuitBreaker<[() => Promise<void>], void>((call) => call(), {
      timeout: false,
      errorThresholdPercentage: options.failureRate - BELOW,
      volumeThreshold: options.minimumCalls,
      resetTimeout: options.openFor,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
      status: this.#window as unknown as CircuitBreaker.Status,
    });
    this.#breaker.on("open", () => this.#opened());
    this.#breaker.on("halfOpen", () => this.#onChange("half-open", "the next call is a trial"));
    this.#breaker.on("close", () => this.#closed());
  }

  get report(): CircuitReport {
    if (this.#permit !== null) return { state: "closed", openSince: null, lastFailure: "" };
    const state = this.#breaker.halfOpen ? "half-open" : "open";
    return { state, openSince: this.#openSince, lastFailure: this.#lastFailure };
  }

  /** Whether a permit would be given now. */
  get admits(): boolean {
    return this.#permit !== null || this.#trialIsDue;
  }

  /** A permit, or null: the circuit is open, or a trial is under way. */
  admit(): Permit | null {
    return this.#permit ?? (this.#trialIsDue ? this.#trial() : null);
  }

  /** Stops the breaker's timer. Calls may still be made; how they end no longer changes anything. */
  close(): void {
    this.#breaker.shutdown();
  }

  /** For the closed circuit's permit alone. */
  count(permit: Permit): void {
    if (permit === this.#permit) this.#window.count();
  }

  /** For the closed circuit's permit alone. */
  fail(permit: Permit, detail: string): void {
    if (permit !== this.#permit || this.#breaker.isShutdown) return;
    this.#lastFailure = detail;
    this.#fire(() => {
      throw new Error(detail);
    });
  }

  get #trialIsDue(): boolean {
    return this.#breaker.halfOpen && this.#breaker.pendingClose;
  }

  /** opossum hears of the end a few turns late; the state is changed at once, for whoever asks next. */
  #trial(): Permit {
    let end: () => void = () => {};
    this.#fire(() => new Promise((resolve) => (end = resolve)));
    const failed = (detail: string) => {
      if (this.#breaker.isShutdown) return;
      this.#lastFailure = detail;
      this.#breaker.open();
      end();
    };
    const succeeded = () => {
      if (this.#breaker.isShutdown) return;
      this.#breaker.close();
      end();
    };
    return { succeeded, failed, interrupted: failed };
  }

  /** What opossum makes of the outcome comes as an event; the promise is nobody's. */
  #fire(call: () => Promise<void>): void {
    this.#breaker.fire(call).catch(() => {});
  }

  #opened(): void {
    const { fires, failures } = this.#window.stats;
    const why =
      this.#permit === null
        ? "the trial failed"
        : `${failures} of ${fires} calls in the last ${this.#options.window / 1000} s failed`;
    this.#permit = null;
    this.#openSince ??= Date.now();
    const next = `next trial in ${this.#options.openFor / 1000} s`;
    this.#onChange("open", `${why}, the last one so: ${this.#lastFailure}; ${next}`);
  }

  #closed(): void {
    this.#window.clear();
    this.#openSince = null;
    this.#permit = new ClosedPermit(this);
    this.#onChange("closed", "the trial succeeded");
  }
}

class ClosedPermit implements Permit {
  readonly #circuit: Circuit;

  constructor(circuit: Circuit) {
    this.#circuit = circuit;
  }

  succeeded(): void {
    this.#circuit.count(this);
  }

  failed(detail: string): void {
    this.#circuit.fail(this, detail);
  }

  interrupted(): void {
    // Neither good nor bad.
  }
}
