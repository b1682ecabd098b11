/**
 * Recipients that are a part of all (src/postfix/recipients.ts): whoever reads `recipients` gets no value from them, unless
 * `recipients_complete` is read as well. "None of them is outside" would otherwise be true of a list that lacks some.
 */
import { type Condition, EvaluationError } from "./expression.ts";
import type { Variables } from "./variables.ts";

/** Whether what reads these variables, and no others, leans on the recipients being all there. */
export function needsAllRecipients(names: ReadonlySet<string>): boolean {
  return names.has("recipients") && !names.has("recipients_complete");
}

/** Why the recipients cannot be used, for a log; null where all are there. */
export function recipientsProblem({
  recipients_complete: complete,
  recipients,
  recipient_count: count,
}: Variables): string | null {
  if (complete === true) return null;
  const known = Array.isArray(recipients) ? recipients.length : 0;
  const all = Number(count) > 0 ? String(count) : "an unknown number";
  return (
    `recipients holds ${known}, and Postfix took ${all}: not all were asked about at RCPT on this connection. Let Postfix ask ` +
    "at RCPT too, by the same check_policy_service and before anything that permits, or read recipients_complete"
  );
}

/** The condition, which has no value where it reads recipients of which some are missing. */
export function refusingPart(condition: Condition): Condition {
  if (!needsAllRecipients(condition.names)) return condition;
  return {
    ...condition,
    test: (variables) => {
      const problem = recipientsProblem(variables);
      return problem === null ? condition.test(variables) : new EvaluationError(problem);
    },
  };
}
