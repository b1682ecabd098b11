/**
 * The `response` of a mapping: rules, compiled when it is loaded, tried in order on each complete reply.
 *
 * The first rule that matches gives the action, or says that the reply is trouble. What cannot be evaluated ends the reading: a reply of another shape must
 * not slip through to a later rule that permits.
 */
import {
  type Condition,
  compileCondition,
  EvaluationError,
  ExpressionError,
} from "../expression/expression.ts";
import type { Scope } from "../expression/scope.ts";
import { responseVariables, type Variables } from "../expression/variables.ts";
import { sanitizeText } from "../model/action.ts";
import type { Verdict } from "../model/decision.ts";
import type { UpstreamReply } from "../model/exchange.ts";
import type { Failure } from "../model/failure.ts";
import type { PolicyRequest } from "../model/request.ts";
import { faultHint } from "./fault-hint.ts";
import { foundBy, foundInstead } from "./found-instead.ts";
import { type ReplyOptions, ReplyView } from "./reply.ts";
import { replyFailure } from "./reply-failure.ts";
import { compileAction, type RuleAction } from "./rule-action.ts";
import { compileFailure, type RuleCause, type RuleFailure } from "./rule-failure.ts";
import { saidIn } from "./said.ts";

/** Either an action, or a failure with what the log is to say of it. */
export interface RuleDefinition {
  /** CEL; without it the rule matches whatever it is tried on. */
  readonly when?: string | undefined;
  readonly action?: string | undefined;
  readonly failure?: RuleCause | undefined;
  readonly detail?: string | undefined;
}

export interface RulesContext {
  readonly scope: Scope;
  readonly allow: ReadonlySet<string>;
  /** @param path within the list of rules */
  report(path: readonly (string | number)[], message: string, offset?: number): void;
}

export interface Rule {
  readonly condition: Condition | null;
  readonly outcome: RuleAction | RuleFailure;
  /** Whether it is tried on 2xx only: it names neither `status` nor `fault`. */
  readonly successOnly: boolean;
}

/** The rules in their order; those with a mistake, which was reported, are left out. */
export function compileRules(definitions: readonly RuleDefinition[], context: RulesContext): readonly Rule[] {
  return definitions.flatMap((definition, index) => {
    const { when } = definition;
    const condition = when === undefined ? null : compileWhen(when, index, context);
    const outcome = compileOutcome(definition, index, context);
    if (condition === undefined || outcome === null) return [];
    const names = condition?.names;
    return [{ condition, outcome, successOnly: !names?.has("status") && !names?.has("fault") }];
  });
}

/** Null after a mistake, which was reported. */
function compileOutcome(
  { action = "", failure, detail }: RuleDefinition,
  index: number,
  { scope, allow, report }: RulesContext,
): RuleAction | RuleFailure | null {
  const at = (member: string) => (message: string, offset?: number) =>
    report([index, member], message, offset);
  return failure === undefined
    ? compileAction(action, { scope, allow, report: at("action") })
    : compileFailure(failure, detail, { scope, report: at("detail") });
}

/** What rules can name that does not come with the request. */
const OF_THE_REPLY: ReadonlySet<string> = new Set(["status", "headers", "body", "text", "fault", "param"]);

/** Whether the rules look at nothing but the reply. */
export function judgeByReplyAlone(rules: readonly Rule[]): boolean {
  return namesInRules(rules).every((name) => OF_THE_REPLY.has(name));
}

/** The variables that the rules read. */
export function namesInRules(rules: readonly Rule[]): readonly string[] {
  return rules.flatMap(({ condition, outcome }) => [...(condition?.names ?? []), ...outcome.names]);
}

function compileWhen(text: string, index: number, context: RulesContext): Condition | undefined {
  try {
    return compileCondition(text, context.scope);
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    context.report([index, "when"], error.message, error.offset);
    return undefined;
  }
}

/** The action that the rules give for a reply, or why they give none. */
export function applyRules(
  rules: readonly Rule[],
  reply: UpstreamReply,
  request: PolicyRequest,
  parameters: ReadonlyMap<string, unknown>,
  options: ReplyOptions,
): Verdict | Failure {
  const view = new ReplyView(reply, options);
  const variables = responseVariables(request, parameters, view);
  const success = reply.status >= 200 && reply.status <= 299;
  for (const [index, rule] of rules.entries()) {
    if (rule.successOnly && !success) continue;
    const matches = rule.condition === null || rule.condition.test(variables);
    if (view.unreadable !== null) return replyFailure(reply, sanitizeText(view.unreadable));
    if (matches instanceof EvaluationError) {
      const found = rule.condition === null ? "" : foundBy(rule.condition, view.seen, matches.message);
      const detail = `rule ${index + 1} cannot be evaluated: ${matches.message}${found}${shapeHint(view)}`;
      return untaken(reply, view, request, detail);
    }
    if (matches) return conclude(rule.outcome, index + 1, reply, view, variables);
  }
  const found = foundInstead(triedOf(rules, success), view.seen);
  const white = whiteSpaceHint(rules, view, request, parameters, options, reply);
  const hint = white ?? `${shapeHint(view)}${found}`;
  return untaken(reply, view, request, `no rule matches${hint}`);
}

/** With what the service said, unless that is a Fault, which the hint has. */
function untaken(reply: UpstreamReply, view: ReplyView, request: PolicyRequest, detail: string): Failure {
  const { words, mayNameSomebody } = saidIn(view.shortText(), request);
  if (words === "") return replyFailure(reply, sanitizeText(detail));
  if (!mayNameSomebody) return replyFailure(reply, sanitizeText(`${detail}; it said: ${words}`));
  return {
    ...replyFailure(
      reply,
      sanitizeText(`${detail}; what it said may name somebody: log.level debug shows it`),
    ),
    said: words,
  };
}

function triedOf(rules: readonly Rule[], success: boolean) {
  return rules.flatMap(({ condition, successOnly }, index) =>
    successOnly && !success ? [] : [{ number: index + 1, condition }],
  );
}

/** A service that ends its text with a line end answers no rule that compares all of it. */
function whiteSpaceHint(
  rules: readonly Rule[],
  view: ReplyView,
  request: PolicyRequest,
  parameters: ReadonlyMap<string, unknown>,
  options: ReplyOptions,
  reply: UpstreamReply,
): string | undefined {
  const readers = rules.filter(({ condition }) => condition?.names.has("text"));
  if (readers.length === 0 || view.text.trim() === view.text) return undefined;
  const trimmed = responseVariables(request, parameters, new TrimmedView(reply, options));
  const rule = readers.find(({ condition }) => condition?.test(trimmed) === true);
  if (rule === undefined) return undefined;
  return ` (rule ${rules.indexOf(rule) + 1} would, but for the white space around the text; write text.trim() in place of text)`;
}

class TrimmedView extends ReplyView {
  override get text(): string {
    return super.text.trim();
  }
}

function conclude(
  outcome: RuleAction | RuleFailure,
  rule: number,
  reply: UpstreamReply,
  view: ReplyView,
  variables: Variables,
): Verdict | Failure {
  if ("cause" in outcome) {
    const { status } = reply;
    const detail = sanitizeText(`HTTP status ${status}: rule ${rule}: ${outcome.render(variables)}`);
    return { cause: outcome.cause, detail, status };
  }
  const rendered = outcome.render(variables);
  if (typeof rendered === "string") return { action: rendered, rule };
  const reason = view.unreadable ?? rendered.problem;
  const detail = `HTTP status ${reply.status}: rule ${rule}: ${reason}`;
  return { cause: "bad_reply", detail: sanitizeText(detail), status: reply.status };
}

/** Of a status that most often means a mistake in the configuration, where to look. */
const WHERE_TO_LOOK: ReadonlyMap<number, string> = new Map([
  [401, " (look at the service's auth, and at what its files hold)"],
  [403, " (look at the service's auth; where the service denies so, add a rule with status == 403)"],
  [
    404,
    " (look at the service's url and the mapping's path; where the service denies so, add a rule with status == 404)",
  ],
  [405, " (look at the mapping's method and path)"],
]);

/** For the administrator who wonders: most often the reply is not what it was thought to be. */
function shapeHint(view: ReplyView): string {
  const { type, status } = view;
  if (status === 204) return " (the reply has no body)";
  if (status >= 300 && status <= 399) {
    return " (a redirect, which is never followed; put the address that it leads to into the service's url)";
  }
  const place = WHERE_TO_LOOK.get(status);
  if (type === "text/html") return place ?? " (the reply is an HTML page)";
  const fault = view.shortFault();
  if (fault !== null) return faultHint(fault);
  if (place !== undefined) return place;
  if (view.empty) return " (the body is empty)";
  return type === "" ? " (the reply names no content type)" : ` (the reply is ${type})`;
}
