/**
 * The log's one line for each decision (DESIGN.md, "What holds always").
 *
 * There are as many of these as decisions, so they are put together here, member by member, and not by going through an
 * object.
 */
import type { Subject } from "../mapping/mapping.ts";
import type { LineLog } from "../observe/log.ts";
import { quote } from "../observe/quote.ts";
import { type AttributeName, attribute } from "../postfix/request.ts";
import type { Decision } from "./decision.ts";

/** Of the request; empty where Postfix sent none. */
const ATTRIBUTES: readonly AttributeName[] = [
  "protocol_state",
  "client_address",
  "sasl_username",
  "sender",
  "recipient",
  "queue_id",
  "instance",
  "policy_context",
];
const ATTRIBUTE_MEMBERS = ATTRIBUTES.map((name) => [name, `,"${name}":`] as const);

/**
 * Logs a decision: as information, or as a warning where the service gave no answer.
 *
 * @param ms how long it took, in milliseconds
 */
export function logDecision(log: LineLog, subject: Subject, decision: Decision, ms: number): void {
  const level = decision.source === "default" ? "warn" : "info";
  if (log.isLevelEnabled(level)) log.line(level, members(subject, decision, ms));
}

function members({ request, requestId }: Subject, decision: Decision, ms: number): string {
  const { action, source, service, mapping, cause, detail, rule, status, attempts, age } = decision;
  let line = `"request_id":"${requestId}","listener":${quote(request.listener)}`;
  if (service !== undefined) line += `,"service":${quote(service)}`;
  if (mapping !== undefined) line += `,"mapping":${quote(mapping)}`;
  line += `,"action":${action === null ? "null" : quote(action)},"source":"${source}"`;
  if (cause !== undefined) line += `,"cause":"${cause}"`;
  if (detail !== undefined) line += `,"detail":${quote(detail)}`;
  if (rule !== undefined) line += `,"rule":${rule}`;
  if (status !== undefined) line += `,"status":${status}`;
  line += `,"attempts":${attempts}`;
  if (age !== undefined) line += `,"age":${age}`;
  line += `,"ms":${Math.round(ms * 10) / 10}`;
  for (const [name, member] of ATTRIBUTE_MEMBERS) line += member + quote(attribute(request, name));
  return `${line},"msg":"decision"`;
}
