/**
 * The `action` of a rule: compiled when the mapping is loaded, put together from a reply when the rule matches.
 *
 * The verb is the mapping's own only when it is literal up to the first blank. One that comes out of the reply must be
 * on a list: an authorization service must not be able to make Postfix an open relay or to redirect mail.
 */
import { EvaluationError, ExpressionError } from "../expression/expression.ts";
import type { Scope } from "../expression/scope.ts";
import { compileTemplate, type Slot } from "../expression/template.ts";
import { toText } from "../expression/text.ts";
import type { Variables } from "../expression/variables.ts";
import { isReplyCode, parseAction, REPLY_VERBS, sanitizeText, VERBS, verbOf } from "../model/action.ts";
import { excerpt } from "../text/excerpt.ts";
import { UnreadableReply } from "./reply.ts";

export interface RuleAction {
  /** The mapping's own verb; null where it comes out of the reply. */
  readonly verb: string | null;
  readonly names: ReadonlySet<string>;
  /** For Postfix: known, allowed and on one line. */
  render(variables: Variables): string | ActionProblem;
}

/** Why there is no action; clean enough for a log. */
export interface ActionProblem {
  readonly problem: string;
}

export interface ActionContext {
  readonly scope: Scope;
  /** Verbs that a reply may choose besides REPLY_VERBS and reply codes. */
  readonly allow: ReadonlySet<string>;
  report(message: string, offset?: number): void;
}

/** Verbs whose argument says where mail goes or what is in it. */
const DELICATE_VERBS: ReadonlySet<string> = new Set(["FILTER", "REDIRECT", "BCC", "PREPEND"]);

/** Postfix takes a reply code alone as OK. */
const DEFAULT_TEXT = "Access denied";

/** Null after a mistake, which was reported. */
export function compileAction(text: string, context: ActionContext): RuleAction | null {
  try {
    const template = compileTemplate(text, context.scope);
    if (template.literal !== null) return literalAction(template.literal, context);
    const [first, ...rest] = template.parts;
    const { names } = template;
    if (typeof first !== "string" || !first.includes(" ")) {
      return {
        verb: null,
        names,
        render: (variables) => fromReply(template.parts, variables, context.allow),
      };
    }
    const verb = verbOf(first);
    const parts = [first.slice(verb.length), ...rest];
    const problem = ownVerbProblem(verb, context.allow);
    if (problem !== null) return reported(context, problem);
    return { verb, names, render: (variables) => withText(verb, renderText(parts, variables)) };
  } catch (error) {
    if (error instanceof ExpressionError) return reported(context, error.message, error.offset);
    throw error;
  }
}

/**
 * An action that someone else made up, such as a module: the same as one out of a reply.
 *
 * @example
 * untrustedAction("OK", new Set()) // { problem: 'the action "OK" is not allowed …' }
 */
export function untrustedAction(action: string, allow: ReadonlySet<string>): string | ActionProblem {
  const given = verbOf(action);
  if (isReplyCode(given) && /^ +$/.test(action.slice(given.length))) return withText(given, "");
  const parsed = parseAction(action);
  if ("problem" in parsed)
    return { problem: `the action ${shown(action)} cannot be used: ${parsed.problem}` };
  const { verb, text } = parsed;
  if (!REPLY_VERBS.has(verb) && !isReplyCode(verb) && !allow.has(verb)) {
    const remedy = `if the service may decide that, write it under allow: [${verb}]`;
    return { problem: `the action ${shown(action)} is not allowed to come out of a reply; ${remedy}` };
  }
  return withText(verb, text);
}

function literalAction(text: string, context: ActionContext): RuleAction | null {
  const parsed = parseAction(isReplyCode(text) ? `${text} ${DEFAULT_TEXT}` : text);
  if ("problem" in parsed) return reported(context, parsed.problem);
  const action = withText(parsed.verb, parsed.text);
  return { verb: parsed.verb, names: new Set(), render: () => action };
}

function ownVerbProblem(verb: string, allow: ReadonlySet<string>): string | null {
  if (!VERBS.has(verb) && !isReplyCode(verb)) {
    const parsed = parseAction(verb === "" ? " DUNNO" : verb);
    return "problem" in parsed ? parsed.problem : null;
  }
  if (!DELICATE_VERBS.has(verb) || allow.has(verb)) return null;
  return `${verb} with a value in its argument lets a reply decide about mail; if that is meant, write allow: [${verb}] at the top of the mapping`;
}

type Parts = readonly (string | Slot)[];

function fromReply(parts: Parts, variables: Variables, allow: ReadonlySet<string>): string | ActionProblem {
  let action = "";
  for (const [index, part] of parts.entries()) {
    if (typeof part === "string") {
      action += part;
      continue;
    }
    // What follows the verb is text, in which a missing value is nothing; the verb itself must be there.
    if (action.includes(" "))
      return untrustedAction(action + renderText(parts.slice(index), variables), allow);
    try {
      action += toText(part.expression.evaluate(variables));
    } catch (error) {
      if (hasNoValue(error)) return { problem: `the action has no verb: ${error.message}` };
      throw error;
    }
  }
  return untrustedAction(action, allow);
}

/** Text put together from a reply; what is missing in it, or cannot be read, is nothing. */
export function renderText(parts: Parts, variables: Variables): string {
  let text = "";
  for (const part of parts) text += typeof part === "string" ? part : valueOrNothing(part, variables);
  return text;
}

function valueOrNothing(slot: Slot, variables: Variables): string {
  try {
    return toText(slot.expression.evaluate(variables));
  } catch (error) {
    if (hasNoValue(error)) return "";
    throw error;
  }
}

function hasNoValue(error: unknown): error is Error {
  return error instanceof EvaluationError || error instanceof UnreadableReply;
}

function withText(verb: string, raw: string): string | ActionProblem {
  const text = sanitizeText(raw) || (isReplyCode(verb) ? DEFAULT_TEXT : "");
  const action = text === "" ? verb : `${verb} ${text}`;
  if (!DELICATE_VERBS.has(verb)) return action;
  const parsed = parseAction(action);
  return "problem" in parsed
    ? { problem: `the action ${shown(action)} cannot be used: ${parsed.problem}` }
    : action;
}

function shown(action: string): string {
  return `"${excerpt(action)}"`;
}

function reported(context: ActionContext, message: string, offset?: number): null {
  context.report(message, offset);
  return null;
}
