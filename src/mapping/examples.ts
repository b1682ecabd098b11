/**
 * A mapping's `examples`, run by `pfxbridge check`: a policy request, the call that comes of it, a reply, and the action
 * or failure that comes of that. No service is asked.
 */

import type { Verdict } from "../model/decision.ts";
import type { UpstreamReply, UpstreamRequest } from "../model/exchange.ts";
import type { Failure } from "../model/failure.ts";
import { type PolicyRequest, policyRequest } from "../model/request.ts";
import { compareCall } from "./expectation.ts";
import { isFailure, type Mapping } from "./mapping.ts";
import { envelope, type SoapVersion } from "./render/envelope.ts";
import type { ExampleDefinition } from "./schema.ts";

export interface Example {
  readonly definition: ExampleDefinition;
  /** Where it begins in the mapping's file. */
  readonly line: number;
}

export interface ExampleResult {
  readonly name: string;
  readonly passed: boolean;
  /** What was expected and what came; only where it did not pass. */
  readonly message?: string;
  readonly line: number;
}

/** `request_id` in examples, and `now`: 2026-01-01T00:00:00.000Z. */
export const EXAMPLE = { id: "00000000-0000-4000-8000-000000000000", time: Date.UTC(2026, 0, 1) } as const;

/**
 * Runs examples one after the other; never throws for what is in them.
 *
 * @param soapVersion of the envelope around a reply's `soap`
 */
export async function runExamples(
  mapping: Mapping,
  examples: readonly Example[],
  soapVersion: SoapVersion = "1.1",
): Promise<ExampleResult[]> {
  const results: ExampleResult[] = [];
  for (const { definition, line } of examples) {
    const message = await runExample(mapping, definition, soapVersion);
    const result = { name: definition.name, passed: message === null, line };
    results.push(message === null ? result : { ...result, message });
  }
  return results;
}

/** The call that comes of an example's request. */
export async function exampleCall(
  mapping: Mapping,
  { definition }: Example,
): Promise<UpstreamRequest | Failure> {
  return mapping.render(exampleRequest(definition.request));
}

async function runExample(
  mapping: Mapping,
  example: ExampleDefinition,
  soapVersion: SoapVersion,
): Promise<string | null> {
  const asked = exampleRequest(example.request);
  const call = await mapping.render(asked);
  if (isFailure(call)) {
    const expected = example.failure === call.cause && example.reply === undefined;
    return expected ? null : `the call cannot be made: ${describe(call)}`;
  }
  if (example.expect !== undefined) {
    const difference = compareCall(example.expect, call);
    if (difference !== null) return `the call differs: ${difference}`;
  }
  if (example.reply === undefined) {
    return example.failure === undefined ? null : `expected ${example.failure}, but the call can be made`;
  }
  const outcome = await mapping.interpret(exampleReply(example.reply, soapVersion), asked);
  const expected = example.action ?? example.failure;
  const got = isFailure(outcome) ? outcome.cause : outcome.action;
  return got === expected ? null : `expected ${expected}, got ${describe(outcome)}`;
}

function describe(outcome: Verdict | Failure): string {
  return isFailure(outcome)
    ? `${outcome.cause}: ${outcome.detail}`
    : `${outcome.action} (rule ${outcome.rule})`;
}

/**
 * The policy request that an example's attributes stand for. `recipients` and `listener` may be among them, and
 * `recipients_complete`, where the recipients are not as complete as they look by `recipient_count`.
 */
function exampleRequest(values: ExampleDefinition["request"]): PolicyRequest {
  const { recipients, recipients_complete: complete, listener = "example", ...rest } = values;
  const attributes = new Map(Object.entries(rest).map(([name, value]) => [name, String(value)]));
  const recipient = attributes.get("recipient") ?? "";
  const list = Array.isArray(recipients) ? recipients : recipient === "" ? [] : [recipient];
  const rcpts = complete === undefined ? list.length : complete === true ? Number.POSITIVE_INFINITY : -1;
  return policyRequest(attributes, { ...EXAMPLE, listener: String(listener), recipients: list, rcpts });
}

function exampleReply(
  reply: NonNullable<ExampleDefinition["reply"]>,
  soapVersion: SoapVersion,
): UpstreamReply {
  const [type, text] = contentOf(reply, soapVersion);
  const headers = new Map(Object.entries(reply.headers).map(([name, value]) => [name.toLowerCase(), value]));
  if (type !== null && !headers.has("content-type")) headers.set("content-type", type);
  return { status: reply.status, headers, body: Buffer.from(text) };
}

function contentOf(
  reply: NonNullable<ExampleDefinition["reply"]>,
  soapVersion: SoapVersion,
): [type: string | null, text: string] {
  if (reply.json !== undefined) return ["application/json", JSON.stringify(reply.json)];
  if (reply.xml !== undefined) return ["text/xml; charset=utf-8", reply.xml];
  if (reply.soap === undefined)
    return reply.text === undefined ? [null, ""] : ["text/plain; charset=utf-8", reply.text];
  const type = soapVersion === "1.1" ? "text/xml" : "application/soap+xml";
  return [`${type}; charset=utf-8`, envelope(soapVersion, [], [reply.soap]).join("")];
}
