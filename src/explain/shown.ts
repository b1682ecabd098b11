/**
 * A decision and its steps as plain data that may be shown: bounded, and without secrets.
 *
 * Secrets are taken out now and not when it was decided, by those of its own configuration and of the one in use: so one
 * that was replaced since is hidden as well as one that came later.
 */
import { Masker } from "../config/masker.ts";
import { MASK } from "../config/secret.ts";
import type { Decision } from "../model/decision.ts";
import type { UpstreamReply } from "../model/exchange.ts";
import type { Failure } from "../model/failure.ts";
import { referenceOf } from "../model/reference.ts";
import { attribute, type PolicyRequest } from "../model/request.ts";
import type { DiscoveryReport } from "../upstream/discovery.ts";
import { namedTexts } from "../upstream/headers.ts";
import { type KeptReply, MOST_BODY } from "./kept.ts";
import type { AttemptStep, Steps } from "./steps.ts";

export type Mask = (text: string) => string;

interface ShownReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface ShownAttempt {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Where it is not that of the call: a SOAP call takes something with each attempt. */
  readonly body?: string;
  readonly reply?: ShownReply & { readonly ms: number };
  readonly failure?: Failure & { readonly ms: number };
}

export interface ShownToken {
  readonly from: string;
  readonly ms: number;
  readonly failure?: Failure;
}

/** How one decision came about. */
export interface ShownSteps {
  readonly request: Readonly<Record<string, string>>;
  readonly request_id: string;
  readonly route?: number;
  /** When it matches, and what it leads to. */
  readonly route_text?: string;
  readonly call?: {
    readonly method: string;
    readonly path: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string | null;
  };
  readonly remembered?: ShownReply & { readonly age: number; readonly fresh: boolean };
  /** A reply that others were given, too: to the same call made for another request, or one of a batch. */
  readonly shared?: ShownReply & { readonly how: "joined" | "batch" };
  readonly discovered?: DiscoveryReport;
  /** Fetched before the service could be asked. */
  readonly tokens?: readonly ShownToken[];
  readonly attempts: readonly ShownAttempt[];
  /** Attempts that are not among those. */
  readonly further_attempts?: number;
  readonly decision: Decision | null;
}

/** Attributes of one request that are shown. */
const MOST_ATTRIBUTES = 100;
/** Of one of them, in characters. */
const MOST_VALUE = 2048;

/** @param mask takes secrets out of a text */
export function shownSteps(
  request: PolicyRequest,
  steps: Steps,
  decision: Decision | null,
  mask: Mask,
): ShownSteps {
  const { route, call, remembered, shared, discovered, tokens, attempts, furtherAttempts } = steps;
  const plain: ShownSteps = {
    request: shownAttributes(request),
    request_id: request.id,
    ...(route !== null && {
      route: route.number,
      route_text: `${route.when === null ? "which matches everything" : `when ${route.when}`}: ${route.leads}`,
    }),
    ...(call !== null && { call: { ...call, body: call.body === null ? null : cut(call.body, MOST_BODY) } }),
    ...(remembered !== null && {
      remembered: { age: remembered.age, fresh: remembered.fresh, ...shownReply(remembered.reply) },
    }),
    ...(shared !== null && { shared: { how: shared.how, ...shownReply(shared.reply) } }),
    ...(discovered !== null && { discovered }),
    ...(tokens.length > 0 && {
      tokens: tokens.map(({ from, took, failure }) => ({
        from,
        ms: tenths(took),
        ...(failure !== null && { failure }),
      })),
    }),
    attempts: attempts.map((step) => shownAttempt(step, call?.body ?? null)),
    ...(furtherAttempts > 0 && { further_attempts: furtherAttempts }),
    decision,
  };
  return masked(plain, withCredentials(attempts, mask));
}

/** A token that it was asked with may be long forgotten by those who mask the log: what was sent then is hidden as well. */
function withCredentials(attempts: readonly AttemptStep[], mask: Mask): Mask {
  const tokens = new Set<string>();
  for (const { headers } of attempts) {
    for (let at = 0; at < headers.length; at += 2) {
      if (headers[at] === "authorization") tokens.add(headers[at + 1]!.replace(/^\S+ /, ""));
    }
  }
  if (tokens.size === 0) return mask;
  const own = new Masker();
  for (const token of tokens) own.add(token);
  return (text) => own.mask(mask(text));
}

function shownAttempt(step: AttemptStep, callBody: string | null): ShownAttempt {
  const { origin, path, headers, body, reply, failure, took } = step;
  const ms = tenths(took);
  return {
    url: origin + path,
    headers: Object.fromEntries(namedTexts(headers)),
    ...(body !== null && body !== callBody && { body: cut(withoutDigest(body), MOST_BODY) }),
    ...(reply !== null && { reply: { ...shownReply(reply), ms } }),
    ...(failure !== null && { failure: { ...failure, ms } }),
  };
}

function shownReply({ status, headers, body, length = body.length }: UpstreamReply & KeptReply): ShownReply {
  const text = body.toString("utf8");
  const isCut = text.length > MOST_BODY || length > body.length;
  // What is cut may end within a character.
  const shown = isCut ? `${text.slice(0, MOST_BODY).replace(/\ufffd$/, "")}… (${length} bytes)` : text;
  return { status, headers: Object.fromEntries(headers), body: shown };
}

function shownAttributes({ attributes }: PolicyRequest): Readonly<Record<string, string>> {
  const shown: [string, string][] = [];
  for (const [name, value] of attributes) {
    if (shown.length === MOST_ATTRIBUTES) break;
    shown.push([cut(name, MOST_VALUE), cut(value, MOST_VALUE)]);
  }
  return Object.fromEntries(shown);
}

/** What the log says of a decision, too. */
export interface ShownDecision {
  /** RFC 3339 in UTC. */
  readonly time: string;
  readonly request_id: string;
  readonly reference: string;
  readonly listener: string;
  readonly service?: string;
  readonly mapping?: string;
  readonly action: string | null;
  readonly source: Decision["source"];
  readonly cause?: Decision["cause"];
  readonly detail?: string;
  readonly rule?: number;
  readonly status?: number;
  readonly attempts?: number;
  readonly batch_id?: string;
  readonly age?: number;
  readonly ms: number;
  readonly attributes: Readonly<Record<string, string>>;
  /** How it came about: from the memory of a running bridge, when it was asked for. */
  readonly steps?: ShownSteps;
}

/** Of a request, in a list of decisions. */
const LISTED = [
  "protocol_state",
  "client_address",
  "sasl_username",
  "sender",
  "recipient",
  "queue_id",
  "policy_context",
] as const;

/** @param took milliseconds */
export function shownDecision(
  request: PolicyRequest,
  decision: Decision,
  took: number,
  mask: Mask,
): ShownDecision {
  const attributes: Record<string, string> = {};
  for (const name of LISTED) {
    const value = attribute(request, name);
    if (value !== "") attributes[name] = cut(value, MOST_VALUE);
  }
  const { batchId, ...rest } = decision;
  const plain: ShownDecision = {
    time: new Date(request.time).toISOString(),
    request_id: request.id,
    reference: referenceOf(request),
    listener: request.listener,
    ...(rest as Pick<ShownDecision, "action" | "source">),
    ...(batchId !== undefined && { batch_id: batchId }),
    ms: tenths(took),
    attributes,
  };
  return masked(plain, mask);
}

/** The same with each text masked, names of members too; what is undefined is left out. */
function masked<T>(value: T, mask: Mask): T {
  return copyMasked(value, mask) as T;
}

function copyMasked(value: unknown, mask: Mask): unknown {
  if (typeof value === "string") return mask(value);
  if (Array.isArray(value)) return value.map((item) => copyMasked(item, mask));
  if (typeof value !== "object" || value === null) return value;
  const members: [string, unknown][] = [];
  for (const [name, member] of Object.entries(value)) {
    if (member !== undefined) members.push([mask(name), copyMasked(member, mask)]);
  }
  // Names came from mail and replies: `__proto__` is one like others.
  return Object.fromEntries(members);
}

/** With an ellipsis, by which the masker knows that a secret may have been cut there. */
function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}

/** It is made of the password, which could be guessed from it and what stands beside it. */
function withoutDigest(body: string): string {
  return body.replace(/(<wsse:Password [^>]*>)[^<]*/, `$1${MASK}`);
}

function tenths(milliseconds: number): number {
  return Math.round(milliseconds * 10) / 10;
}
