/** A complete reply that no rule turned into an action: its cause, by status, and when to ask again. */
import type { UpstreamReply } from "../upstream/exchange.ts";
import type { Cause, Failure } from "../upstream/failure.ts";

/** Longer waits than this are nobody's deadline. */
const MAX_RETRY_AFTER_MS = 86_400_000;

/**
 * @param detail for the log, without anything from the reply that was not cleaned
 * @param now milliseconds since 1970, to count a date in Retry-After from
 */
export function replyFailure(reply: UpstreamReply, detail: string, now: number): Failure {
  const { status } = reply;
  const failure = { cause: causeOf(status), detail: `HTTP status ${status}: ${detail}`, status };
  const after = status >= 400 ? retryAfter(reply.headers.get("retry-after"), now) : undefined;
  return after === undefined ? failure : { ...failure, retryAfter: after };
}

function causeOf(status: number): Cause {
  if (status >= 400 && status <= 499) return "http_4xx";
  if (status >= 500 && status <= 599) return "http_5xx";
  return "bad_reply";
}

/** RFC 9110 §10.2.3: seconds, or a date. In milliseconds; undefined where it says neither. */
function retryAfter(field: string | undefined, now: number): number | undefined {
  if (field === undefined) return undefined;
  const value = field.trim();
  const wait = /^\d{1,10}$/.test(value) ? Number(value) * 1000 : httpDate(value) - now;
  if (Number.isNaN(wait)) return undefined;
  return Math.min(Math.max(wait, 0), MAX_RETRY_AFTER_MS);
}

/** Only what looks like an HTTP date (RFC 9110 §5.6.7): Date.parse alone takes almost anything. */
function httpDate(value: string): number {
  return /^[A-Z][a-z]{2,8},? .{10,30}$/.test(value) ? Date.parse(value) : Number.NaN;
}
