/**
 * Trying again, once a first attempt has failed in a way that may pass: p-retry's loop, with exponential
 * back-off and full jitter between the attempts ("Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
 */
import { setTimeout as sleep } from "node:timers/promises";
import pRetry from "p-retry";
import type { Failure } from "../model/failure.ts";
import type { Deadline } from "../time/deadline.ts";
import { isRetryable } from "./retryable.ts";

export interface RetryOptions {
  /** In all, the first one included. */
  readonly attempts: number;
  /** Milliseconds: the longest first pause; it doubles from attempt to attempt. */
  readonly backoff: number;
  /** Milliseconds that no pause exceeds, but for a Retry-After. */
  readonly maxBackoff: number;
}

/** What is asked of the call that is tried again. */
export interface Retried<T extends object> {
  readonly deadline: Deadline;
  /** Whether an attempt could be made now: some circuit lets it through. */
  admits(): boolean;
  /** Milliseconds that an attempt is expected to take; none is begun that has less. */
  readonly expectedLatency: number;
  attempt(): Promise<T | Failure>;
}

/**
 * Makes further attempts until one ends otherwise, none is left, or none could end in time.
 *
 * @param first the failure of the first attempt
 * @returns the last attempt's outcome; one that was not begun, for want of a slot or a closed circuit, does not count
 */
export async function retry<T extends object>(
  call: Retried<T>,
  first: Failure,
  options: RetryOptions,
): Promise<T | Failure> {
  let last = first;
  const attempt = async (number: number): Promise<T | Failure> => {
    const outcome = number === 1 ? first : await call.attempt();
    if (!("cause" in outcome)) return outcome;
    if (outcome.cause === "circuit_open" || outcome.cause === "overload") return last;
    last = outcome;
    if (isRetryable(outcome)) throw new AttemptFailed();
    return outcome;
  };
  const pause = async ({ attemptNumber, retriesLeft }: { attemptNumber: number; retriesLeft: number }) => {
    if (retriesLeft === 0) return;
    const milliseconds = pauseAfter(attemptNumber, last, options);
    if (!call.admits() || milliseconds + call.expectedLatency >= call.deadline.remaining()) {
      throw new AttemptFailed();
    }
    await sleep(milliseconds);
  };
  try {
    const retries = options.attempts - 1;
    return await pRetry(attempt, { retries, minTimeout: 0, onFailedAttempt: pause });
  } catch {
    return last;
  }
}

/** Milliseconds to wait after attempt `number`, from 1; `random` is below 1. */
export function pauseAfter(
  number: number,
  failure: Failure,
  options: RetryOptions,
  random = Math.random(),
): number {
  const longest = Math.min(options.maxBackoff, options.backoff * 2 ** (number - 1));
  return Math.max(random * longest, failure.retryAfter ?? 0);
}

/** How p-retry is told; what went wrong is in the failure. */
class AttemptFailed extends Error {}
