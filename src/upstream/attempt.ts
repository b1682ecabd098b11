/**
 * One HTTP exchange: a call goes out on a connection, and its complete reply comes in, or a failure.
 *
 * It is undici's handler, its own timer and what has been received so far in one object, since there is
 * one for each call that is made. It ends exactly once; what comes after that is not heard.
 */

import type { UpstreamReply, UpstreamRequest } from "../model/exchange.ts";
import type { Failure } from "../model/failure.ts";
import type { Deadline } from "../time/deadline.ts";
import { Timer } from "../time/timer.ts";
import { namesAnother } from "./authzen-calls.ts";
import {
  type Exchange,
  MalformedReply,
  NotProcessed,
  SharedConnectionClosed,
  StreamReset,
  UnsendableCall,
} from "./transport/carrier.ts";
import type { Connection } from "./transport/connection.ts";
import type { ConnectionPool } from "./transport/connection-pool.ts";
import { decompress, isEncoded } from "./transport/decompress.ts";
import { failureOf, isDestroyed, isTlsError, type Progress } from "./transport/errors.ts";
import { type HttpProxy, isProxysOwn, refusalOf } from "./transport/proxy.ts";
import { ReplyBody } from "./transport/reply-body.ts";
import { ReplyHeaders } from "./transport/reply-headers.ts";
import type { TlsTerms } from "./transport/tls-failure.ts";

/** Where attempts of a service lead, and within what limits. */
export interface AttemptTarget {
  /** As it is named in the log. */
  readonly url: string;
  readonly hostname: string;
  readonly tls: TlsTerms | null;
  /** The proxy that makes the calls itself, and host and port that it is asked for; null where none does. */
  readonly forwarder: { readonly proxy: HttpProxy; readonly target: string } | null;
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
  /** @param asked whether the service may have read the question by then, so that it may have failed because of it */
  onFailure(failure: Failure, milliseconds: number, asked: boolean): void;
  /**
   * It ended unanswered in a way that says nothing of the service; asking again at once is safe.
   *
   * @param moved whether others were answered on its connection meanwhile
   */
  onInterrupted(failure: Failure, milliseconds: number, moved: boolean): void;
}

/** What ends a call and leaves its connection as it is. */
const ALONE = [NotProcessed, StreamReset, MalformedReply, UnsendableCall];
/** Replies with a status below 200 that are passed over. */
const MOST_INTERIM = 100;

export class Attempt extends Timer implements Exchange, Progress {
  status = 0;
  replyBegun = false;
  readonly #owner: AttemptOwner;
  readonly #request: UpstreamRequest;
  readonly #requestId: string;
  readonly #target: AttemptTarget;
  readonly #connection: Connection;
  readonly #started = performance.now();
  readonly #cut: boolean;
  /** How many replies the connection had brought when this began. */
  readonly #repliesBefore: number;
  /** Whether another one before it was interrupted. */
  readonly #again: boolean;
  /** Takes the call back; over HTTP/2 that alone. */
  #abort: (() => void) | null = null;
  #ended = false;
  #interim = 0;
  #headers: readonly Buffer[] = [];
  readonly #body: ReplyBody;

  /**
   * @param requestId as it stands in the headers
   * @param again whether it takes the place of one that was interrupted
   */
  constructor(
    owner: AttemptOwner,
    request: UpstreamRequest,
    requestId: string,
    target: AttemptTarget,
    deadline: Deadline,
    again: boolean,
  ) {
    super();
    this.#owner = owner;
    this.#request = request;
    this.#requestId = requestId;
    this.#target = target;
    this.#again = again;
    this.#body = new ReplyBody(target.maxReplySize);
    this.#connection = target.pool.lease(this.#started, again);
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

  get tls(): TlsTerms | null {
    return this.#target.tls;
  }

  get received(): number {
    return this.#body.length;
  }

  /** Sends the call; `headers` are names and values in turn. */
  start(headers: string[]): void {
    const { method, path, body } = this.#request;
    this.#connection.dispatch({ method, path: this.#target.join(path), headers, body }, this);
  }

  onConnect(abort: () => void): void {
    if (this.#ended) abort();
    else this.#abort = abort;
  }

  onResponseStarted(): void {
    this.replyBegun = true;
    this.#connection.replyUnderWay = true;
  }

  onHeaders(status: number, headers: Buffer[]): boolean {
    if (status < 200) this.#connection.replyUnderWay = false;
    if (this.#ended) return true;
    if (status < 200) {
      if (++this.#interim > MOST_INTERIM) this.#refuse(`more than ${MOST_INTERIM} interim replies before it`);
      return true;
    }
    this.status = status;
    this.#headers = headers;
    this.#connection.replies++;
    const refusal = this.#refusalOfProxy(headers);
    if (refusal !== null) this.#giveUp(failureOf(refusal, this));
    return true;
  }

  /** A proxy's own word instead of the service's is known by its head: some proxies cut what comes after it off. */
  #refusalOfProxy(headers: Buffer[]): Error | null {
    const { forwarder } = this.#target;
    if (forwarder === null) return null;
    const reply = new ReplyHeaders(headers);
    const header = (name: string) => reply.get(name);
    return isProxysOwn(this.status, header)
      ? refusalOf(forwarder.proxy, forwarder.target, this.status, header)
      : null;
  }

  onData(chunk: Buffer): boolean {
    if (this.#ended) return true;
    const problem = this.#body.add(chunk);
    if (problem !== null) this.#refuse(problem);
    // Of what was refused, nothing more is read.
    return problem === null;
  }

  onComplete(): void {
    this.#connection.replyUnderWay = false;
    if (this.#ended) return;
    const { error, multiplexed } = this.#connection;
    if (error !== null && !multiplexed) {
      // Where nothing else says a reply's length its end is that of the connection, but not any end (RFC 9112 §8).
      this.onError(error);
      return;
    }
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
    this.#end();
    if (!connectionLost(error)) {
      this.#target.pool.release(connection);
    } else if (connection.multiplexed) {
      this.#target.pool.withdraw(connection);
      this.#target.pool.release(connection);
    } else {
      this.#target.pool.discard(connection);
    }
    // undici, handed a socket that TLS has ended at that moment, sees only that it is closed.
    const told = !this.replyBegun && isTlsError(connection.error) ? connection.error : error;
    const failure = failureOf(told, this);
    const interrupted = failure.cause === "unreachable" && !this.replyBegun && this.#saysNothing(error);
    if (interrupted) this.#owner.onInterrupted(failure, this.#elapsed(), this.#moved(error));
    else this.#owner.onFailure(failure, this.#elapsed(), this.#asked);
  }

  get #asked(): boolean {
    return this.#abort !== null;
  }

  #moved(error: Error): boolean {
    return connectionLost(error) && this.#connection.replies > this.#repliesBefore;
  }

  /** Whether an end without a reply says nothing of the service, so that asking again at once is right. */
  #saysNothing(error: Error): boolean {
    if (error instanceof NotProcessed) return true;
    if (error instanceof StreamReset) return false;
    // A service may close a connection that it has kept open at any time (RFC 9112 §9.3.1).
    if (this.#connection.replies > 0) return true;
    // It fell with a connection that it shared, perhaps because of another call; but one that falls again does so by itself.
    const shared =
      this.#connection.multiplexed || error instanceof SharedConnectionClosed || isDestroyed(error);
    return shared && !this.#again;
  }

  protected override onTime(): void {
    const connection = this.#connection;
    const busy = this.received > 0 ? `reading the reply, ${this.received} bytes so far` : connection.stage;
    const limit = this.#cut ? "when the deadline came" : `after ${this.#target.timeout} ms (timeout)`;
    // Not a sound from it all that time: it may be dead, and nothing else would show that.
    if (connection.replies === this.#repliesBefore) this.#target.pool.withdraw(connection);
    const detail = `${this.url}: no complete reply ${limit}; it was still ${busy}`;
    // A lookup that is not over says nothing of the service.
    const unknown = connection.stage.startsWith("looking up");
    this.#giveUp(unknown ? { cause: "timeout", detail, blameless: true } : { cause: "timeout", detail });
  }

  #refuse(what: string): void {
    const detail = `${this.url}: the reply is unusable: ${what}`;
    this.#giveUp({ cause: "bad_reply", ...(this.status > 0 && { status: this.status }), detail });
  }

  #succeed(headers: ReplyHeaders, body: Buffer): void {
    const reply = { status: this.status, headers, body };
    if (namesAnother(reply, this.#request, this.#requestId)) {
      // What comes next on a connection that speaks HTTP/1.1 may be another's, too.
      this.#refuse(
        `its X-Request-ID names another request than ${this.#requestId}; is a proxy mixing up replies?`,
      );
      return;
    }
    this.#end();
    this.#target.pool.release(this.#connection);
    this.#owner.onReply(reply, this.#elapsed());
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
    this.#owner.onFailure(failure, this.#elapsed(), this.#asked);
  }

  #end(): void {
    this.#ended = true;
    this.stopTimer();
  }

  #elapsed(): number {
    return performance.now() - this.#started;
  }
}

function connectionLost(error: Error): boolean {
  return !ALONE.some((kind) => error instanceof kind);
}
