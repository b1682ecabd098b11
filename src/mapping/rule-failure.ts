/**
 * The `failure` of a rule: a reply that says trouble with a status that says none (a SOAP `<status>ERROR</status>`, an
 * Indeterminate of XACML). It goes the way of every failure of its cause: tried again, counted, answered by what is remembered.
 */
import { ExpressionError } from "../expression/expression.ts";
import type { Scope } from "../expression/scope.ts";
import { compileTemplate } from "../expression/template.ts";
import type { Variables } from "../expression/variables.ts";
import { CAUSES, type Cause } from "../model/failure.ts";
import { renderText } from "./rule-action.ts";

/** What a reply can be said to mean: with the other two there is no reply. */
export type RuleCause = Exclude<Cause, "offline" | "circuit_open">;

export const RULE_CAUSES = CAUSES.filter(
  (cause): cause is RuleCause => cause !== "offline" && cause !== "circuit_open",
);

export interface RuleFailure {
  readonly cause: RuleCause;
  readonly names: ReadonlySet<string>;
  /** What the log says of it; not cleaned. */
  render(variables: Variables): string;
}

export interface FailureContext {
  readonly scope: Scope;
  report(message: string, offset?: number): void;
}

const NO_DETAIL = "the mapping takes this reply for a failure";

/**
 * Null after a mistake, which was reported.
 *
 * @param detail text with `${…}`; what is missing in it is nothing
 */
export function compileFailure(
  cause: RuleCause,
  detail: string | undefined,
  context: FailureContext,
): RuleFailure | null {
  if (detail === undefined) return { cause, names: new Set(), render: () => NO_DETAIL };
  try {
    const { parts, names } = compileTemplate(detail, context.scope);
    return { cause, names, render: (variables) => renderText(parts, variables) || NO_DETAIL };
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    context.report(error.message, error.offset);
    return null;
  }
}
