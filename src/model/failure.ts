/**
 * Why the authorization service gave no usable answer. Failures are values, handed from room to room;
 * the last attempt's failure is the decision's.
 */

export const CAUSES = [
  "unreachable",
  "timeout",
  "circuit_open",
  "overload",
  "http_4xx",
  "http_5xx",
  "bad_reply",
  "mapping_error",
  "offline",
] as const;

/** The causes that `on_failure` can tell apart. */
export type Cause = (typeof CAUSES)[number];

/** A call, or a reply, that did not lead to an action. */
export interface Failure {
  readonly cause: Cause;
  /** For the log: what went wrong, where, and what to do; no secrets, no line breaks. */
  readonly detail: string;
  /** The HTTP status, where a reply was complete. */
  readonly status?: number;
  /** The beginning of the reply, where it may name somebody: not for every log. */
  readonly said?: string;
  /** It says nothing of the service's condition, so that no circuit counts it. */
  readonly blameless?: true;
  /** Who asked has brought it about, whatever the cause as a rule speaks of. */
  readonly provoked?: true;
  /** From a reply's Retry-After: milliseconds to wait before another attempt (RFC 9110 §10.2.3). */
  readonly retryAfter?: number;
}

/** Whether what was hoped for is a failure. */
export function isFailure<T extends object>(value: T | Failure): value is Failure {
  return "cause" in value;
}
