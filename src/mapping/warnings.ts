/** What does as it says and perhaps not as it was meant: rules that permit replies of any shape, misspelt attributes. */
import { ATTRIBUTE_NAMES } from "../model/request.ts";
import type { Path } from "../source/position.ts";
import { excerpt } from "../text/excerpt.ts";
import { suggestion } from "../text/nearest.ts";
import type { Rule, RuleDefinition } from "./rules.ts";
import type { ExampleDefinition } from "./schema.ts";

const PERMITTING: ReadonlySet<string> = new Set(["OK", "RELAY", "DUNNO", "PREPEND", "INFO", "WARN"]);
const CONTENT = ["body", "text", "headers"] as const;

/**
 * The warning for each rule by its index.
 *
 * @param rules compiled from `definitions`, all of them
 */
export function warnOfRules(
  definitions: readonly RuleDefinition[],
  rules: readonly Rule[],
): ReadonlyMap<number, string> {
  const warnings = new Map<number, string>();
  // A service may well answer by its status alone: then there is one that says no.
  const isDeniedByStatus = rules.some(
    ({ condition, outcome }) => condition?.names.has("status") && !permits(outcome),
  );
  const looksAtContent = rules.some((rule) => namesContent(rule));
  for (const [index, rule] of rules.entries()) {
    const { outcome } = rule;
    if (!permits(outcome)) continue;
    const when = definitions[index]?.when ?? "";
    const byStatus = /\b204\b/.test(when) || (isDeniedByStatus && !looksAtContent);
    if (namesContent(rule) ? onlyDenies(when) : !byStatus) {
      warnings.set(
        index,
        'this rule permits replies of any shape, an error page or an empty body too; test for what the service says when it permits, as in body.decision == "Permit"; a service that answers by status alone needs a rule for the status that denies, as in status == 403',
      );
    }
  }
  return warnings;
}

function permits(outcome: Rule["outcome"]): boolean {
  return !("cause" in outcome) && outcome.verb !== null && PERMITTING.has(outcome.verb);
}

function namesContent({ condition }: Rule): boolean {
  return condition !== null && CONTENT.some((name) => condition.names.has(name));
}

const PATH = String.raw`\b(?:body|text|headers)\b[\w.?\[\]"'-]*`;
const NEGATIONS = new RegExp(String.raw`!\s*\([^()]*(?:\([^()]*\)[^()]*)*\)|!\s*${PATH}|${PATH}\s*!=`, "g");

/** Whether nothing but negations is left that looks at the content: `body.decision != "Deny"`. */
function onlyDenies(when: string): boolean {
  const rest = when.replace(NEGATIONS, "");
  return !CONTENT.some((name) => new RegExp(String.raw`\b${name}\b`).test(rest));
}

const EXAMPLE_NAMES: ReadonlySet<string> = new Set([
  ...ATTRIBUTE_NAMES,
  "recipients",
  "recipients_complete",
  "listener",
]);

/** An attribute that Postfix does not send may be a slip, and the example then shows something else than it seems to. */
export function* warnOfExamples(examples: readonly ExampleDefinition[]): Iterable<[Path, string]> {
  for (const [index, { request }] of examples.entries()) {
    for (const name of Object.keys(request)) {
      if (EXAMPLE_NAMES.has(name)) continue;
      const message = `Postfix sends no attribute "${excerpt(name)}"${suggestion(name, EXAMPLE_NAMES)}`;
      yield [[index, "request", name], message];
    }
  }
}
