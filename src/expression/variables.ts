/**
 * The values that expressions see. Nothing is worked out before an expression asks for it: making them costs one object.
 */

import { referenceOf } from "../model/reference.ts";
import type { PolicyRequest } from "../model/request.ts";
import { hasAllRecipients, integer } from "../model/request.ts";
import { ATTRIBUTE_TYPES } from "./scope.ts";

/** Variables by name, as `createScope` lists them. */
export type Variables = Readonly<Record<string, unknown>>;

/** What response rules see of a complete reply. */
export interface ReplyVariables {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** Parsed JSON or XML: maps, arrays, strings, numbers, booleans, null. */
  readonly body: unknown;
  readonly text: string;
  /** `code`, `subcode`, `reason` and `detail` of a SOAP Fault, or null. */
  readonly fault: unknown;
}

/** What requests and route conditions see. */
export function requestVariables(
  request: PolicyRequest,
  parameters: ReadonlyMap<string, unknown>,
  secrets: ReadonlyMap<string, string> = NO_SECRETS,
): Variables {
  return new RequestVariables(request, parameters, secrets);
}

/** What response rules see. */
export function responseVariables(
  request: PolicyRequest,
  parameters: ReadonlyMap<string, unknown>,
  reply: ReplyVariables,
): Variables {
  return new ResponseVariables(request, parameters, reply);
}

/** What a login sees before there is any policy request. */
export function loginVariables(secrets: ReadonlyMap<string, string>): Variables {
  return { secret: secrets };
}

/** What is seen of a reply alone, worked out when it is asked for. */
export function replyVariables(reply: ReplyVariables): Variables {
  return {
    get status() {
      return BigInt(reply.status);
    },
    get headers() {
      return reply.headers;
    },
    get body() {
      return reply.body;
    },
    get text() {
      return reply.text;
    },
    get fault() {
      return reply.fault;
    },
  };
}

/** How what a login gave is written where it is shown. */
export function tokenVariables(token: string): Variables {
  return { token };
}

const NO_SECRETS: ReadonlyMap<string, string> = new Map();

class RequestVariables {
  readonly [name: string]: unknown;
  readonly #request: PolicyRequest;
  readonly param: ReadonlyMap<string, unknown>;
  readonly secret: ReadonlyMap<string, string>;

  constructor(
    request: PolicyRequest,
    parameters: ReadonlyMap<string, unknown>,
    secrets: ReadonlyMap<string, string>,
  ) {
    this.#request = request;
    this.param = parameters;
    this.secret = secrets;
  }

  // One getter for each attribute, so that `variables[name]`, which is how cel-js reads, finds it in the Map.
  static {
    for (const [name, type] of ATTRIBUTE_TYPES) {
      const get =
        type === "int"
          ? function (this: RequestVariables) {
              return integer(this.#request.attributes.get(name));
            }
          : function (this: RequestVariables) {
              return this.#request.attributes.get(name) ?? "";
            };
      Object.defineProperty(RequestVariables.prototype, name, { get });
    }
  }

  /** cel-js takes nothing else for a map. */
  get attributes(): Map<string, string> {
    return new Map(this.#request.attributes);
  }

  get recipients(): readonly string[] {
    return this.#request.recipients;
  }

  get recipients_complete(): boolean {
    return hasAllRecipients(this.#request);
  }

  get listener(): string {
    return this.#request.listener;
  }

  get request_id(): string {
    return this.#request.id;
  }

  get reference(): string {
    return referenceOf(this.#request);
  }

  get now(): string {
    return new Date(this.#request.time).toISOString();
  }
}

class ResponseVariables extends RequestVariables {
  readonly #reply: ReplyVariables;

  constructor(request: PolicyRequest, parameters: ReadonlyMap<string, unknown>, reply: ReplyVariables) {
    super(request, parameters, NO_SECRETS);
    this.#reply = reply;
  }

  get status(): bigint {
    return BigInt(this.#reply.status);
  }

  get headers(): ReadonlyMap<string, string> {
    return this.#reply.headers;
  }

  get body(): unknown {
    return this.#reply.body;
  }

  get text(): string {
    return this.#reply.text;
  }

  get fault(): unknown {
    return this.#reply.fault;
  }
}
