/**
 * What a decision was, in spans: one for the decision, one below it for each attempt to ask a service. Put together while it
 * is made, written when it is over; so that nothing is begun that might never end.
 *
 * Nothing of what Postfix or a service said is in them but ids: who reads traces is rarely who may read mail.
 */
import type { DecisionTrace } from "../bridge/tracer.ts";
import { verbOf } from "../model/action.ts";
import type { Decision } from "../model/decision.ts";
import type { UpstreamReply } from "../model/exchange.ts";
import type { Failure } from "../model/failure.ts";
import { attribute, type PolicyRequest } from "../model/request.ts";
import type { AttemptPlace } from "../upstream/options.ts";
import { spanId, traceId } from "../upstream/trace-context.ts";

/** Times are in milliseconds since 1970. */
export interface SpanRecord {
  readonly trace: string;
  readonly span: string;
  readonly name: string;
  readonly kind: "server" | "client";
  readonly start: number;
  readonly end: number;
  readonly failed: string | undefined;
  readonly attributes: Readonly<Record<string, string | number>>;
}

interface AttemptRecord {
  readonly attempt: number;
  readonly url: string;
  readonly start: number;
  end: number;
  outcome: { readonly status: number } | { readonly cause: string };
}

/** A call that is retried, refreshed and interrupted makes no more than this. */
const MOST_ATTEMPTS = 50;

export class DecisionSpans implements DecisionTrace {
  /** So that each attempt is its own. */
  readonly alone = true;
  readonly #request: PolicyRequest;
  readonly #write: (spans: readonly SpanRecord[]) => void;
  readonly #attempts: AttemptRecord[] = [];
  #route: number | undefined;
  #isOver = false;

  /** @param write takes the decision's span first, then those below it */
  constructor(request: PolicyRequest, write: (spans: readonly SpanRecord[]) => void) {
    this.#request = request;
    this.#write = write;
  }

  onRoute({ number }: { readonly number: number }): void {
    this.#route = number;
  }

  onRendered(): void {}

  onRemembered(): void {}

  onShared(): void {}

  onAttempt(attempt: number, { origin, join }: AttemptPlace, path: string): void {
    if (this.#isOver || this.#attempts.length === MOST_ATTEMPTS) return;
    const [plain = ""] = (origin + join(path)).split("?");
    this.#attempts.push({ attempt, url: plain, start: now(), end: 0, outcome: { cause: "interrupted" } });
  }

  onReply(attempt: number, { status }: UpstreamReply): void {
    this.#ended(attempt, { status });
  }

  onFailure(attempt: number, { cause }: Failure): void {
    this.#ended(attempt, { cause });
  }

  #ended(attempt: number, outcome: AttemptRecord["outcome"]): void {
    const record = this.#attempts.findLast((record) => record.attempt === attempt && record.end === 0);
    if (record === undefined) return;
    record.end = now();
    record.outcome = outcome;
  }

  end(decision: Decision): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { id, startedAt } = this.#request;
    const trace = traceId(attribute(this.#request, "instance"), id);
    const end = now();
    this.#write([
      {
        trace,
        span: spanId(id, 0),
        name: "policy decision",
        kind: "server",
        start: performance.timeOrigin + startedAt,
        end,
        failed: decision.source === "default" ? decision.cause : undefined,
        attributes: this.#attributes(decision),
      },
      ...this.#attempts.map((record) => attemptSpan(record, id, trace, end)),
    ]);
  }

  #attributes({ source, service, cause, rule, action, age }: Decision): SpanRecord["attributes"] {
    const known = {
      "pfxbridge.listener": this.#request.listener,
      "pfxbridge.source": source,
      "pfxbridge.service": service,
      "pfxbridge.cause": cause,
      "pfxbridge.rule": rule,
      "pfxbridge.route": this.#route,
      "pfxbridge.action": action === null ? "closed" : verbOf(action),
      "pfxbridge.age": age,
      "pfxbridge.request_id": this.#request.id,
      "postfix.protocol_state": attribute(this.#request, "protocol_state"),
      "postfix.queue_id": attribute(this.#request, "queue_id") || undefined,
      "postfix.instance": attribute(this.#request, "instance") || undefined,
    };
    return defined(known);
  }
}

function attemptSpan(
  { attempt, url, start, end, outcome }: AttemptRecord,
  id: string,
  trace: string,
  over: number,
) {
  const cause = "cause" in outcome ? outcome.cause : undefined;
  const status = "status" in outcome ? outcome.status : undefined;
  return {
    trace,
    span: spanId(id, attempt),
    name: "call",
    kind: "client" as const,
    start,
    end: end === 0 ? over : end,
    failed: cause ?? (status !== undefined && status >= 500 ? `http ${status}` : undefined),
    attributes: defined({
      "url.full": url,
      "http.response.status_code": status,
      "error.type": cause,
      "pfxbridge.attempt": attempt,
    }),
  };
}

function defined(values: Readonly<Record<string, string | number | undefined>>): SpanRecord["attributes"] {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  ) as SpanRecord["attributes"];
}

function now(): number {
  return performance.timeOrigin + performance.now();
}
