/**
 * The circuit breaker of one URL: opossum's states and rules, with the cost of a call in the closed state
 * kept to a few numbers.
 *
 * A call asks for a permit and says afterwards how it went. While the circuit is closed a success only counts; a
 * failure goes through opossum, which decides whether to open. After `openFor` one call at a time is let through as a
 * trial, and it alone decides; what calls from before have to say then goes unheard.
 *
 * Nobody opens it for others by what he asks: of one client's failures a few count, fewer than it takes, and the others
 * are as if they had not been. Nor does he keep it open: where a trial may have failed by what was asked, the next one is
 * somebody else's, and only when several have failed is it open again.
 */
import CircuitBreaker from "opossum";
import { Allowance } from "./allowance.ts";
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
  /**
   * @param detail what went wrong, for the log
   * @param blamed who may have brought it about; none: nobody could
   */
  failed(detail: string, blamed: readonly string[]): void;
  /** The service said, in time, that it is asked too much by this one; it is there. */
  declined(): void;
  /** It ended for a reason that says nothing of the service; a trial has failed all the same. */
  interrupted(detail: string): void;
  /** Whether it alone finds out how the service is, so that it has to ask. */
  readonly trial: boolean;
}

// opossum opens when the rate is above its threshold; 100 would then never be reached.
const BELOW = 1e-6;
/** Failures of one client that count, at most and as a part of those that it takes. */
const MOST_COUNTED = 3;
const PART_COUNTED = 1 / 3;
/** Clients whose trials must have failed, one after the other, for an open circuit to stay open. */
const TRIALS = 3;

/** Failures of one client that count within the window. Where one is enough to open the circuit, it is one. */
export function countedOfOne({
  failureRate,
  minimumCalls,
}: Pick<BreakerOptions, "failureRate" | "minimumCalls">): number {
  const toOpen = Math.ceil((failureRate / 100) * minimumCalls);
  return Math.max(1, Math.min(MOST_COUNTED, Math.floor(PART_COUNTED * toOpen)));
}

export class Circuit {
  readonly #options: BreakerOptions;
  readonly #onChange: (state: CircuitState, detail: string) => void;
  readonly #window: CircuitWindow;
  readonly #breaker: CircuitBreaker<[() => Promise<void>], void>;
  /** Of every call while the circuit is closed, a new one each time that it closes; null while it is not. */
  #permit: Permit | null;
  readonly #allowance: Allowance;
  #trying = false;
  /** Whose trials have failed since it was last let through one, and until when each gets no other. */
  readonly #failedTrials = new Map<string, number>();
  #lastFailure = "";
  #openSince: number | null = null;

  constructor(options: BreakerOptions, onChange: (state: CircuitState, detail: string) => void) {
    this.#options = options;
    this.#onChange = onChange;
    this.#window = new CircuitWindow(options.window);
    this.#allowance = new Allowance(countedOfOne(options), options.window);
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

  /** Whether that subject would be given a permit now; the empty one is anybody. */
  admits(subject: string): boolean {
    return this.#permit !== null || this.#trialIsDue(subject);
  }

  /** A permit, or null: the circuit is open, or a trial is under way. */
  admit(subject: string): Permit | null {
    return this.#permit ?? (this.#trialIsDue(subject) ? this.#trial(subject) : null);
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
  fail(permit: Permit, detail: string, blamed: readonly string[]): void {
    if (permit !== this.#permit || this.#breaker.isShutdown) return;
    if (!this.#allowance.take(blamed, performance.now())) return;
    this.#lastFailure = detail;
    const fail = () => {
      throw new Error(detail);
    };
    // What opossum makes of it comes as an event, at once; the promise is nobody's.
    this.#breaker.fire(fail).catch(() => {});
  }

  #trialIsDue(subject: string): boolean {
    if (!this.#breaker.halfOpen || this.#trying) return false;
    const until = this.#failedTrials.get(subject);
    return until === undefined || performance.now() >= until;
  }

  /** opossum is told only how it ended. */
  #trial(subject: string): Permit {
    this.#trying = true;
    const ended = (conclude: () => void) => {
      this.#trying = false;
      if (!this.#breaker.isShutdown) conclude();
    };
    const failed = (detail: string, blamed: readonly string[]) =>
      ended(() => {
        this.#lastFailure = detail;
        if (blamed.length === 0 || !this.#mayTryAnother(subject)) this.#breaker.open();
      });
    const succeeded = () => ended(() => this.#breaker.close());
    const interrupted = (detail: string) => failed(detail, []);
    return { succeeded, failed, declined: succeeded, interrupted, trial: true };
  }

  /** Whether it may have been only what that one asked. */
  #mayTryAnother(subject: string): boolean {
    const now = performance.now();
    for (const [other, until] of this.#failedTrials) if (now >= until) this.#failedTrials.delete(other);
    if (this.#failedTrials.size + 1 >= TRIALS) return false;
    this.#failedTrials.set(subject, now + this.#options.openFor);
    this.#onChange(
      "half-open",
      `the trial failed: ${this.#lastFailure}; the next call of another client is a trial`,
    );
    return true;
  }

  #opened(): void {
    const { fires, failures } = this.#window.stats;
    const why =
      this.#permit === null
        ? "the trial failed"
        : `${failures} of ${fires} calls in the last ${this.#options.window / 1000} s failed`;
    this.#permit = null;
    this.#failedTrials.clear();
    this.#openSince ??= Date.now();
    const next = `next trial in ${this.#options.openFor / 1000} s`;
    this.#onChange("open", `${why}, the last one so: ${this.#lastFailure}; ${next}`);
  }

  #closed(): void {
    this.#window.clear();
    this.#failedTrials.clear();
    this.#openSince = null;
    this.#permit = new ClosedPermit(this);
    this.#onChange("closed", "the trial succeeded");
  }
}

class ClosedPermit implements Permit {
  readonly trial = false;
  readonly #circuit: Circuit;

  constructor(circuit: Circuit) {
    this.#circuit = circuit;
  }

  succeeded(): void {
    this.#circuit.count(this);
  }

  failed(detail: string, blamed: readonly string[]): void {
    this.#circuit.fail(this, detail, blamed);
  }

  declined(): void {
    // Neither good nor bad.
  }

  interrupted(): void {
    // Neither good nor bad.
  }
}
