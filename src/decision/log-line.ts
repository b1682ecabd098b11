/**
 * The log's one line for each decision (deploy/doc/watching.md, "Logs").
 *
 * There are as many of these as decisions, so they are put together here, member by member, and not by going through an
 * object.
 */

import type { Decision } from "../model/decision.ts";
import type { PolicyRequest } from "../model/request.ts";
import { attribute, LOGGED_ATTRIBUTES } from "../model/request.ts";
import type { LineLog } from "../observe/log.ts";
import { quoted } from "../text/quote.ts";
import type { Redactor } from "./redact.ts";
import { type Sample, sampled } from "./sample.ts";

/** Of the request, empty where Postfix sent none; with the end of the text before. */
const ATTRIBUTE_MEMBERS = LOGGED_ATTRIBUTES.map(
  (name, n) => [name, `${n === 0 ? "" : '"'},"${name}":"`] as const,
);

/** What is left out of the log, or out of its lines. */
export interface LogLineOptions {
  readonly sample?: Sample;
  readonly redactor?: Redactor;
}

/**
 * @param ms how long it took, in milliseconds
 * @param reference what the client was told; undefined: nothing
 */
export type LogDecision = (
  log: LineLog,
  request: PolicyRequest,
  decision: Decision,
  ms: number,
  reference?: string,
) => void;

/** What logs decisions: as information, or as a warning where the service gave no answer. */
export function decisionLogger({ sample, redactor }: LogLineOptions): LogDecision {
  if (sample === undefined && redactor === undefined) return logDecision;
  return (log, request, decision, ms, reference) => {
    const part = sample === undefined ? 1 : sampled(sample, request, decision);
    const level = levelOf(decision);
    if (part === 0 || !log.isLevelEnabled(level)) return;
    const shownRequest = redactor?.request(request) ?? request;
    const shown = redactor?.decision(request, decision) ?? decision;
    const line = members(shownRequest, shown, ms, reference);
    log.line(level, part < 1 ? `"sample":${part},${line}` : line);
    if (shown.said !== undefined) logSaid(log, request, shown);
  };
}

function logDecision(
  log: LineLog,
  request: PolicyRequest,
  decision: Decision,
  ms: number,
  reference?: string,
): void {
  const level = levelOf(decision);
  if (!log.isLevelEnabled(level)) return;
  log.line(level, members(request, decision, ms, reference));
  if (decision.said !== undefined) logSaid(log, request, decision);
}

/** Apart from the decision, since a level is a line's. */
function logSaid(log: LineLog, { id }: PolicyRequest, { service, said }: Decision): void {
  log.debug({ request_id: id, service, said }, "the reply that no rule took begins so");
}

function levelOf({ source }: Decision): "warn" | "info" {
  return source === "default" ? "warn" : "info";
}

function members(request: PolicyRequest, decision: Decision, ms: number, reference?: string): string {
  const { action, source, service, mapping, cause, detail, rule, status, attempts, batchId, age } = decision;
  let line = `"request_id":"${request.id}","listener":"${quoted(request.listener)}`;
  if (reference !== undefined) line += `","reference":"${reference}`;
  if (service !== undefined) line += `","service":"${quoted(service)}`;
  if (mapping !== undefined) line += `","mapping":"${quoted(mapping)}`;
  line += action === null ? `","action":null` : `","action":"${quoted(action)}"`;
  line += `,"source":"${source}`;
  if (cause !== undefined) line += `","cause":"${cause}`;
  if (detail !== undefined) line += `","detail":"${quoted(detail)}`;
  line += rule === undefined ? '"' : `","rule":${rule}`;
  if (status !== undefined) line += `,"status":${status}`;
  line += `,"attempts":${attempts}`;
  if (batchId !== undefined) line += `,"batch_id":"${batchId}"`;
  if (age !== undefined) line += `,"age":${age}`;
  line += `,"ms":${Math.round(ms * 10) / 10}`;
  for (const [name, member] of ATTRIBUTE_MEMBERS) line += member + quoted(attribute(request, name));
  return `${line}","msg":"decision"`;
}
