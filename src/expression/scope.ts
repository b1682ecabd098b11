/**
 * What expressions can name, by where they stand: requests and routes see the policy request, response rules also the
 * reply (mappings/README.md, "Expressions").
 */
import { ATTRIBUTE_NAMES, INTEGER_ATTRIBUTES } from "../model/request.ts";

export type ScopeKind =
  | "request"
  | "response"
  /** A login before all calls: secrets, and nothing of a policy request. */
  | "login"
  /** A reply that no rules answer: the login's, or the service's with a session in mind. */
  | "reply"
  /** How what the login gave is shown. */
  | "token";

export interface Scope {
  readonly kind: ScopeKind;
  /** The mapping's own parameters, `param.NAME`. */
  readonly parameterNames: readonly string[];
  /** `secret.NAME`; null: any may be one. */
  readonly secretNames: readonly string[] | null;
}

/**
 * @example
 * createScope("request", [])              // the conditions of routes
 * createScope("response", ["package"])    // the rules of a mapping with one parameter
 */
export function createScope(
  kind: ScopeKind,
  parameterNames: readonly string[],
  secretNames: readonly string[] | null = [],
): Scope {
  return { kind, parameterNames, secretNames };
}

/** The types of the attributes, in CEL's words. */
export const ATTRIBUTE_TYPES: ReadonlyMap<string, "string" | "int"> = new Map(
  ATTRIBUTE_NAMES.map((name) => [name, INTEGER_ATTRIBUTES.includes(name) ? "int" : "string"]),
);

const COMMON_TYPES: ReadonlyMap<string, string> = new Map([
  ...ATTRIBUTE_TYPES,
  ["attributes", "map<string, string>"],
  ["recipients", "list<string>"],
  ["recipients_complete", "bool"],
  ["listener", "string"],
  ["request_id", "string"],
  ["reference", "string"],
  ["now", "string"],
  ["param", "map<string, dyn>"],
]);

/** What is secret goes to the service, and nowhere else. */
const REQUEST_TYPES: ReadonlyMap<string, string> = new Map([
  ...COMMON_TYPES,
  ["secret", "map<string, string>"],
]);

const REPLY_TYPES: ReadonlyMap<string, string> = new Map([
  ["status", "int"],
  ["headers", "map<string, string>"],
  ["body", "dyn"],
  ["text", "string"],
  ["fault", "dyn"],
]);

const TYPES: Readonly<Record<ScopeKind, ReadonlyMap<string, string>>> = {
  request: REQUEST_TYPES,
  response: new Map([...COMMON_TYPES, ...REPLY_TYPES]),
  login: new Map([["secret", "map<string, string>"]]),
  reply: REPLY_TYPES,
  token: new Map([["token", "string"]]),
};

/** Every variable of a scope with its CEL type. */
export function variableTypes(kind: ScopeKind): ReadonlyMap<string, string> {
  return TYPES[kind];
}

/** The members of `fault` (SOAP Fault, the same for 1.1 and 1.2). */
export const FAULT_MEMBERS: readonly string[] = ["code", "subcode", "reason", "detail"];
