/** Which decisions are meant: by what a help desk has in hand, or what a page filters by. */
import { isRefusal, verbOf } from "../model/action.ts";
import type { Decision, Source } from "../model/decision.ts";
import type { AttributeName, PolicyRequest } from "../model/request.ts";

export interface DecisionQuery {
  /** The beginning of a request_id, in lower case. */
  readonly id?: string | undefined;
  readonly queueId?: string | undefined;
  /** Addresses, upper or lower case being one. */
  readonly sender?: string | undefined;
  readonly recipient?: string | undefined;
  readonly source?: Source | undefined;
  /** A verb or reply code; `refused` for all that turn the client away. */
  readonly action?: string | undefined;
  readonly service?: string | undefined;
  /** Stands somewhere in action, service, listener, cause or an attribute. */
  readonly text?: string | undefined;
  /** A cursor: only what was decided since. */
  readonly after?: string | undefined;
  readonly limit: number;
  /** Whether it is shown how each came about. */
  readonly steps: boolean;
}

type Filter = (request: PolicyRequest, decision: Decision) => boolean;

/** All that is asked for must be so; texts are compared as they are, never as patterns. */
export function compileFilter(query: DecisionQuery): Filter {
  const { id, queueId, sender, recipient, source, action, service, text } = query;
  const filters: Filter[] = [];
  if (id !== undefined) filters.push((request) => request.id.startsWith(id));
  const same = (name: AttributeName, wanted: string | undefined) => {
    if (wanted === undefined) return;
    const lower = wanted.toLowerCase();
    filters.push(({ attributes }) => (attributes.get(name) ?? "").toLowerCase() === lower);
  };
  same("queue_id", queueId);
  same("sender", sender);
  same("recipient", recipient);
  if (source !== undefined) filters.push((_, decision) => decision.source === source);
  if (service !== undefined) filters.push((_, decision) => decision.service === service);
  if (action !== undefined) filters.push((_, decision) => hasAction(decision.action, action));
  if (text !== undefined) {
    const lower = text.toLowerCase();
    filters.push((request, decision) => isIn(lower, request, decision));
  }
  return (request, decision) => filters.every((filter) => filter(request, decision));
}

function hasAction(action: string | null, wanted: string): boolean {
  // Postfix applies its own default, or asks again: nobody is refused here.
  if (action === null) return wanted === "none";
  return wanted === "refused" ? isRefusal(action) : verbOf(action) === wanted;
}

/** Nothing that may hold a secret is looked into: who could search there could guess it, letter by letter. */
function isIn(text: string, { attributes, listener }: PolicyRequest, decision: Decision): boolean {
  const { action, service, cause } = decision;
  for (const some of [action, service, cause, listener]) if (some?.toLowerCase().includes(text)) return true;
  for (const value of attributes.values()) if (value.toLowerCase().includes(text)) return true;
  return false;
}
