/**
 * One kept-alive connection to a service: a socket, and what carries calls on it, which shows once it is open.
 *
 * Without pipelining a call has a connection to itself, so giving the call up is giving the connection up, whatever that
 * is doing: looking up the name, connecting, shaking hands or waiting for a reply. With pipelining the calls that share
 * it go down with it, since a reply that is still to come stands before theirs (RFC 9112 §9.3.2). Over HTTP/2 a call is
 * a stream, which can be given up alone. A connection that is lost is not opened again.
 */
import type net from "node:net";
import type tls from "node:tls";
import { type Carrier, ConnectionEnded, type Exchange, NotProcessed, type Outgoing } from "./carrier.ts";
import { Http1 } from "./http1.ts";
import { Http2 } from "./http2.ts";
import type { Incoming } from "./interim-replies.ts";
import { type Address, isTunneled, Opening } from "./opening.ts";

/** Where the connections of a pool lead, and by what. */
export interface Destination extends Address {
  /** Scheme, host and port. */
  readonly origin: string;
  /** Milliseconds after which no new call is made on a connection. */
  readonly maxAge: number;
  /** Calls at once on a connection that speaks HTTP/1.1. */
  readonly pipelining: number;
  /** Whether HTTP/2 is asked for: by ALPN over TLS, else by prior knowledge (RFC 9113 §3.2, §3.3). */
  readonly http2: boolean;
}

/** The pool that a connection belongs to. */
export interface ConnectionOwner {
  /** What a connection takes is known now, or has changed. */
  onCapacity(connection: Connection): void;
  /** It takes no more calls: it is closed, or about to be. */
  onGoodbye(connection: Connection): void;
}

/** What a connection is busy with, for the log. */
type Stage = Opening["stage"] | "waiting for the reply";

export class Connection implements Incoming {
  /** Which of the pool's generations it belongs to. */
  readonly generation: number;
  /** Calls that are on it; for the pool to count. */
  calls = 0;
  /** Whether further calls are kept from it; for the pool to say. */
  withdrawn = false;
  /** How many replies have begun to come in on it; for the attempts to count. */
  replies = 0;
  /** Whether a reply, or an interim one, is coming in; for the attempts to say. Means nothing with several at once. */
  replyUnderWay = false;
  /** What went wrong with it first. */
  error: Error | null = null;
  readonly #destination: Destination;
  readonly #owner: ConnectionOwner;
  readonly #expected: number;
  #socket: net.Socket | null = null;
  #opening: Opening | null = null;
  #carrier: Carrier | null = null;
  /** Calls that are to be made once it is open. */
  #waiting: { readonly call: Outgoing; readonly exchange: Exchange }[] = [];
  /** By performance.now(); infinite before it is open. */
  #openedAt = Number.POSITIVE_INFINITY;

  /** @param expected how many calls it is likely to take at once; how many it does is known once it is open */
  constructor(destination: Destination, owner: ConnectionOwner, generation: number, expected: number) {
    this.#destination = destination;
    this.#owner = owner;
    this.generation = generation;
    this.#expected = expected;
  }

  get stage(): Stage {
    return this.#socket === null && this.#opening !== null ? this.#opening.stage : "waiting for the reply";
  }

  /** Calls that it takes at once. */
  get capacity(): number {
    return this.#carrier?.capacity ?? this.#expected;
  }

  /** Whether a call can be given up without the others on it. */
  get multiplexed(): boolean {
    return this.#carrier?.multiplexed === true;
  }

  /** Whether it can be used for another call, as far as is known here. */
  isFit(now: number): boolean {
    return now - this.#openedAt <= this.#destination.maxAge && this.#socket?.destroyed !== true;
  }

  dispatch(call: Outgoing, exchange: Exchange): void {
    if (this.#carrier !== null) {
      this.#carrier.dispatch(this.#addressed(call), exchange);
      return;
    }
    this.#waiting.push({ call, exchange });
    this.#opening ??= new Opening(this.#destination, (...outcome) => this.#connected(...outcome));
  }

  /** Ends it at once, with what it is doing. */
  destroy(): void {
    this.#opening?.end();
    this.#carrier?.destroy();
    this.#socket?.destroy();
    // Whoever ends it has something to finish first.
    queueMicrotask(() => this.#fail(new ConnectionEnded()));
  }

  #connected(...[error, socket]: [error: null, socket: net.Socket] | [error: Error, socket: null]): void {
    if (error !== null) {
      this.#fail(error);
      return;
    }
    this.#socket = socket;
    const { origin, tls: files, http2, pipelining, maxAge } = this.#destination;
    // Before undici hears of it.
    socket.on("error", (failure: Error) => {
      this.error ??= failure;
    });
    socket.once("close", () => this.#owner.onGoodbye(this));
    if (!http2 || (files !== null && (socket as tls.TLSSocket).alpnProtocol !== "h2")) {
      this.#open(new Http1(origin, socket, this, pipelining, maxAge));
      return;
    }
    const session: Http2 = new Http2(origin, socket, {
      onSettings: () => {
        if (this.#carrier === null) this.#open(session);
        else this.#owner.onCapacity(this);
      },
      onGoodbye: () => this.#owner.onGoodbye(this),
      onFailure: (failure) => this.#fail(failure),
    });
  }

  #open(carrier: Carrier): void {
    this.#carrier = carrier;
    this.#openedAt = performance.now();
    this.#owner.onCapacity(this);
    const waiting = this.#waiting.splice(0);
    for (const { call, exchange } of waiting.splice(0, carrier.capacity))
      carrier.dispatch(this.#addressed(call), exchange);
    for (const { exchange } of waiting) exchange.onError(new NotProcessed("it takes fewer calls at once"));
  }

  #fail(error: Error): void {
    for (const { exchange } of this.#waiting.splice(0)) exchange.onError(error);
  }

  /** As a proxy wants a call that it is to make itself: with the whole address, and its own credentials (RFC 9112 §3.2.2). */
  #addressed(call: Outgoing): Outgoing {
    const { origin, proxy } = this.#destination;
    if (proxy === null || isTunneled(this.#destination)) return call;
    const authorization = proxy.authorization();
    return {
      ...call,
      path: origin + call.path,
      headers:
        authorization === undefined ? call.headers : [...call.headers, "proxy-authorization", authorization],
    };
  }
}
