/** A complete reply that nothing turned into an action: its cause, by status. */
import type { UpstreamReply } from "../model/exchange.ts";
import type { Cause, Failure } from "../model/failure.ts";

/** @param detail for the log, without anything from the reply that was not cleaned */
export function replyFailure({ status }: UpstreamReply, detail: string): Failure {
  return { cause: causeOf(status), detail: `HTTP status ${status}: ${detail}`, status };
}

function causeOf(status: number): Cause {
  if (status >= 400 && status <= 499) return "http_4xx";
  if (status >= 500 && status <= 599) return "http_5xx";
  return "bad_reply";
}
