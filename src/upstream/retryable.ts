/** Which failures are worth another attempt, and how long a service wants to be left alone before it. */
import type { UpstreamReply } from "../model/exchange.ts";
import type { Failure } from "../model/failure.ts";

/**
 * Whether a failure may pass: it is tried again, and but for 429 and 408, which speak of who asked, counts for the circuit
 * breaker.
 *
 *     isRetryable({ cause: "http_4xx", status: 429, detail: "…" })   // true; 403: false
 */
export function isRetryable(failure: Failure): boolean {
  switch (failure.cause) {
    case "unreachable":
    case "timeout":
    case "http_5xx":
      return true;
    case "http_4xx":
      return failure.status === 429 || failure.status === 408;
    default:
      return false;
  }
}

/** Milliseconds from a reply's Retry-After, seconds or a date (RFC 9110 §10.2.3); undefined without a readable one. */
export function retryAfter(reply: UpstreamReply, now = Date.now()): number | undefined {
  const value = reply.headers.get("retry-after");
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  // Date.parse takes much that is no date: "-7" is one to it.
  const date = /^[A-Z][a-z]+,? /.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
