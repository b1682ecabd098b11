/**
 * One HTTP exchange: a call goes out on a connection, and its complete reply comes in, or a failure.
 *
 * It is undici's handler, its own timer and what has been received so far in one object, since there is
 * one for each call that is made. It ends exactly once; what comes after that is not heard.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { Dispatcher } from "undici";
import type { Connection } from "./connection.ts";
import type { ConnectionPool } from "./connection-pool.ts";
import { decompress, isEncoded, tooLarge } from "./decompress.ts";
import { failureOf, type Progress } from "./errors.ts";
import type { UpstreamReply, UpstreamRequest } from "./exchange.ts";
import type { Failure } from "./failure.ts";
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
}

const NOTHING = Buffer.alloc(0);

export class Attempt extends Timer implements Dispatcher.DispatchHandler, Progress {
  status = 0;
  received = 0;
  readonly #owner: AttemptOwner;
  readonly #target: AttemptTarget;
  readonly #connection: Connection;
  readonly #started = performance.now();
  readonly #cut: boolean;
  #ended = false;
  #headers: Map<string, string> = new Map();
  #body: Buffer = NOTHING;
  /** All parts of the body, once there is more than one. */
  #parts: Buffer[] | null = null;

  /** @param deadline by performance.now() */
  constructor(owner: AttemptOwner, target: AttemptTarget, deadline: number) {
    super();
    this.#owner = owner;
    this.#target = target;
    this.#connection = target.pool.lease(this.#started);
    const own = this.#started + target.timeout;
    this.#cut = deadline < own;
    this.startTimer(this.#cut ? deadline : own);
  }

  get url(): string {
    return this.#target.url;
  }

  get hostname(): string {
    return this.#target.hostname;
  }

  /** Sends the call; `headers` are names and values in turn. */
  start(request: UpstreamRequest, headers: string[]): void {
    const { method, body } = request;
    // undici's type has no POST with a null body, its code has.
    const options = { method, path: this.#target.join(request.path), headers, body };
    this.#connection.dispatch(options as Dispatcher.DispatchOptions, this);
  }

  onRequestStart(): void {
    // That it is there is how undici knows the handler's interface.
  }

  onResponseStart(_controller: unknown, status: number, headers: IncomingHttpHeaders): void {
    if (this.#ended || status < 200) return;
    this.status = status;
    for (const name in headers) {
      const value = headers[name];
      if (value !== undefined) this.#headers.set(name, typeof value === "string" ? value : value.join(", "));
    }
    if (Number(headers["content-length"] ?? 0) > this.#target.maxReplySize) this.#refuseSize();
  }

  onResponseData(_controller: unknown, chunk: Buffer): void {
    if (this.#ended) return;
    this.received += chunk.length;
    if (this.received > this.#target.maxReplySize) this.#refuseSize();
    else if (this.#parts !== null) this.#parts.push(chunk);
    else if (this.#body.length > 0) this.#parts = [this.#body, chunk];
    else this.#body = chunk;
  }

  onResponseEnd(): void {
    if (this.#ended) return;
    const body = this.#parts === null ? this.#body : Buffer.concat(this.#parts);
    const coding = this.#headers.get("content-encoding");
    if (body.length === 0 || !isEncoded(coding)) {
      this.#succeed(body);
      return;
    }
    decompress(body, coding, this.#target.maxReplySize, (result) => {
      if (this.#ended) return;
      if (typeof result === "string") this.#refuse(result);
      else this.#succeed(result);
    });
  }

  onResponseError(_controller: unknown, error: Error): void {
    if (!this.#ended) this.#fail(failureOf(error, this));
  }

  protected override onTime(): void {
    const { stage } = this.#connection;
    const busy = this.received > 0 ? `reading the reply, ${this.received} bytes so far` : stage;
    const limit = this.#cut ? "when the deadline came" : `after ${this.#target.timeout} ms (timeout)`;
    this.#fail({ cause: "timeout", detail: `${this.url}: no complete reply ${limit}; it was still ${busy}` });
  }

  #refuseSize(): void {
    this.#refuse(tooLarge(this.#target.maxReplySize));
  }

  #refuse(what: string): void {
    this.#fail({
      cause: "bad_reply",
      status: this.status,
      detail: `${this.url}: the reply is unusable: ${what}`,
    });
  }

  #succeed(body: Buffer): void {
    this.#ended = true;
    this.stopTimer();
    this.#target.pool.release(this.#connection);
    this.#owner.onReply({ status: this.status, headers: this.#headers, body }, this.#elapsed());
  }

  #fail(failure: Failure): void {
    this.#ended = true;
    this.stopTimer();
    this.#connection.destroy();
    this.#owner.onFailure(failure, this.#elapsed());
  }

  #elapsed(): number {
    return performance.now() - this.#started;
  }
}
