/**
 * The way of a request, whole: a route, then the service it leads to, or the route's own action.
 *
 *     PolicyRequest ─▶ route ─▶ service (ask.ts: remembered, called, or on_failure) ─▶ Decision
 */
import { answerTo, FAIL_CLOSED } from "../config/on-failure.ts";
import { requestVariables } from "../expression/variables.ts";
import { isFailure } from "../mapping/mapping.ts";
import type { Decision } from "../model/decision.ts";
import type { MaybePromise } from "../model/maybe-promise.ts";
import type { PolicyRequest } from "../model/request.ts";
import { Asking, type AskTrace } from "./ask.ts";
import { matchRoute, type Route } from "./routes.ts";

/** What a decision is made from; one for each loaded configuration. */
export interface Policy {
  readonly routes: readonly Route[];
}

/** Told of each step. */
export interface Trace extends AskTrace {
  onRoute(route: Route): void;
}

/**
 * Decides one request: at once where nothing has to be waited for. Never throws nor rejects, and ends within the service's
 * deadline.
 */
export function decide(policy: Policy, request: PolicyRequest, trace?: Trace): MaybePromise<Decision> {
  const route = matchRoute(policy.routes, requestVariables(request, NO_PARAMETERS));
  if (isFailure(route)) {
    const { target } = route.route;
    const onFailure = "service" in target ? target.onFailure : FAIL_CLOSED;
    const action = answerTo(onFailure, route, request);
    return { ...UNASKED, action, source: "default", cause: route.cause, detail: route.detail };
  }
  trace?.onRoute(route);
  const { target } = route;
  if ("action" in target) return { ...UNASKED, action: target.action, source: "route" };
  return new Asking(target.service, request, target.onFailure, trace).decide();
}

/** Of a decision that no service had a part in. */
const UNASKED = {
  service: undefined,
  mapping: undefined,
  cause: undefined,
  detail: undefined,
  said: undefined,
  rule: undefined,
  status: undefined,
  attempts: 0,
  batchId: undefined,
  age: undefined,
} as const;

const NO_PARAMETERS: ReadonlyMap<string, unknown> = new Map();
