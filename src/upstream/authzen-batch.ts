/**
 * Calls that wait at the same moment, put to the service as one: AuthZEN's Access Evaluations API
 * (Authorization API 1.0, "POST /access/v1/evaluations").
 *
 * It stands before a caller and has the same face, so that a decision doesn't know of it. Each call gets its own
 * evaluation as if it had been the only one; what a batch cannot answer is asked alone, within the deadline. The batch has
 * an identity of its own, which the log has beside that of each call.
 */

import { randomUUID } from "node:crypto";
import { JsonError, parseJson } from "../expression/json.ts";
import { toJson } from "../expression/text.ts";
import type { UpstreamReply, UpstreamRequest } from "../model/exchange.ts";
import { type Failure, isFailure } from "../model/failure.ts";
import { isPlainObject } from "../model/plain-object.ts";
import { Deadline } from "../time/deadline.ts";
import { ANYBODY, type Asker, SEVERAL } from "./asker.ts";
import { evaluationsPath, isEvaluation } from "./authzen-calls.ts";
import { type CallResult, INTERPRETATION_LATE, type Question, uninterpreted } from "./call.ts";

/** What asks a service. */
export interface Caller {
  call<T extends object>(question: Question<T>): Promise<CallResult<T>>;
}

export interface BatchOptions {
  /** Calls in one at most. */
  readonly max: number;
  /** Milliseconds that a call waits for others. */
  readonly wait: number;
  /** Whether the service takes batches, as far as it says so itself. Default: it does. */
  isTaken?(): boolean;
  /** Told when the service could not do with a batch, and none is made for a while. */
  onRefused(detail: string): void;
}

/** The part of the time that is left which a batch may use up, so that its calls can still be made alone. */
const BATCH_PART = 0.5;
/** How long none is made after the service could not do with one, in milliseconds. */
const PAUSE = 60_000;
/** Of the ids that a header tells; servers take no longer one than 4 to 8 KB. */
const MOST_IDS = 100;

/** A call that waits for others; told what the batch brought it, or that it is to be made alone. */
interface Waiting {
  readonly request: UpstreamRequest;
  readonly id: string;
  readonly deadline: Deadline;
  readonly asker: Asker;
  readonly entities: Entities;
  answer(reply: UpstreamReply, asked: Asked): void;
  goAlone(asked?: Asked): void;
}

/** The batch that a call was a part of. */
type Asked = Required<Pick<CallResult<object>, "attempts" | "batchId">>;

export class Batcher implements Caller {
  readonly #caller: Caller;
  readonly #options: BatchOptions;
  /** By what their calls have in common: path and headers. */
  readonly #waiting = new Map<string, Batch>();
  #pausedUntil = 0;

  constructor(caller: Caller, options: BatchOptions) {
    this.#caller = caller;
    this.#options = options;
  }

  call<T extends object>(question: Question<T>): Promise<CallResult<T>> {
    const { request, id, deadline, interpret, asker = ANYBODY, trace } = question;
    // One that is watched step by step is made alone.
    const batched = trace?.alone !== true && performance.now() >= this.#pausedUntil;
    const entities = batched && this.#options.isTaken?.() !== false ? entitiesOf(request) : null;
    if (entities === null) return this.#caller.call(question);
    return new Promise((resolve) => {
      const goAlone = (asked?: Asked) => {
        const alone = this.#caller.call(question);
        resolve(asked === undefined ? alone : alone.then((result) => after(asked, result)));
      };
      const answer = async (reply: UpstreamReply, asked: Asked) => {
        trace?.onShared("batch", reply);
        const outcome = await deadline
          .cut(Promise.resolve(reply).then(interpret), INTERPRETATION_LATE)
          .catch(uninterpreted);
        // AuthZEN, "Errors": one that could not be evaluated among the others may be when it is asked by itself.
        if (isFailure(outcome) && outcome !== INTERPRETATION_LATE && deadline.remaining() > 0) goAlone(asked);
        else resolve({ answer: outcome, status: reply.status, ...asked });
      };
      this.#enqueue({ request, id, deadline, asker, entities, answer, goAlone });
    });
  }

  #enqueue(call: Waiting): void {
    const kind = JSON.stringify([call.request.path, call.request.headers]);
    const waiting = this.#waiting.get(kind);
    if (waiting?.take(call)) {
      if (waiting.calls.length >= this.#options.max) this.#send(kind, waiting);
      return;
    }
    if (waiting !== undefined) this.#send(kind, waiting);
    const batch = new Batch(call);
    this.#waiting.set(kind, batch);
    setTimeout(() => this.#send(kind, batch), this.#options.wait);
  }

  #send(kind: string, batch: Batch): void {
    // It may have gone out already; then another one may be waiting under the same kind.
    if (this.#waiting.get(kind) !== batch) return;
    this.#waiting.delete(kind);
    const [first] = batch.calls;
    if (batch.calls.length === 1) first.goAlone();
    else void this.#ask(first, batch.calls);
  }

  async #ask(first: Waiting, calls: readonly Waiting[]): Promise<void> {
    const { method, headers } = first.request;
    const left = Math.min(...calls.map(({ deadline }) => deadline.remaining()));
    const request: UpstreamRequest = {
      method,
      path: evaluationsPath(first.request),
      headers: { ...headers, "x-request-ids": requestIds(calls) },
      body: bodyOf(calls),
    };
    const deadline = new Deadline(left * BATCH_PART);
    const batchId = randomUUID();
    const { answer, attempts } = await this.#caller.call({
      request,
      id: batchId,
      deadline,
      interpret: evaluationsIn,
      asker: askerOf(calls),
    });
    const asked = { attempts, batchId };
    if (isFailure(answer) && (answer.cause === "http_4xx" || answer.cause === "bad_reply")) {
      this.#pausedUntil = performance.now() + PAUSE;
      this.#options.onRefused(answer.detail);
    }
    const evaluations = isFailure(answer) ? [] : answer.evaluations;
    for (const [index, call] of calls.entries()) {
      const evaluation = evaluations[index];
      if (evaluations.length !== calls.length || evaluation === undefined) call.goAlone(asked);
      else call.answer(evaluation, asked);
    }
  }
}

/** The one who asks all of them; else nobody is charged with what another asked, and what fails is asked alone. */
function askerOf(calls: readonly Waiting[]): Asker {
  const { asker } = calls[0]!;
  return calls.every((call) => call.asker.subject === asker.subject) ? asker : SEVERAL;
}

/** Each evaluation is the same as it would be alone: a policy doesn't see that it is one of many. All must be answered. */
function bodyOf(calls: readonly Waiting[]): string {
  const evaluations = calls.map(({ request: { body } }) => body).join(",");
  return `{"evaluations":[${evaluations}],"options":{"evaluations_semantic":"execute_all"}}`;
}

/**
 * Whose the evaluations are, in their order, for the service's log. In a header: Cerbos refuses options that it doesn't
 * know, and in the context they would be a part of the question.
 */
function requestIds(calls: readonly Waiting[]): string {
  return calls
    .slice(0, MOST_IDS)
    .map(({ id }) => id)
    .join(", ");
}

/** How a call ended that was made alone after a batch had not answered it. */
function after<T extends object>({ attempts, batchId }: Asked, alone: CallResult<T>): CallResult<T> {
  return { ...alone, attempts: attempts + alone.attempts, batchId };
}

/**
 * Calls that can go out together: in one batch a subject or resource, told by type and id, has the same properties
 * throughout. Services look an entity up by its id; Cerbos was seen to answer the second of two evaluations of one
 * subject and resource by the properties of the first.
 */
class Batch {
  readonly calls: [Waiting, ...Waiting[]];
  readonly #entities = new Map<string, string>();

  constructor(first: Waiting) {
    this.calls = [first];
    for (const [identity, whole] of first.entities) this.#entities.set(identity, whole);
  }

  /** Whether it went in. */
  take(call: Waiting): boolean {
    const { entities } = call;
    for (const [identity, whole] of entities) {
      if ((this.#entities.get(identity) ?? whole) !== whole) return false;
    }
    for (const [identity, whole] of entities) this.#entities.set(identity, whole);
    this.calls.push(call);
    return true;
  }
}

/** Subject and resource of an evaluation: who they are, and all that is said of them. */
type Entities = readonly (readonly [identity: string, whole: string])[];

/** Null for what is no call of AuthZEN's Access Evaluation API. */
function entitiesOf(request: UpstreamRequest): Entities | null {
  const { headers, body } = request;
  if (body === null || !isEvaluation(request)) return null;
  if (headers["content-type"]?.startsWith("application/json") !== true) return null;
  try {
    const evaluation = JSON.parse(body) as Record<string, { type?: unknown; id?: unknown } | undefined>;
    return ["subject", "resource"].map((role) => {
      const entity = evaluation[role];
      return [JSON.stringify([role, entity?.type, entity?.id]), JSON.stringify(entity) ?? ""];
    });
  } catch {
    return null;
  }
}

interface Evaluations {
  /** What each call would have got alone; undefined where that cannot be told. */
  readonly evaluations: readonly (UpstreamReply | undefined)[];
}

function evaluationsIn(reply: UpstreamReply): Evaluations | Failure {
  const failure = (detail: string): Failure => ({
    cause: reply.status >= 500 ? "http_5xx" : reply.status >= 400 ? "http_4xx" : "bad_reply",
    detail,
    status: reply.status,
  });
  if (reply.status !== 200) return failure(`HTTP status ${reply.status} for a batch of evaluations`);
  let parsed: unknown;
  try {
    parsed = parseJson(reply.body.toString("utf8"));
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    return failure(`the reply to a batch of evaluations is not readable as JSON: ${error.message}`);
  }
  const list = (parsed as { evaluations?: unknown } | null)?.evaluations;
  if (!Array.isArray(list)) return failure('the reply to a batch of evaluations has no list "evaluations"');
  return {
    evaluations: list.map((evaluation: unknown) =>
      isPlainObject(evaluation)
        ? { status: 200, headers: reply.headers, body: Buffer.from(toJson(evaluation)) }
        : undefined,
    ),
  };
}
