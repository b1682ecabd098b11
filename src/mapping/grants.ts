/** Whether a mapping grants: says OK or RELAY to a permit, as where the service says who may relay (smtpd_relay_restrictions). */
import { verbOf } from "../model/action.ts";
import type { RuleDefinition } from "./rules.ts";

const GRANTING: ReadonlySet<string> = new Set(["OK", "RELAY"]);
const PARAMETER_TEST = /\bparam\.(\w+)\s*==\s*"([^"]*)"/g;

/**
 * What the text of the rules tells: one that ends in OK or RELAY, unless its `when` asks for another value of a parameter
 * than the one that is set, as in `param.permit == "OK"`.
 */
export function grants(
  rules: readonly RuleDefinition[],
  parameters: Readonly<Record<string, unknown>>,
): boolean {
  return rules.some(
    ({ action = "", when = "" }) =>
      GRANTING.has(verbOf(action)) &&
      [...when.matchAll(PARAMETER_TEST)].every(([, name = "", value]) => parameters[name] === value),
  );
}
