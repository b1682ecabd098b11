/** The log's one line for each decision (DESIGN.md, "What holds always"). */

import type { Subject } from "../mapping/mapping.ts";
import type { Log } from "../observe/log.ts";
import { attribute } from "../postfix/request.ts";
import type { Decision } from "./decision.ts";

/**
 * Logs a decision: as information, or as a warning where the service gave no answer.
 *
 * @param ms how long it took, in milliseconds
 */
export function logDecision(log: Log, subject: Subject, decision: Decision, ms: number): void {
  const { request } = subject;
  const line = {
    request_id: subject.requestId,
    listener: request.listener,
    ...decision,
    ms: Math.round(ms * 10) / 10,
    protocol_state: attribute(request, "protocol_state"),
    client_address: attribute(request, "client_address"),
    sasl_username: attribute(request, "sasl_username"),
    sender: attribute(request, "sender"),
    recipient: attribute(request, "recipient"),
    queue_id: attribute(request, "queue_id"),
    instance: attribute(request, "instance"),
    policy_context: attribute(request, "policy_context"),
  };
  if (decision.source === "default") log.warn(line, "decision");
  else log.info(line, "decision");
}
