/**
 * A store that cannot hold up a decision: each look into it has a time limit, and one that has failed several times in a
 * row is left alone for a while, then tried with one look. What is given at once passes through at once.
 *
 * A shared store that hangs so costs a few decisions its time limit, once in a while, and nobody else anything.
 */
import type { Log } from "../../observe/log.ts";
import { Timer } from "../../time/timer.ts";
import type { Remembered, Revocation, Store } from "../store.ts";

export interface GuardOptions {
  /** For one look into the store, in milliseconds. */
  readonly timeout: number;
  readonly log: Log;
  /** How long a store that fails is left alone, in milliseconds. */
  readonly pause?: number;
}

const MOST_FAILURES = 3;
const PAUSE = 3000;

/** Closed: every look is made. Open: none until a time. Half open: one is under way, and others are not made. */
type State =
  | { readonly value: "closed"; failures: number }
  | { readonly value: "open"; readonly until: number }
  | { readonly value: "half-open" };

export function guard(store: Store, options: GuardOptions): Store {
  return new GuardedStore(store, options);
}

class GuardedStore implements Store {
  readonly #store: Store;
  readonly #timeout: number;
  readonly #pause: number;
  readonly #log: Log;
  #state: State = { value: "closed", failures: 0 };

  constructor(store: Store, { timeout, log, pause = PAUSE }: GuardOptions) {
    this.#store = store;
    this.#timeout = timeout;
    this.#pause = pause;
    this.#log = log;
  }

  get kind(): Store["kind"] {
    return this.#store.kind;
  }

  get(key: string): Remembered | undefined | Promise<Remembered | undefined> {
    const state = this.#state;
    if (state.value === "half-open") return undefined;
    if (state.value === "open") {
      if (performance.now() < state.until) return undefined;
      this.#state = { value: "half-open" };
    }
    try {
      const found = this.#store.get(key);
      if (found instanceof Promise) {
        return new Promise((resolve) => new Look(found, this.#timeout, resolve, this.#onEnd));
      }
      // At once, though it has to be waited for when it is there: nothing has been tried.
      if (this.#state.value === "half-open") this.#state = { value: "open", until: performance.now() };
      return found;
    } catch {
      this.#onEnd(false);
      return undefined;
    }
  }

  readonly #onEnd = (well: boolean): void => {
    const state = this.#state;
    if (well) {
      if (state.value === "closed") state.failures = 0;
      else {
        this.#state = { value: "closed", failures: 0 };
        this.#log.info({ store: this.kind }, "the store of remembered decisions answers again");
      }
      return;
    }
    if (state.value === "open") return;
    if (state.value === "closed" && ++state.failures < MOST_FAILURES) return;
    if (state.value === "closed") {
      this.#log.warn(
        { store: this.kind, timeout: this.#timeout },
        "the store of remembered decisions does not answer in time; decisions go on without it until it does",
      );
    }
    this.#state = { value: "open", until: performance.now() + this.#pause };
  };

  set(key: string, entry: Remembered): void {
    if (this.#state.value === "closed") this.#store.set(key, entry);
  }

  delete(key: string): void {
    this.#store.delete(key);
  }

  count(): Promise<number> {
    return this.#store.count();
  }

  entries(): AsyncIterable<readonly [string, Remembered]> {
    return this.#store.entries();
  }

  revoke(revocation: Revocation): Promise<void> {
    return this.#store.revoke(revocation);
  }

  onRevocation(listener: (revocation: Revocation) => void): void {
    this.#store.onRevocation(listener);
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}

/** One look into the store, with its time limit. */
class Look extends Timer {
  #resolve: ((entry: Remembered | undefined) => void) | null;
  readonly #onEnd: (well: boolean) => void;

  constructor(
    found: Promise<Remembered | undefined>,
    timeout: number,
    resolve: (entry: Remembered | undefined) => void,
    onEnd: (well: boolean) => void,
  ) {
    super();
    this.#resolve = resolve;
    this.#onEnd = onEnd;
    found.then(
      (entry) => this.#end(entry, true),
      () => this.#end(undefined, false),
    );
    this.startTimer(performance.now() + timeout);
  }

  protected override onTime(): void {
    // When the process itself was busy, the answer may have come meanwhile: sockets are read before this runs.
    setImmediate(() => this.#end(undefined, false));
  }

  #end(entry: Remembered | undefined, well: boolean): void {
    if (this.#resolve === null) return;
    this.stopTimer();
    this.#onEnd(well);
    this.#resolve(entry);
    this.#resolve = null;
  }
}
