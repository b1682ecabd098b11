/** Rules that do what they say and perhaps not what was meant: those that permit replies of any shape. */
import type { Rule, RuleDefinition } from "./rules.ts";

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
  const looksAtContent = rules.some((rule) => namesContent(rule));
  for (const [index, rule] of rules.entries()) {
    if (rule.action.verb === null || !PERMITTING.has(rule.action.verb)) continue;
    const when = definitions[index]?.when ?? "";
    if (namesContent(rule) ? onlyDenies(when) : looksAtContent && !/\b204\b/.test(when)) {
      warnings.set(
        index,
        'this rule permits replies of any shape, an error page or an empty body too; test for what the service says when it permits, as in body.decision == "Permit"',
      );
    }
  }
  return warnings;
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
