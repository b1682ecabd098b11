/**
 * The way of a request, whole: route, call, reply, action, or on_failure's answer where that way ends early.
 *
 *     Subject ─▶ route ─▶ render ─▶ ask ─▶ interpret ─▶ Decision
 *                            ╰─────────┴──────┴─ failure ─▶ on_failure ─▶ Decision
 *
 * Never rejects, and ends within the service's deadline.
 */
import { answerTo, FAIL_CLOSED, type OnFailure } from "../config/on-failure.ts";
import { requestVariables } from "../expression/variables.ts";
import { isFailure, type Subject, type Verdict } from "../mapping/mapping.ts";
import type { CallResult } from "../upstream/call.ts";
import { Deadline } from "../upstream/deadline.ts";
import type { UpstreamReply, UpstreamRequest } from "../upstream/exchange.ts";
import type { Failure } from "../upstream/failure.ts";
import type { Trace as UpstreamTrace } from "../upstream/options.ts";
import type { Decision } from "./decision.ts";
import { matchRoute, type Route } from "./routes.ts";
import type { Service } from "./service.ts";

/** What a decision is made from; one for each loaded configuration. */
export interface Policy {
  readonly routes: readonly Route[];
  /** Replaces secrets that a reply echoes. */
  readonly mask: (text: string) => string;
}

/** Told of each step, for `pfxbridge try`. */
export interface Trace extends UpstreamTrace {
  onRoute(route: Route): void;
  onRendered(request: UpstreamRequest): void;
}

/**
 * Decides one request.
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
    return failed(route, "service" in target ? target.onFailure : FAIL_CLOSED, subject, { attempts: 0 });
  }
  trace?.onRoute(route);
  if ("action" in route.target) return { action: route.target.action, source: "route", attempts: 0 };

  const { service, onFailure } = route.target;
  const way: Way = { service: service.name, mapping: service.mapping.name, attempts: 0 };
  if (service.isOffline()) return failed(OFFLINE, onFailure, subject, way);
  return ask(service, subject, startedAt, trace).then(
    ({ answer, status, attempts }) => {
      const asked: Way = { ...way, attempts, ...(status !== undefined && { status }) };
      if (isFailure(answer)) return failed(answer, onFailure, subject, asked);
      return { ...asked, action: policy.mask(answer.action), source: "upstream", rule: answer.rule };
    },
    (error: Error) => {
      const detail = `a fault of the bridge itself, please report it: ${error?.message ?? error}`;
      return failed({ cause: "mapping_error", detail }, onFailure, subject, way);
    },
  );
}

/** What is known of the way so far, whatever its end. */
type Way = Pick<Decision, "service" | "mapping" | "status" | "attempts">;

async function ask(
  service: Service,
  subject: Subject,
  startedAt: number,
  trace: Trace | undefined,
): Promise<CallResult<Verdict>> {
  const { mapping, upstream } = service;
  const deadline = new Deadline(startedAt + service.deadline - performance.now());
  const rendering = mapping.render(subject);
  const request = rendering instanceof Promise ? await deadline.cut(rendering, RENDERING_LATE) : rendering;
  if (isFailure(request)) return { answer: request, attempts: 0 };
  trace?.onRendered(request);
  const interpret = (reply: UpstreamReply) => mapping.interpret(reply, subject);
  return upstream.call(request, subject.requestId, deadline, interpret, trace);
}

function failed(failure: Failure, onFailure: OnFailure, subject: Subject, way: Way): Decision {
  return {
    ...way,
    action: answerTo(onFailure, failure.cause, subject.requestId),
    source: "default",
    cause: failure.cause,
    detail: failure.detail,
  };
}

const RENDERING_LATE: Failure = {
  cause: "timeout",
  detail: "the mapping had not finished with the request when the deadline came",
};
const OFFLINE: Failure = { cause: "offline", detail: "switched offline: no call is made" };
const NO_PARAMETERS: ReadonlyMap<string, unknown> = new Map();
