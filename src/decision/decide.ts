/**
 * The way of a request, whole: a route, then the service it leads to, or the route's own action.
 *
 *     Subject ─▶ route ─▶ service (ask.ts: remembered, called, or on_failure) ─▶ Decision
 *
 * Never rejects, and ends within the service's deadline.
 */
import { answerTo, FAIL_CLOSED, type OnFailure } from "../config/on-failure.ts";
import { requestVariables } from "../expression/variables.ts";
import { isFailure, type Subject } from "../mapping/mapping.ts";
import type { Failure } from "../upstream/failure.ts";
import { Asking, type AskTrace } from "./ask.ts";
import type { Decision } from "./decision.ts";
import { matchRoute, type Route } from "./routes.ts";

/** What a decision is made from; one for each loaded configuration. */
export interface Policy {
  readonly routes: readonly Route[];
  /** Replaces secrets that a reply echoes. */
  readonly mask: (text: string) => string;
}

/** Told of each step, for `pfxbridge try`. */
export interface Trace extends AskTrace {
  onRoute(route: Route): void;
}

/**
 * Decides one request: at once where nothing has to be waited for.
 *
 * @param startedAt when the deadline began, in the milliseconds of `performance.now()`
 */
export function decide(
  policy: Policy,
  subject: Subject,
  startedAt: number,
  trace?: Trace,
): Decision | Promise<Decision> {
  const route = matchRoute(policy.routes, requestVariables(subject, NO_PARAMETERS));
  if (isFailure(route)) {
    const { target } = route.route;
    return failed(route, "service" in target ? target.onFailure : FAIL_CLOSED, subject);
  }
  trace?.onRoute(route);
  const { target } = route;
  if ("action" in target) return { action: target.action, source: "route", attempts: 0 };

  const fault = (error: unknown) => {
    const detail = `a fault of the bridge itself, please report it: ${error instanceof Error ? error.message : error}`;
    const failure = failed({ cause: "mapping_error", detail }, target.onFailure, subject);
    return { ...failure, service: target.service.name, mapping: target.service.mapping.name };
  };
  try {
    const decision = new Asking(target.service, subject, target.onFailure, startedAt, trace).decide();
    if (!(decision instanceof Promise)) return masked(decision, policy);
    return decision.then((decided) => masked(decided, policy), fault);
  } catch (error) {
    return fault(error);
  }
}

/** A service may echo what it was sent, credentials included. */
function masked(decision: Decision, { mask }: Policy): Decision {
  if (decision.action === null) return decision;
  const action = mask(decision.action);
  return action === decision.action ? decision : { ...decision, action };
}

function failed({ cause, detail }: Failure, onFailure: OnFailure, subject: Subject): Decision {
  const action = answerTo(onFailure, cause, subject.requestId);
  return { action, source: "default", cause, detail, attempts: 0 };
}

const NO_PARAMETERS: ReadonlyMap<string, unknown> = new Map();
