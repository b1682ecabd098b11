/**
 * One HTTP exchange: a call goes out on a connection, and its complete reply comes in, or a failure.
 *
 * It is undici's handler, its own timer and what has been received so far in one object, since there is
 * one for each call that is made. It ends exactly once; what comes after that is not heard.
 */
import type { Dispatcher } from "undici";
import type { Connection } from "./connection.ts";
import type { ConnectionPool } from "./connection-pool.ts";
import type { Deadline } from "./deadline.ts";
import { decompress, isEncoded } from "./decompress.ts";
import { failureOf, isDestroyed, type Progress } from "./errors.ts";
import type { UpstreamReply, UpstreamRequest } from "./exchange.ts";
import type { Failure } from "./failure.ts";
import { ReplyBody } from "./reply-body.ts";
import { ReplyHeaders } from "./reply-headers.ts";
import { Timer } from "./timer.ts";

/** Where attempts of a service lead, and within what limits. */
export interface AttemptTarget {
  /** As it is named in the log. */
  readonly url: string;
  readonly hostname: string;
  readonly pool: ConnectionPool;
  /** Joins a call's path to the URL's. */
  readonly join: (path: string) => string;
  /** Milliseconds, from the lookup of the name to the last byte. */
  readonly timeout: number;
  /** Bytes. */
  readonly maxReplySize: number;
}

/** Who makes attempts and hears how each ends: once, and in the same turn if it cannot even be sent. */
export interface AttemptOwner {
  onReply(reply: UpstreamReply, milliseconds: number): void;
  onFailure(failure: Failure, milliseconds: number): void;
  /** It fell with a connection that it shared, which says nothing of the service; asking again is safe. */
  onInterrupted(failure: Failure, milliseconds: number): void;
}

/** The handler's older interface, the one that undici itself works with: the newer one is a layer on top of it. */
export class Attempt extends Timer implements Dispatcher.DispatchHandler, Progress {
  status = 0;
  readonly #owner: AttemptOwner;
  readonly #target: AttemptTarget;
  readonly #connection: Connection;
  readonly #started = performance.now();
  readonly #cut: boolean;
  /** How many replies the connection had brought when this began. */
  readonly #repliesBefore: number;
  /** Takes the call back; over HTTP/2 that alone. */
  #abort: (() => void) | null = null;
  #ended = false;
  #headers: readonly Buffer[] = [];
  readonly #body: ReplyBody;

  constructor(owner: AttemptOwner, target: AttemptTarget, deadline: Deadline) {
    super();
    this.#owner = owner;
    this.#target = target;
    this.#body = new ReplyBody(target.maxReplySize);
    this.#connection = target.pool.lease(this.#started);
    this.#repliesBefore = this.#connection.replies;
    const own = this.#started + target.timeout;
    this.#cut = deadline.end < own;
    if (this.#cut) this.startTimer(deadline.end, deadline.leeway);
    else this.startTimer(own);
  }

  get url(): string {
    return this.#target.url;
  }

  get hostname(): string {
    return this.#target.hostname;
  }

  get received(): number {
    return this.#body.length;
  }

  /** Sends the call; `headers` are names and values in turn. */
  start(request: UpstreamRequest, headers: string[]): void {
    const options = {
      method: request.method,
      path: this.#target.join(request.path),
      headers,
      body: request.body,
      // A question can be asked twice, and doesn't keep those behind it waiting: it may be pipelined, whatever its method.
      idempotent: true,
      blocking: false,
    };
    // undici's type has no POST with a null body, its code has.
    this.#connection.dispatch(options as Dispatcher.DispatchOptions, this);
  }

  onConnect(abort: () => void): void {
    if (this.#ended) abort();
    else this.#abort = abort;
  }

  onHeaders(status: number, headers: Buffer[]): boolean {
    if (this.#ended || status < 200) return true;
    this.status = status;
    this.#headers = headers;
    this.#connection.replies++;
    return true;
  }

  onData(chunk: Buffer): boolean {
    if (this.#ended) return true;
    const problem = this.#body.add(chunk);
    if (problem !== null) this.#refuse(problem);
    // Of what was refused, nothing more is read.
    return problem === null;
  }

  onComplete(): void {
    if (this.#ended) return;
    const body = this.#body.bytes;
    const headers = new ReplyHeaders(this.#headers);
    const coding = headers.get("content-encoding");
    if (body.length === 0 || !isEncoded(coding)) {
      this.#succeed(headers, body);
      return;
    }
    decompress(body, coding, this.#target.maxReplySize, (result) => {
      if (this.#ended) return;
      if (typeof result === "string") this.#refuse(result);
      else if (result instanceof Error) this.#giveUp(failureOf(result, this));
      else this.#succeed(headers, result);
    });
  }

  onError(error: Error): void {
    if (this.#ended) return;
    const connection = this.#connection;
    const interrupted = this.status === 0 && (connection.multiplexed || isDestroyed(error));
    this.#end();
    if (connection.multiplexed) {
      // It may have been the stream alone, so the others are left to end as they will.
      this.#target.pool.withdraw(connection);
      this.#target.pool.release(connection);
    } else {
      this.#target.pool.discard(connection);
    }
    const failure = failureOf(error, this);
    if (interrupted) this.#owner.onInterrupted(failure, this.#elapsed());
    else this.#owner.onFailure(failure, this.#elapsed());
  }

  protected override onTime(): void {
    const connection = this.#connection;
    const busy = this.received > 0 ? `reading the reply, ${this.received} bytes so far` : connection.stage;
    const limit = this.#cut ? "when the deadline came" : `after ${this.#target.timeout} ms (timeout)`;
    // Not a sound from it all that time: it may be dead, and nothing else would show that.
    if (connection.replies === this.#repliesBefore) this.#target.pool.withdraw(connection);
    const detail = `${this.url}: no complete reply ${limit}; it was still ${busy}`;
    // A lookup that is not over says nothing of the service.
    const unknown = connection.stage === "looking up its name";
    this.#giveUp(unknown ? { cause: "timeout", detail, blameless: true } : { cause: "timeout", detail });
  }

  #refuse(what: string): void {
    const detail = `${this.url}: the reply is unusable: ${what}`;
    this.#giveUp({ cause: "bad_reply", status: this.status, detail });
  }

  #succeed(headers: ReplyHeaders, body: Buffer): void {
    this.#end();
    this.#target.pool.release(this.#connection);
    this.#owner.onReply({ status: this.status, headers, body }, this.#elapsed());
  }

  /** Leaves nothing of it running. */
  #giveUp(failure: Failure): void {
    this.#end();
    const connection = this.#connection;
    if (connection.multiplexed && this.#abort !== null) {
      this.#abort();
      this.#target.pool.release(connection);
    } else {
      this.#target.pool.giveUp(connection);
    }
    this.#owner.onFailure(failure, this.#elapsed());
  }

  #end(): void {
    this.#ended = true;
    this.stopTimer();
  }

  #elapsed(): number {
    return performance.now() - this.#started;
  }
}
