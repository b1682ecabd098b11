/**
 * HTTP/1.1 on one socket, by undici. A client of undici's opens a connection again when it is lost, and sends again what
 * was under way; here it gets this one socket, and what becomes of the calls is for those who made them to say.
 */
import type { Socket } from "node:net";
import type { Client, Dispatcher } from "undici";
// undici as a whole brings fetch, WebSocket and caches, and takes a fifth of the time that the bridge needs to start.
import UndiciClient from "undici/lib/dispatcher/client.js";
import {
  type Carrier,
  ConnectionEnded,
  type Exchange,
  type Outgoing,
  SharedConnectionClosed,
} from "./carrier.ts";
import { type Incoming, passOverContinue } from "./interim-replies.ts";

const IDLE = 4_000;
const MAX_IDLE = 60_000;

export class Http1 implements Carrier {
  readonly multiplexed = false;
  readonly capacity: number;
  readonly #incoming: Incoming;
  readonly #client: Client;
  readonly #socket: Socket;
  #handedOver = false;
  #ended = false;
  #corked = false;

  /** @param maxAge milliseconds after which no new call is made on it */
  constructor(origin: string, socket: Socket, incoming: Incoming, pipelining: number, maxAge: number) {
    this.capacity = pipelining;
    this.#incoming = incoming;
    this.#socket = socket;
    passOverContinue(socket, incoming);
    this.#client = new UndiciClient(origin, {
      // Not in the same turn, in which undici would not hear of it.
      connect: (_options, callback) => queueMicrotask(() => this.#handOver(callback)),
      pipelining,
      // An attempt has a time limit as a whole.
      headersTimeout: 0,
      bodyTimeout: 0,
      // Without a hint from the service: less than the shortest that servers are known to keep one open.
      keepAliveTimeout: IDLE,
      keepAliveMaxTimeout: Math.min(MAX_IDLE, maxAge),
    });
  }

  dispatch({ method, path, headers, body }: Outgoing, exchange: Exchange): void {
    if (this.#incoming.calls > 1) this.#gather();
    // A question can be asked twice, and doesn't keep those behind it waiting: it may be pipelined, whatever its method.
    const options = { method, path, headers, body, idempotent: true, blocking: false };
    // undici's type has no POST with a null body, its code has.
    this.#client.dispatch(options as Dispatcher.DispatchOptions, exchange);
  }

  /** Undici's own way to end a client is not for one that is losing its socket: an assertion of its fails. */
  destroy(): void {
    this.#ended = true;
    this.#socket.destroy(new ConnectionEnded());
  }

  #handOver(callback: (...outcome: [null, Socket] | [Error, null]) => void): void {
    if (!this.#handedOver) {
      this.#handedOver = true;
      callback(null, this.#socket);
    } else if (this.#ended) {
      callback(new ConnectionEnded(), null);
    } else {
      callback(new SharedConnectionClosed("the connection that it shared was closed before its turn"), null);
    }
  }

  /** Sends what the calls of this turn of the event loop have to say in one go. */
  #gather(): void {
    if (this.#corked) return;
    this.#corked = true;
    this.#socket.cork();
    setImmediate(() => {
      this.#corked = false;
      this.#socket.uncork();
    });
  }
}
