/** Which calls are those of AuthZEN's Access Evaluation APIs, whose replies have to name the request that they answer. */
import type { UpstreamReply, UpstreamRequest } from "../model/exchange.ts";

/** The end of the path; that of the API for several at once has an `s` more. */
const EVALUATION = "/access/v1/evaluation";

/** Whether it is one evaluation: Authorization API 1.0, "The Access Evaluation API". */
export function isEvaluation({ method, path }: UpstreamRequest): boolean {
  return method === "POST" && path.endsWith(EVALUATION);
}

/** The path for several evaluations at once, from that for one. */
export function evaluationsPath({ path }: UpstreamRequest): string {
  return `${path}s`;
}

/**
 * Whether a decision names another request than the one that was made, so that it may be another's: "If the PEP specified
 * a request identifier in the request, the PDP MUST include the same identifier in the response" (Authorization API 1.0,
 * "Request Identification"). One that names none is taken, since there are services that don't; a proxy on the way may
 * add one of its own. Other services use the header as they like.
 */
export function namesAnother(
  { status, headers }: UpstreamReply,
  request: UpstreamRequest,
  requestId: string,
): boolean {
  if (status < 200 || status > 299) return false;
  const path = request.path.split("?", 1)[0]!;
  if (!path.endsWith(EVALUATION) && !path.endsWith(`${EVALUATION}s`)) return false;
  const named = headers.get("x-request-id");
  return named !== undefined && !named.split(",").some((id) => id.trim() === requestId);
}
