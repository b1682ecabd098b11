/**
 * One client's connection: requests in, answers out, one at a time and in order.
 *
 * It owns order, back-pressure and time: while a request is being decided, or the client leaves its answers
 * unread, no further request is begun, and reading stops once enough is buffered. A request that does not
 * become complete in time, what is no policy request, and a client that never reads cost a log line and this
 * connection. A connection that says nothing costs no timer and is never closed. A client that shuts down
 * its writing side still gets the answers to what it has sent complete. While other clients are just connecting nothing
 * is begun (see arrivals.ts).
 *
 * It works over any pair of streams: a socket, or standard input and output.
 */
import { randomUUID } from "node:crypto";
import type { Readable, Writable } from "node:stream";
import { isSendable } from "../model/action.ts";
import type { MaybePromise } from "../model/maybe-promise.ts";
import type { PolicyRequest } from "../model/request.ts";
import { arrivedAt } from "../time/arrived.ts";
import type { Arrivals } from "./arrivals.ts";
import type { Attributes } from "./attributes.ts";
import { isMalformed, type Malformed, type ParserLimits, PolicyParser } from "./parser.ts";
import { RecipientMemory } from "./recipients.ts";

/** The action for Postfix, or null to close the connection without a reply. */
export type Answer = string | null;

/**
 * Decides one request, which began when it was complete and the one before it answered. An answer that is there at once is
 * written at once; a promise must settle within the deadline.
 */
export type PolicyHandler = (request: PolicyRequest) => MaybePromise<Answer>;

/** What a connection needs of the log: fields first, then the message. */
export interface ConnectionLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** What the connections of one listener share. */
export interface ConnectionContext {
  /** The listener's name. */
  readonly listener: string;
  readonly log: ConnectionLog;
  readonly arrivals: Arrivals;
  /** Milliseconds a request may take from its first byte to its last, and answers may wait to be read. */
  readonly requestTimeout: number;
  readonly limits: ParserLimits;
  /** Looked up for each request, so that it can be replaced under open connections. */
  handle: PolicyHandler;
  /** How many requests were complete. */
  requests: number;
  /** How many were none. */
  malformed: number;
  /** Told once, when a connection has ended. */
  ended(connection: PolicyConnection): void;
}

export const DEFAULT_REQUEST_TIMEOUT = 10_000;

/** Reading stops beyond this many bytes that wait for the request before them. */
const MOST_WAITING = 64 * 1024;
/** Answers that are ready at once are written together, up to about this many characters. */
const MOST_GATHERED = 16 * 1024;

export class PolicyConnection {
  readonly #input: Readable;
  readonly #output: Writable;
  readonly #peer: string;
  readonly #context: ConnectionContext;
  readonly #parser: PolicyParser;
  readonly #recipients: RecipientMemory;

  /** The request that is being decided. */
  #deciding: Attributes | null = null;
  /** Since when it has waited while others connect, by `performance.now()`: the next request's time began then. */
  #heldSince: number | null = null;
  /** Answers that are not written yet. */
  #gathered = "";
  /** The client has not read what was written before. */
  #unread = false;
  #inputEnded = false;
  #draining = false;
  /** No request is begun any more; what is written goes out, then the connection ends. */
  #finishing = false;
  #ended = false;
  #timer: NodeJS.Timeout | null = null;

  /**
   * @param output the same object as `input` for a socket
   * @param peer who is at the other end, for the log
   */
  constructor(input: Readable, output: Writable, peer: string, context: ConnectionContext) {
    this.#input = input;
    this.#output = output;
    this.#peer = peer;
    this.#context = context;
    this.#parser = new PolicyParser(context.limits);
    this.#recipients = new RecipientMemory((problem) => context.log.warn(this.#fields(), problem));

    const lost = (error: Error) => this.#lose(error);
    output.on("error", lost);
    output.on("drain", () => this.#onDrain());
    output.on("finish", () => this.end());
    output.on("close", () => this.end());
    if (input !== (output as unknown)) {
      input.on("error", lost);
      input.on("close", () => this.#onInputEnd());
    }
    input.on("end", () => this.#onInputEnd());
    input.on("data", (chunk: Buffer) => this.#onData(chunk));
  }

  /**
   * Its client has waited to be heard: what it has asked by the time that others have arrived, it has asked then.
   *
   * @param since by `performance.now()`
   */
  hold(since = performance.now()): void {
    this.#heldSince ??= since;
    this.#context.arrivals.hold(this);
  }

  /** Others have arrived. */
  resume(): void {
    this.#advance();
    this.#heldSince = null;
  }

  /** Answers what has been received complete, then ends the connection. */
  drain(): void {
    this.#draining = true;
    this.#advance();
  }

  /** Ends the connection now. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stopTimer();
    this.#input.destroy();
    this.#output.destroy();
    this.#context.ended(this);
  }

  #onData(chunk: Buffer): void {
    if (this.#finishing || this.#ended) return;
    this.#parser.push(chunk);
    this.#advance(arrivedAt());
    if (this.#parser.buffered > MOST_WAITING && this.#isWaiting()) this.#input.pause();
  }

  /** For a decision, for the client to read, or for others to arrive. */
  #isWaiting(): boolean {
    return this.#deciding !== null || this.#unread || this.#heldSince !== null;
  }

  #onInputEnd(): void {
    if (this.#inputEnded) return;
    this.#inputEnded = true;
    this.#advance();
  }

  #onDrain(): void {
    if (!this.#unread) return;
    this.#unread = false;
    this.#stopTimer();
    this.#advance();
  }

  /**
   * Goes on as far as possible: until a request must be waited for, its decision, or the client.
   *
   * @param since when what has just been read was there, by `performance.now()`
   */
  #advance(since?: number): void {
    let startedAt = since;
    if (this.#context.arrivals.underway) {
      this.hold(since);
      this.#flush();
      return;
    }
    while (this.#deciding === null && !this.#unread && !this.#finishing && !this.#ended) {
      const next = this.#parser.next();
      if (next === undefined) {
        this.#flush();
        if (!this.#unread) this.#awaitMore();
        return;
      }
      this.#stopTimer();
      if (isMalformed(next)) this.#refuse(next);
      else this.#decide(next, startedAt);
      // The next one's time begins when this one is answered.
      startedAt = undefined;
      if (this.#gathered.length > MOST_GATHERED) this.#flush();
    }
    this.#flush();
  }

  #awaitMore(): void {
    if (this.#inputEnded || this.#draining) {
      if (this.#parser.begun && this.#inputEnded) {
        this.#context.log.info(
          this.#fields(),
          "the client ended the connection within a request; it gets no answer",
        );
      }
      this.#finish();
      return;
    }
    if (this.#parser.begun) this.#startTimer("the request did not become complete");
    if (this.#input.isPaused()) this.#input.resume();
  }

  #decide(attributes: Attributes, since = performance.now()): void {
    const context = this.#context;
    context.requests += 1;
    const request: PolicyRequest = {
      id: randomUUID(),
      time: Date.now(),
      startedAt: this.#heldSince ?? since,
      attributes,
      listener: context.listener,
      recipients: this.#recipients.of(attributes),
      rcpts: this.#recipients.rcptsOf(attributes),
    };
    this.#heldSince = null;
    let answer: MaybePromise<Answer>;
    try {
      answer = context.handle(request);
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (answer === null || typeof answer === "string") {
      this.#answer(attributes, answer);
      return;
    }
    this.#deciding = attributes;
    answer.then(this.#onAnswer, this.#onFailure);
  }

  readonly #onAnswer = (answer: Answer): void => {
    const attributes = this.#deciding;
    this.#deciding = null;
    if (this.#ended || attributes === null) return;
    this.#answer(attributes, answer);
    this.#advance();
  };

  readonly #onFailure = (error: unknown): void => {
    this.#deciding = null;
    if (!this.#ended) this.#fail(error);
  };

  #answer(attributes: Attributes, action: Answer): void {
    if (action === null) {
      this.#finish();
      return;
    }
    if (!isSendable(action)) {
      // The rooms before this one see to it; what is written here, though, Postfix runs.
      const fields = { ...this.#fields(), action: action.slice(0, 200) };
      this.#context.log.error(fields, "not sent: an action must be one line without control characters");
      this.#finish();
      return;
    }
    this.#recipients.answered(attributes, action);
    this.#gathered += `action=${action}\n\n`;
  }

  #refuse(malformed: Malformed): void {
    this.#context.malformed += 1;
    const fields = { ...this.#fields(), line: malformed.line };
    this.#context.log.warn(fields, `not a policy request, connection closed: ${malformed.problem}`);
    this.#finish();
  }

  #fail(error: unknown): void {
    this.#context.log.error(
      { ...this.#fields(), err: error },
      "a decision ended with an unexpected error; connection closed without a reply",
    );
    this.#finish();
  }

  /** What is gathered goes out; unless the client has to read first. */
  #flush(): void {
    if (this.#gathered === "" || this.#unread || this.#ended) return;
    const answers = this.#gathered;
    this.#gathered = "";
    if (this.#output.write(answers)) return;
    this.#unread = true;
    this.#startTimer("the client did not read its answers");
  }

  /** Ends the connection as soon as what is answered has gone out. */
  #finish(): void {
    if (this.#finishing || this.#ended) return;
    this.#finishing = true;
    const answers = this.#gathered;
    this.#gathered = "";
    if (answers === "") this.#output.end();
    else this.#output.end(answers);
    if (this.#output.writableLength > 0) this.#startTimer("the client did not read its answers");
  }

  #lose(error: Error): void {
    if (this.#ended) return;
    const what = this.#deciding === null ? "connection lost" : "connection lost before the answer";
    this.#context.log.debug({ ...this.#fields(), err: error }, what);
    this.end();
  }

  #startTimer(reason: string): void {
    if (this.#timer !== null || this.#ended) return;
    const { requestTimeout, log } = this.#context;
    this.#timer = setTimeout(() => {
      log.warn(this.#fields(), `${reason} within ${requestTimeout / 1000} s; connection closed`);
      this.end();
    }, requestTimeout);
  }

  #stopTimer(): void {
    if (this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#timer = null;
  }

  #fields(): { listener: string; peer: string } {
    return { listener: this.#context.listener, peer: this.#peer };
  }
}
