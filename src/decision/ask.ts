/**
 * From a service to a decision: what is remembered, a call, what is remembered in spite of its age, on_failure; whichever
 * comes first.
 *
 *     render ─▶ remembered? ─▶ call ─▶ rules ─▶ Decision
 *                   │ fresh      │ failure
 *                   ▼            ▼
 *               Decision     remembered, stale? ─▶ Decision
 *                                │ no
 *                                ▼
 *                            on_failure ─▶ Decision
 *
 * Whatever is there at once is decided at once, without a promise.
 */

import type { DecisionCache, Found } from "../cache/cache.ts";
import { answerTo, type OnFailure } from "../config/on-failure.ts";
import { isFailure } from "../mapping/mapping.ts";
import type { Decision, Source, Verdict } from "../model/decision.ts";
import type { UpstreamReply, UpstreamRequest } from "../model/exchange.ts";
import type { Failure } from "../model/failure.ts";
import { after, type MaybePromise } from "../model/maybe-promise.ts";
import { attribute, type PolicyRequest } from "../model/request.ts";
import { Deadline } from "../time/deadline.ts";
import type { Asker } from "../upstream/asker.ts";
import type { CallResult } from "../upstream/call.ts";
import type { Trace as UpstreamTrace } from "../upstream/options.ts";
import type { Answer, Service } from "./service.ts";

/** Told of each step. */
export interface AskTrace extends UpstreamTrace {
  onRendered(request: UpstreamRequest): void;
  onRemembered(found: Found): void;
}

/** Time left for which another call is begun, in milliseconds: else all who wait for a service that hangs would make one. */
const WORTH_A_CALL = 50;

/** What a module gets to read a remembered reply when the service has used up the deadline, in milliseconds. */
const AFTERWARDS = 25;

/** One request on its way through a service. */
export class Asking implements Asker {
  readonly #service: Service;
  readonly #request: PolicyRequest;
  readonly #onFailure: OnFailure;
  readonly #deadline: Deadline;
  readonly #trace: AskTrace | undefined;

  constructor(service: Service, request: PolicyRequest, onFailure: OnFailure, trace?: AskTrace) {
    this.#service = service;
    this.#request = request;
    this.#onFailure = onFailure;
    const stressed = request.attributes.get("stress") === "yes";
    const time = stressed ? service.stressDeadline : service.deadline;
    this.#deadline = new Deadline(request.startedAt + time - performance.now());
    this.#trace = trace;
  }

  get subject(): string {
    return this.#service.fairness.subjectOf(this.#request);
  }

  get blamed(): readonly string[] {
    return this.#service.fairness.blamedOf(this.#request);
  }

  /** Never throws nor rejects: what goes wrong in here is a fault of the bridge, and on_failure answers. */
  decide(): MaybePromise<Decision> {
    try {
      const decision = this.#decide();
      return decision instanceof Promise ? decision.catch(this.#faulty) : decision;
    } catch (error) {
      return this.#faulty(error);
    }
  }

  #decide(): MaybePromise<Decision> {
    const { mapping, cache } = this.#service;
    if (cache === null && this.#service.isOffline()) return this.#failed(OFFLINE);
    const rendering = mapping.render(this.#request);
    if (!(rendering instanceof Promise)) return this.#rendered(rendering);
    return this.#deadline.cut(rendering, RENDERING_LATE).then((call) => this.#rendered(call));
  }

  #rendered(call: UpstreamRequest | Failure): MaybePromise<Decision> {
    if (isFailure(call)) return this.#failed(call);
    this.#trace?.onRendered(call);
    const { cache } = this.#service;
    if (cache === null) return this.#call(call).then(this.#called);
    return after(cache.key(call, this.#request), (key) => this.#keyed(call, key, cache));
  }

  #keyed(call: UpstreamRequest, key: string | Failure, cache: DecisionCache): MaybePromise<Decision> {
    if (typeof key !== "string") return this.#unremembered(call, key);
    const found = cache.find(key, this.#request);
    if (!(found instanceof Promise)) return this.#recalled(call, key, found);
    // The store's own time limit may be longer than what is left of the deadline.
    return this.#deadline.cut(found, undefined).then((usable) => this.#recalled(call, key, usable));
  }

  /** A key that cannot be made costs the cache, never the decision. */
  #unremembered(call: UpstreamRequest, { detail }: Failure): MaybePromise<Decision> {
    if (this.#service.isOffline()) return this.#failed({ ...OFFLINE, detail });
    return this.#call(call).then((result) => {
      const { answer } = result;
      if (isFailure(answer)) return this.#failed(answer, result);
      return this.#end(answer.verdict.action, "upstream", result, answer.verdict.rule, { detail });
    });
  }

  /** What the store had for this call, if anything. */
  #recalled(call: UpstreamRequest, key: string, found: Found | undefined): MaybePromise<Decision> {
    if (found !== undefined) this.#trace?.onRemembered(found);
    const offline = this.#service.isOffline();
    if (found === undefined || (!found.fresh && !offline)) {
      return offline ? this.#failed(OFFLINE) : this.#ask(call, key, found);
    }
    return after(this.#reinterpret(found), (answer) => {
      if (isFailure(answer)) return offline ? this.#failed(OFFLINE) : this.#ask(call, key, undefined);
      if (!found.fresh) return this.#stale(answer.verdict, found, OFFLINE, NO_CALLS);
      if (found.due && !offline) this.#service.refresher?.refresh(key, this.#request);
      return this.#decided(answer, "cache", { attempts: 0, status: found.reply.status }, found.age);
    });
  }

  /**
   * Asks the service whatever is remembered, and keeps what it replies.
   *
   * @returns what is remembered now for this request; undefined where nothing is
   * @throws Error when the service cannot be asked
   */
  async renew(): Promise<Found | undefined> {
    const { mapping, cache } = this.#service;
    const call = await this.#deadline.cut(Promise.resolve(mapping.render(this.#request)), RENDERING_LATE);
    if (cache === null || isFailure(call)) return undefined;
    const key = await cache.key(call, this.#request);
    if (typeof key !== "string") return undefined;
    const { answer } = await this.#joinOrCall(call, key);
    if (isFailure(answer)) throw new Error(answer.detail);
    return cache.find(key, this.#request);
  }

  async #ask(call: UpstreamRequest, key: string, found: Found | undefined): Promise<Decision> {
    const { cache } = this.#service;
    const result = await this.#joinOrCall(call, key);
    if (!isFailure(result.answer)) return this.#decided(result.answer, "upstream", result);
    // It may have been revoked while the service was asked.
    if (
      found !== undefined &&
      cache?.covers(result.answer.cause) &&
      cache.isStillUsable(found, this.#request)
    ) {
      const answer = await this.#reinterpret(found);
      if (!isFailure(answer)) return this.#stale(answer.verdict, found, result.answer, result);
    }
    return this.#failed(result.answer, result);
  }

  /** Identical calls in flight are one call; its reply answers each by the rules anew. */
  async #joinOrCall(call: UpstreamRequest, key: string): Promise<CallResult<Answer>> {
    const { flights, cache } = this.#service;
    const own = async (): Promise<CallResult<Answer>> => {
      const made = await this.#call(call);
      if (!isFailure(made.answer)) cache?.keep(key, made.answer.reply, made.answer.verdict, this.#request);
      return made;
    };
    for (;;) {
      const epoch = cache?.epoch ?? 0;
      const { result, joined } = await flights.fly(
        key,
        this.subject,
        epoch,
        this.#deadline,
        JOINED_LATE,
        own,
      );
      if (joined === null || result === JOINED_LATE) return result;
      if (isFailure(result.answer)) {
        const isWorthACall = this.#deadline.remaining() >= WORTH_A_CALL;
        // It may have failed only because the other has had his share, or because the other's time was up before ours.
        if (isWorthACall && joined.by !== this.subject && wasNotMade(result.answer)) return own();
        const isCut = endedByTime(result.answer) && joined.deadline.isReached;
        if (isCut && isWorthACall) continue;
        return result;
      }
      this.#trace?.onShared("joined", result.answer.reply);
      return { ...result, answer: await this.#reinterpret(result.answer) };
    }
  }

  #call(call: UpstreamRequest): Promise<CallResult<Answer>> {
    const { credentials } = this.#service;
    if (credentials.isIdle) return this.#callOnce(call);
    const { changes } = credentials;
    return this.#callOnce(call).then((result) =>
      result.status === 401 || result.answer === REFUSED ? this.#unauthorized(call, result, changes) : result,
    );
  }

  /** A secret may have been replaced a moment ago, or a token withdrawn: then the call is made once more with what there is now. */
  async #unauthorized(
    call: UpstreamRequest,
    result: CallResult<Answer>,
    changes: number,
  ): Promise<CallResult<Answer>> {
    const { mapping, credentials } = this.#service;
    if (credentials.changes === changes) await this.#deadline.cut(credentials.refused(), undefined);
    if (credentials.changes === changes || this.#deadline.remaining() < WORTH_A_CALL) return result;
    const again = await this.#deadline.cut(Promise.resolve(mapping.render(this.#request)), RENDERING_LATE);
    const next = await this.#callOnce(isFailure(again) ? call : again);
    return { ...next, attempts: result.attempts + next.attempts };
  }

  #callOnce(call: UpstreamRequest): Promise<CallResult<Answer>> {
    const { caller } = this.#service;
    return caller.call({
      request: call,
      id: this.#request.id,
      instance: attribute(this.#request, "instance"),
      deadline: this.#deadline,
      interpret: this.#interpretCall,
      asker: this,
      trace: this.#trace,
    });
  }

  readonly #interpretCall = (reply: UpstreamReply): MaybePromise<Answer | Failure> =>
    this.#service.credentials.isRefusal(reply) ? REFUSED : this.#interpret(reply);

  readonly #interpret = (reply: UpstreamReply): MaybePromise<Answer | Failure> => {
    const verdict = this.#service.mapping.interpret(reply, this.#request);
    return after(verdict, (verdict) => (isFailure(verdict) ? verdict : { reply, verdict }));
  };

  /** A reply that came before, or for another request. A module may take its time, but not more than there is. */
  #reinterpret({
    reply,
    entry,
  }: Pick<Answer, "reply"> & Partial<Pick<Found, "entry">>): MaybePromise<Answer | Failure> {
    const { verdict } = entry ?? {};
    if (verdict !== undefined) return { reply, verdict };
    const answer = this.#interpret(reply);
    if (!(answer instanceof Promise)) return answer;
    return new Deadline(Math.max(this.#deadline.remaining(), AFTERWARDS)).cut(answer, INTERPRETING_LATE);
  }

  readonly #called = (result: CallResult<Answer>): Decision =>
    isFailure(result.answer)
      ? this.#failed(result.answer, result)
      : this.#decided(result.answer, "upstream", result);

  #decided({ verdict }: Answer, source: "upstream" | "cache", calls: Calls, age?: number): Decision {
    return this.#end(verdict.action, source, calls, verdict.rule, undefined, age);
  }

  #stale(verdict: Verdict, found: Found, failure: Failure, calls: Calls): Decision {
    const action = this.#service.cache?.marked(verdict.action) ?? verdict.action;
    return this.#end(action, "stale", calls, verdict.rule, failure, found.age);
  }

  #failed(failure: Failure, calls: Calls = NO_CALLS): Decision {
    const action = answerTo(this.#onFailure, failure, this.#request);
    return this.#end(action, "default", calls, undefined, failure);
  }

  readonly #faulty = (error: unknown): Decision => {
    const what = error instanceof Error ? error.message : String(error);
    return this.#failed({
      cause: "mapping_error",
      detail: `a fault of the bridge itself, please report it: ${what}`,
    });
  };

  #end(
    action: string | null,
    source: Source,
    { attempts, status, batchId }: Calls,
    rule?: number,
    failure?: Partial<Pick<Failure, "cause" | "detail" | "said">>,
    age?: number,
  ): Decision {
    const { name, mapping } = this.#service;
    return {
      action,
      source,
      service: name,
      mapping: mapping.name,
      cause: failure?.cause,
      detail: failure?.detail,
      said: failure?.said,
      rule,
      status,
      attempts,
      batchId,
      age,
    };
  }
}

type Calls = Pick<CallResult<Answer>, "attempts" | "status" | "batchId">;

const NO_CALLS: Calls = { attempts: 0 };

function wasNotMade({ cause }: Failure): boolean {
  return cause === "overload" || cause === "circuit_open";
}

function endedByTime({ cause }: Failure): boolean {
  return cause === "timeout" || cause === "overload";
}

const RENDERING_LATE: Failure = {
  cause: "timeout",
  detail: "the mapping had not finished with the request when the deadline came",
};
const INTERPRETING_LATE: Failure = {
  cause: "timeout",
  detail: "the mapping had not finished with the reply when the deadline came",
};
const JOINED_LATE: CallResult<Answer> = {
  answer: {
    cause: "timeout",
    detail: "the same call, made for another request, had not ended when the deadline came",
  },
  attempts: 0,
};
const REFUSED: Failure = {
  cause: "http_4xx",
  detail:
    "the service says that the session is over, also of one that is new (auth.session.expired); look at what the login gives, and at how it is shown",
};
const OFFLINE: Failure = { cause: "offline", detail: "switched offline: no call is made" };
