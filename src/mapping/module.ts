/**
 * A mapping that is a module: JavaScript that says what no expression can say.
 *
 *     export function toRequest(request) { return { method: "POST", path: "/check", headers: {}, body: request.sender }; }
 *     export function toAction(reply, request) { return reply.body.ok ? "DUNNO" : "REJECT"; }
 *
 *     export const allow = ["OK"];   // verbs besides those that every reply may choose; may be left out
 *
 * Both may be async. Both see the names that expressions see: `request.sender`, `request.param.NAME`, `reply.status`,
 * `reply.body`, and toRequest `request.secret.NAME`; ints are numbers, maps are objects. What `toRequest` throws or gives wrongly is a `mapping_error`; where
 * `toAction` throws it is `http_4xx`, `http_5xx` or `bad_reply`, by the reply's status. Every action is checked as one that
 * comes out of a reply.
 */

import { statSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { needsAllRecipients, recipientsProblem } from "../expression/all-recipients.ts";
import { requestVariables } from "../expression/variables.ts";
import { ownName, readingProblem } from "../files/rights.ts";
import { sanitizeText } from "../model/action.ts";
import type { Verdict } from "../model/decision.ts";
import type { UpstreamReply, UpstreamRequest } from "../model/exchange.ts";
import type { Failure } from "../model/failure.ts";
import { referenceOf } from "../model/reference.ts";
import type { PolicyRequest } from "../model/request.ts";
import { ATTRIBUTE_NAMES, hasAllRecipients, INTEGER_ATTRIBUTES, integer } from "../model/request.ts";
import { ProblemError } from "../source/problem.ts";
import type { Mapping } from "./mapping.ts";
import { checkCall, thrownMessage } from "./module-call.ts";
import { type ReplyOptions, ReplyView } from "./reply.ts";
import { replyFailure } from "./reply-failure.ts";
import { untrustedAction } from "./rule-action.ts";

export interface ModuleOptions {
  /** As the configuration names it. */
  readonly name: string;
  /** Absolute. */
  readonly file: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  /** For `toRequest`, as `request.secret.NAME`; always those in use. */
  readonly secrets: ReadonlyMap<string, string>;
  readonly reply: ReplyOptions;
}

type Exported = (...values: unknown[]) => unknown;

/**
 * Imports a module and makes a mapping of it. This runs its code: call it after privileges are dropped. A file that
 * changed since is imported anew; what it imports itself is not.
 *
 * @throws ProblemError
 */
export async function loadModuleMapping(options: ModuleOptions): Promise<Mapping> {
  const { name, file } = options;
  const exports = await importModule(file);
  const toRequest = exportedFunction(exports, "toRequest", file);
  const toAction = exportedFunction(exports, "toAction", file);
  const allow = new Set(Array.isArray(exports.allow) ? exports.allow.map(String) : []);
  return {
    name,
    file,
    headerNames: [],
    render: (asked) => render(toRequest, asked, options),
    interpret: (reply, asked) => interpret(toAction, allow, reply, asked, options),
  };
}

async function importModule(file: string): Promise<Record<string, unknown>> {
  try {
    const { mtimeMs } = statSync(file);
    return (await import(`${pathToFileURL(file).href}?mtime=${mtimeMs}`)) as Record<string, unknown>;
  } catch (error) {
    const message = `the module cannot be loaded: ${thrownMessage(error)}${hintOfRights(error, file)}`;
    throw new ProblemError([{ file, message, severity: "error" }]);
  }
}

/** Root gives up its rights before it runs a module: what it could read itself may be out of reach then. */
function hintOfRights(error: unknown, file: string): string {
  if (!(error instanceof Error && "code" in error && error.code === "EACCES")) return "";
  // Node tells the path of what it could not open: of the module, or of what it imports.
  const [path = file] = /(?<=')\/[^']+(?=')/.exec(error.message) ?? [];
  const problem = readingProblem(path) ?? `user ${ownName()} must be able to read it`;
  return `; modules run as the bridge's user: ${problem}`;
}

function exportedFunction(exports: Record<string, unknown>, name: string, file: string): Exported {
  const value = exports[name];
  if (typeof value === "function") return value as Exported;
  const message = `the module must export a function ${name}, as in: export function ${name}(…) { … }`;
  throw new ProblemError([{ file, message, severity: "error" }]);
}

async function render(
  toRequest: Exported,
  asked: PolicyRequest,
  options: ModuleOptions,
): Promise<UpstreamRequest | Failure> {
  const failed = (detail: string): Failure => ({ cause: "mapping_error", detail: `toRequest: ${detail}` });
  try {
    const request = new RequestObject(asked, options.parameters, {
      secret: Object.fromEntries(options.secrets),
    });
    const call = checkCall(await toRequest(request.object));
    const problem = request.problem();
    if (problem !== null) return failed(problem);
    return "problem" in call ? failed(call.problem) : call;
  } catch (error) {
    return failed(thrownMessage(error));
  }
}

async function interpret(
  toAction: Exported,
  allow: ReadonlySet<string>,
  reply: UpstreamReply,
  asked: PolicyRequest,
  options: ModuleOptions,
): Promise<Verdict | Failure> {
  // The same causes as with rules: a reply that nobody could make anything of has its status's cause.
  const unanswered = (detail: string) => replyFailure(reply, sanitizeText(`toAction: ${detail}`));
  try {
    const request = new RequestObject(asked, options.parameters);
    const action = await toAction(replyObject(reply, options), request.object);
    const problem = request.problem();
    if (problem !== null) return { ...unanswered(problem), cause: "mapping_error" };
    if (typeof action !== "string") return unanswered("it must give an action as text, such as DUNNO");
    const checked = untrustedAction(action, allow);
    if (typeof checked === "string") return { action: checked, rule: 0 };
    return { ...unanswered(checked.problem), cause: "bad_reply" };
  } catch (error) {
    return unanswered(thrownMessage(error));
  }
}

/** The policy request under the names that expressions have for it, and whether its recipients were used rightly. */
class RequestObject {
  readonly object: Readonly<Record<string, unknown>>;
  readonly #asked: PolicyRequest;
  readonly #read = new Set<string>();

  /** @param more members that only a request has */
  constructor(asked: PolicyRequest, parameters: Readonly<Record<string, unknown>>, more: object = {}) {
    this.#asked = asked;
    const attributes: Record<string, string> = Object.create(null);
    for (const [name, value] of asked.attributes) attributes[name] = value;
    const object: Record<string, unknown> = {};
    for (const name of ATTRIBUTE_NAMES) {
      const value = attributes[name] ?? "";
      object[name] = INTEGER_ATTRIBUTES.includes(name) ? Number(integer(value)) : value;
    }
    this.object = {
      ...object,
      attributes,
      ...NO_RECIPIENTS,
      listener: asked.listener,
      request_id: asked.id,
      reference: referenceOf(asked),
      now: new Date(asked.time).toISOString(),
      param: { ...parameters },
      ...more,
    };
    this.#watch("recipients", [...asked.recipients]);
    this.#watch("recipients_complete", hasAllRecipients(asked));
  }

  /** Why nothing may come of it: only a part of the recipients is known, and the module asked for them without that. */
  problem(): string | null {
    if (!needsAllRecipients(this.#read)) return null;
    return recipientsProblem(requestVariables(this.#asked, NO_PARAMETERS));
  }

  #watch(name: keyof typeof NO_RECIPIENTS, value: unknown): void {
    const get = () => {
      this.#read.add(name);
      return value;
    };
    Object.defineProperty(this.object, name, { get, enumerable: true });
  }
}

/** What is watched, in its place among the others. */
const NO_RECIPIENTS = { recipients: null, recipients_complete: null };
const NO_PARAMETERS: ReadonlyMap<string, unknown> = new Map();

/** The reply under the names that expressions have for it; parsed when the module asks. */
function replyObject(reply: UpstreamReply, options: ModuleOptions): object {
  const view = new ReplyView(reply, { ...options.reply, plain: true });
  return {
    status: reply.status,
    headers: Object.fromEntries(reply.headers),
    get text() {
      return view.text;
    },
    get body() {
      return plainValue(view.body);
    },
    get fault() {
      return view.fault === null ? null : { ...view.fault, detail: plainValue(view.fault.detail) };
    },
  };
}

/** XML's maps as objects; JSON is plain already. */
function plainValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plainValue);
  if (!(value instanceof Map)) return value;
  const object: Record<string, unknown> = Object.create(null);
  for (const [name, member] of value) object[String(name)] = plainValue(member);
  return object;
}
