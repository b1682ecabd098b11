/**
 * One call of a service, with as many attempts as it takes: the way of an attempt through circuit, credentials,
 * slot and exchange to an answer or a failure.
 *
 * The first attempt goes that way step by step without a promise in between, unless something has to be waited for.
 * Only when it has failed in a way that may pass does p-retry take over.
 */

import type { UpstreamReply, UpstreamRequest } from "../model/exchange.ts";
import { type Failure, isFailure } from "../model/failure.ts";
import type { Deadline } from "../time/deadline.ts";
import { ANYBODY, type Asker } from "./asker.ts";
import { Attempt, type AttemptOwner, type AttemptTarget } from "./attempt.ts";
import type { Authenticator, AuthHeaders } from "./auth.ts";
import type { Discovery } from "./discovery.ts";
import type { CallHeaders } from "./headers.ts";
import type { Circuit, Permit } from "./limits/circuit.ts";
import type { Limiter, Outcome } from "./limits/limiter.ts";
import type { AttemptMeter } from "./meter.ts";
import type { Trace, UpstreamOptions } from "./options.ts";
import { type Retried, type RetryOptions, retry } from "./retry.ts";
import { isRetryable, retryAfter } from "./retryable.ts";
import { unsendable, withQuery } from "./target.ts";
import { type Sampling, spanId, traceId, traceparent } from "./trace-context.ts";
import { messageOf, ownTrouble } from "./transport/errors.ts";

/** One URL of a service. */
export interface Endpoint extends AttemptTarget {
  readonly origin: string;
  readonly circuit: Circuit;
  /** What knows its paths, where the service describes itself; no call is made before. */
  readonly discovery: Discovery | null;
}

/** What all calls of a service share. */
export interface CallContext {
  readonly name: string;
  readonly endpoints: readonly Endpoint[];
  readonly limiter: Limiter;
  readonly headers: CallHeaders;
  readonly authenticator: Authenticator;
  readonly seal: UpstreamOptions["seal"];
  readonly retry: RetryOptions;
  readonly meter: AttemptMeter;
  /** Whether a trace is recorded; null: calls say nothing of one. */
  readonly sampling: Sampling | null;
}

/** What a service is to be asked. */
export interface Question<T extends object> {
  readonly request: UpstreamRequest;
  /** Sent as X-Request-ID with each attempt. */
  readonly id: string;
  /** The `instance` of the message that it is about, whose requests share a trace; none, or left out: it is a trace of its own. */
  readonly instance?: string;
  readonly deadline: Deadline;
  /**
   * Says of a complete reply whether it is an answer. Failures that speak of the service's condition (http_5xx, and http_4xx
   * with the status 429 or 408) are tried again.
   */
  readonly interpret: Interpret<T>;
  /** Who is behind it; left out: nobody in particular. */
  readonly asker?: Asker;
  readonly trace?: Trace | undefined;
}

/** How a call ended. */
export interface CallResult<T extends object> {
  readonly answer: T | Failure;
  /** Of the last complete reply. */
  readonly status?: number;
  /** Those made, but for what was interrupted and asked again. */
  readonly attempts: number;
  /** Of the batch that the call was a part of, if any. */
  readonly batchId?: string;
}

/** Says of a complete reply whether it is an answer. */
export type Interpret<T extends object> = (reply: UpstreamReply) => T | Failure | Promise<T | Failure>;

/** RFC 6585 §4, RFC 9110 §15.6.4. */
const SAYS_TOO_MUCH: ReadonlySet<number> = new Set([429, 503]);

/** What another address would not be answered (RFC 9110 §15.5). */
const NOT_THERE: ReadonlySet<number> = new Set([404, 405, 410]);

/** Of one call, after which the next one is a failure like others. */
const MOST_INTERRUPTIONS = 5;

const NOBODY: readonly string[] = [];

export const INTERPRETATION_LATE: Failure = {
  cause: "timeout",
  detail: "the mapping had not finished with the reply when the deadline came",
};
const TOO_LATE: Failure = { cause: "timeout", detail: "the deadline came before the call could be made" };

function credentialsLate(place = "where they come from"): Failure {
  const detail = `the credentials for the service were not there when the deadline came; ${place} had not answered`;
  return { cause: "timeout", detail };
}

const DISCOVERY_LATE: Failure = {
  cause: "timeout",
  detail: "the service had not said where it is asked (discover) when the deadline came",
};

export class Call<T extends object> implements AttemptOwner, Retried<T> {
  readonly deadline: Deadline;
  readonly #context: CallContext;
  readonly #question: Question<T>;
  readonly #asker: Asker;
  readonly #subject: string;
  readonly #trace: Trace | undefined;
  readonly #done: (result: CallResult<T>) => void;
  #attempts = 0;
  #status = 0;
  /** Which endpoint was tried last; before the first, the one before the first. */
  #last = -1;
  #permit: Permit | null = null;
  /** Where the attempt under way leads, and its headers. */
  #endpoint: Endpoint | null = null;
  #headers: string[] = [];
  /** As asked, with what `auth` adds to it. */
  #request: UpstreamRequest;
  #interruptions = 0;
  /** Who waits for the end of an attempt: p-retry, or nobody during the first. */
  #retrying: ((outcome: T | Failure) => void) | null = null;

  constructor(context: CallContext, question: Question<T>, done: (result: CallResult<T>) => void) {
    const { deadline, asker = ANYBODY, trace } = question;
    this.#context = context;
    this.#question = question;
    this.#request = question.request;
    this.deadline = deadline;
    this.#asker = asker;
    this.#subject = asker.subject;
    this.#trace = trace;
    this.#done = done;
  }

  start(): void {
    this.#begin();
  }

  admits(): boolean {
    return this.#context.endpoints.some(({ circuit }) => circuit.admits(this.#subject));
  }

  get expectedLatency(): number {
    return this.#context.limiter.expectedLatency;
  }

  attempt(): Promise<T | Failure> {
    return new Promise((resolve) => {
      this.#retrying = resolve;
      this.#begin();
    });
  }

  #begin(): void {
    if (!this.admits()) {
      this.#endAttempt(this.#circuitOpen());
      return;
    }
    const { authenticator } = this.#context;
    const credentials = authenticator.headers();
    if (credentials instanceof Promise) this.#awaitCredentials(credentials, authenticator);
    else if (isFailure(credentials)) this.#uncredentialed(credentials);
    else this.#authenticated(credentials);
  }

  #awaitCredentials(credentials: Promise<AuthHeaders | Failure>, { place }: Authenticator): void {
    const started = performance.now();
    const fetched = (headers: AuthHeaders | Failure) => {
      const failure = isFailure(headers) ? headers : null;
      this.#trace?.onCredentials?.(place ?? "", failure, performance.now() - started);
      if (isFailure(headers)) this.#uncredentialed(headers);
      else this.#authenticated(headers);
    };
    this.deadline
      .cut(credentials, credentialsLate(place))
      .then(fetched, (error) => fetched(credentialsFailed(error)));
  }

  /** Fetching them has its own attempts: it is not tried again because the call is. */
  #uncredentialed(failure: Failure): void {
    if (this.#retrying !== null) this.#endAttempt(failure);
    else this.#endCall(failure);
  }

  #authenticated(credentials: AuthHeaders): void {
    const request = this.#addressed();
    const headers = isFailure(request)
      ? request
      : (unsendable(request) ??
        this.#context.headers.assemble(request.headers, this.#question.id, credentials, this.#traceparent()));
    if (!Array.isArray(headers) || isFailure(request)) {
      this.#endAttempt(headers as Failure);
      return;
    }
    this.#request = request;
    const slot = this.#context.limiter.acquire(this.#subject, this.deadline);
    if (slot instanceof Promise) slot.then((granted) => this.#admit(granted, headers, true));
    else this.#admit(slot, headers, false);
  }

  #traceparent(): string {
    const { sampling } = this.#context;
    if (sampling === null) return "";
    const { instance = "", id } = this.#question;
    const trace = traceId(instance, id);
    return traceparent(trace, spanId(id, this.#attempts + 1), sampling(trace));
  }

  #admit(granted: boolean, headers: string[], waited: boolean): void {
    if (granted) this.#send(headers, waited);
    else this.#endAttempt(this.#overload());
  }

  /** The slot is taken from here on. */
  #send(headers: string[], waited: boolean): void {
    const inTime = this.deadline.remaining() > 0;
    const endpoint = inTime ? this.#admitted() : null;
    if (endpoint === null) {
      this.#release("unknown");
      this.#endAttempt(inTime ? this.#circuitOpen() : waited ? this.#overload() : TOO_LATE);
      return;
    }
    this.#attempts++;
    this.#endpoint = endpoint;
    this.#headers = headers;
    const problem = endpoint.discovery?.ready(this.#permit!.trial) ?? null;
    if (!(problem instanceof Promise)) this.#discovered(problem, false);
    else void this.deadline.cut(problem, DISCOVERY_LATE).then((late) => this.#discovered(late, true));
  }

  /** @param tried whether the service was asked, or a failure told again while it is left alone */
  #discovered(problem: Failure | null, tried: boolean): void {
    if (problem === null) {
      this.#exchange(false);
    } else {
      this.#release("unknown");
      if (tried && isRetryable(problem)) this.#permit!.failed(problem.detail, NOBODY);
      else this.#permit!.interrupted(problem.detail);
      this.#endAttempt(problem);
    }
  }

  /** @param again whether it takes the place of an exchange that was interrupted */
  #exchange(again: boolean): void {
    const endpoint = this.#endpoint!;
    const request = this.#sealed(endpoint);
    const attempt = new Attempt(this, request, this.#question.id, endpoint, this.deadline, again);
    if (this.#trace !== undefined) {
      if (endpoint.discovery !== null) this.#trace.onDiscovered?.(endpoint.discovery.report);
      this.#trace.onAttempt(this.#attempts, endpoint, request.path, this.#headers, request.body);
    }
    attempt.start(this.#headers);
  }

  #addressed(): UpstreamRequest | Failure {
    const { query } = this.#context.authenticator;
    const { request } = this.#question;
    if (query === undefined) return request;
    const path = withQuery(request.path, query);
    return typeof path === "string" ? { ...request, path } : path;
  }

  #sealed(endpoint: Endpoint): UpstreamRequest {
    const { seal } = this.#context;
    const request = this.#request;
    const { path, body } = request;
    if (seal === undefined || body === null) return request;
    return { ...request, body: seal(body, endpoint.origin + endpoint.join(path)) };
  }

  /**
   * The next endpoint, after the one tried last, whose circuit lets a call through; one whose paths cannot be had at the
   * moment only where there is no other.
   */
  #admitted(): Endpoint | null {
    return this.#admittedOf(false) ?? this.#admittedOf(true);
  }

  #admittedOf(pausing: boolean): Endpoint | null {
    const { endpoints } = this.#context;
    for (let step = 1; step <= endpoints.length; step++) {
      const index = (this.#last + step) % endpoints.length;
      const endpoint = endpoints[index]!;
      if ((endpoint.discovery?.pausing ?? false) !== pausing) continue;
      const permit = endpoint.circuit.admit(this.#subject);
      if (permit === null) continue;
      this.#last = index;
      this.#permit = permit;
      return endpoint;
    }
    return null;
  }

  onReply(reply: UpstreamReply, milliseconds: number): void {
    this.#release(SAYS_TOO_MUCH.has(reply.status) ? "refused" : milliseconds);
    this.#status = reply.status;
    if (NOT_THERE.has(reply.status)) this.#endpoint!.discovery?.doubt();
    this.#context.meter.replied(milliseconds);
    this.#trace?.onReply(this.#attempts, reply, milliseconds);
    let answer: T | Failure | Promise<T | Failure>;
    try {
      answer = this.#question.interpret(reply);
    } catch (error) {
      answer = uninterpreted(error);
    }
    if (answer instanceof Promise) {
      this.deadline.cut(answer, INTERPRETATION_LATE).then(
        (outcome) => this.#interpreted(outcome, reply),
        (error) => this.#interpreted(uninterpreted(error), reply),
      );
    } else {
      this.#interpreted(answer, reply);
    }
  }

  #interpreted(outcome: T | Failure, reply: UpstreamReply): void {
    // That the mapping's own code was late says nothing of the service.
    if (isFailure(outcome) && isRetryable(outcome) && outcome !== INTERPRETATION_LATE) {
      // 429 and 408 speak of this asker, and anybody can bring them about.
      if (outcome.cause === "http_4xx") this.#permit!.declined();
      else this.#permit!.failed(outcome.detail, this.#asker.blamed);
      const pause = retryAfter(reply);
      this.#endAttempt(pause === undefined ? outcome : { ...outcome, retryAfter: pause });
    } else {
      this.#permit!.succeeded();
      this.#endAttempt(outcome);
    }
  }

  onFailure(failure: Failure, milliseconds: number, asked: boolean): void {
    const silent = failure.cause === "timeout" && failure.blameless !== true;
    this.#release(silent ? { silentFor: milliseconds } : "unknown");
    this.#context.meter.failed(failure.cause);
    this.#trace?.onFailure(this.#attempts, failure, milliseconds);
    if (failure.blameless === true) this.#permit!.interrupted(failure.detail);
    else if (failure.cause === "bad_reply") this.#permit!.succeeded();
    else this.#permit!.failed(failure.detail, asked ? this.#asker.blamed : NOBODY);
    this.#endAttempt(failure);
  }

  #release(outcome: Outcome): void {
    const blamed = typeof outcome === "number" || outcome === "unknown" ? NOBODY : this.#asker.blamed;
    this.#context.limiter.release(this.#subject, outcome, blamed);
  }

  /** At once on another connection, as part of the same attempt; a service that ends each one is left alone for a while. */
  onInterrupted(failure: Failure, milliseconds: number, moved: boolean): void {
    if (this.#interruptions === MOST_INTERRUPTIONS || this.deadline.remaining() === 0) {
      this.onFailure(failure, milliseconds, true);
      return;
    }
    // Where others are answered each time, its turn comes.
    if (!moved) this.#interruptions++;
    this.#trace?.onFailure(this.#attempts, failure, milliseconds);
    this.#exchange(true);
  }

  /** Or before it: when it could not be made. Tried again where that may help, else the call is over. */
  #endAttempt(outcome: T | Failure): void {
    const retrying = this.#retrying;
    if (retrying !== null) {
      this.#retrying = null;
      retrying(outcome);
    } else if (isFailure(outcome) && isRetryable(outcome) && this.#mayRetry()) {
      void retry(this, outcome, this.#context.retry).then((last) => this.#endCall(last));
    } else {
      this.#endCall(outcome);
    }
  }

  #mayRetry(): boolean {
    return this.#context.retry.attempts > 1 && this.deadline.remaining() > this.expectedLatency;
  }

  #endCall(answer: T | Failure): void {
    const attempts = this.#attempts;
    this.#done(this.#status === 0 ? { answer, attempts } : { answer, attempts, status: this.#status });
  }

  #circuitOpen(): Failure {
    const { endpoints, name } = this.#context;
    const urls = endpoints.map(({ url }) => url).join(", ");
    return { cause: "circuit_open", detail: `no call was made to ${name}: its circuit is open (${urls})` };
  }

  #overload(): Failure {
    const { name, limiter } = this.#context;
    const slots = `${limiter.report.limit} calls at once (max_in_flight)`;
    if (limiter.hasItsShare(this.#subject)) {
      const detail = `no slot became free for ${this.#subject} in time: it has its share of the ${slots} that ${name} gets already, and the rest is kept for others (fair)`;
      return { cause: "overload", detail, provoked: true };
    }
    const detail = `no slot became free for ${name} in time: it gets ${slots}, and they take too long`;
    return { cause: "overload", detail };
  }
}

function credentialsFailed(error: unknown): Failure {
  const own = ownTrouble(error);
  if (own !== null) return { cause: "overload", detail: `no credentials: ${own}`, blameless: true };
  return { cause: "unreachable", detail: `no credentials: ${messageOf(error)}` };
}

/** Why a reply could not be read, from what its reader threw. */
export function uninterpreted(error: unknown): Failure {
  const own = ownTrouble(error);
  if (own !== null)
    return { cause: "overload", detail: `the mapping could not read the reply: ${own}`, blameless: true };
  return { cause: "bad_reply", detail: `the mapping failed on the reply: ${messageOf(error)}` };
}
