/**
 * One kept-alive connection to a service: an undici client of its own, and the socket below it.
 *
 * Without pipelining a call has a connection to itself, so giving the call up is giving the connection up, whatever that
 * is doing: looking up the name, connecting, shaking hands or waiting for a reply. With pipelining the calls that share
 * it go down with it, since a reply that is still to come stands before theirs (RFC 9112 §9.3.2). Over HTTP/2 a call is
 * a stream, which can be given up alone.
 */
import net from "node:net";
import tls from "node:tls";
import type { Client, Dispatcher } from "undici";
// undici as a whole brings fetch, WebSocket and caches, and takes a fifth of the time that the bridge needs to start.
import UndiciClient from "undici/lib/dispatcher/client.js";
import { AddressRace } from "./address-race.ts";
import type { Resolver } from "./resolver.ts";
import type { TlsFiles } from "./tls-files.ts";

/** Where the connections of a pool lead, and by what. */
export interface Destination {
  /** Scheme, host and port. */
  readonly origin: string;
  readonly hostname: string;
  readonly port: number;
  readonly resolver: Resolver;
  /** Null for plain HTTP. */
  readonly tls: TlsFiles | null;
  /** For SNI and verification, if it isn't the hostname. */
  readonly serverName?: string;
  /** Milliseconds after which no new call is made on a connection. */
  readonly maxAge: number;
  /** Calls at once on a connection that speaks HTTP/1.1. */
  readonly pipelining: number;
  /** Whether HTTP/2 is asked for: by ALPN over TLS, else by prior knowledge (RFC 9113 §3.2, §3.3). */
  readonly http2: boolean;
}

/** The pool that a connection belongs to. */
export interface ConnectionOwner {
  /** A connection is open, and now knows what it speaks. */
  onOpen(connection: Connection): void;
}

/** What a connection is busy with, for the log. */
export type Stage = "looking up its name" | "connecting" | "shaking hands (TLS)" | "waiting for the reply";

const IDLE = 4_000;
const MAX_IDLE = 60_000;
/** Streams of one connection; what RFC 9113 §6.5.2 recommends that a server grants at least. */
const STREAMS = 100;

export class Connection {
  /** Which of the pool's generations it belongs to. */
  readonly generation: number;
  /** Calls that are on it; for the pool to count. */
  calls = 0;
  /** Whether further calls are kept from it; for the pool to say. */
  withdrawn = false;
  /** How many replies have begun to come in on it. */
  replies = 0;
  readonly #destination: Destination;
  readonly #owner: ConnectionOwner;
  readonly #client: Client;
  #socket: net.Socket | null = null;
  #race: AddressRace | null = null;
  #destroyed = false;
  #stage: Stage = "waiting for the reply";
  /** By performance.now(); infinite before it is open. */
  #openedAt = Number.POSITIVE_INFINITY;
  #http2: boolean;
  #corked = false;

  /** @param http2 whether it is expected to speak HTTP/2; what it does is known once it is open */
  constructor(destination: Destination, owner: ConnectionOwner, generation: number, http2: boolean) {
    this.#destination = destination;
    this.#owner = owner;
    this.generation = generation;
    this.#http2 = http2;
    this.#client = new UndiciClient(destination.origin, {
      connect: (_options, callback) => this.#connect(callback),
      pipelining: this.capacity,
      // An attempt has a time limit as a whole.
      headersTimeout: 0,
      bodyTimeout: 0,
      // Without a hint from the service: less than the shortest that servers are known to keep one open.
      keepAliveTimeout: IDLE,
      keepAliveMaxTimeout: Math.min(MAX_IDLE, destination.maxAge),
    });
  }

  get stage(): Stage {
    return this.#stage;
  }

  /** Calls that it takes at once. */
  get capacity(): number {
    return this.#http2 ? STREAMS : this.#destination.pipelining;
  }

  get http2(): boolean {
    return this.#http2;
  }

  /** Whether a call can be given up without the others on it. */
  get multiplexed(): boolean {
    return this.#http2 && Number.isFinite(this.#openedAt);
  }

  isOld(now: number): boolean {
    return now - this.#openedAt > this.#destination.maxAge;
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    if (this.calls > 1 && !this.#http2) this.#gather();
    this.#client.dispatch(options, handler);
  }

  /** Sends what the calls of this turn of the event loop have to say in one go. */
  #gather(): void {
    const socket = this.#socket;
    if (this.#corked || socket === null) return;
    this.#corked = true;
    socket.cork();
    setImmediate(() => {
      this.#corked = false;
      socket.uncork();
    });
  }

  /** Ends it at once, with what it is doing. */
  destroy(): void {
    this.#destroyed = true;
    this.#client.destroy().catch(() => {});
    this.#race?.end();
    this.#socket?.destroy();
  }

  #connect(callback: Connected): void {
    const { hostname, port, resolver } = this.#destination;
    const race = new AddressRace(port, (error, socket) => {
      if (error === null) this.#secure(socket, callback);
      else callback(error, null);
    });
    this.#race = race;
    if (net.isIP(hostname) !== 0) {
      this.#stage = "connecting";
      race.add([hostname]);
      race.begin();
      return;
    }
    this.#stage = "looking up its name";
    resolver
      .resolve(hostname, (addresses) => race.add(addresses))
      .then(
        (addresses) => {
          if (this.#destroyed) return;
          this.#stage = "connecting";
          race.add(addresses);
          race.begin();
        },
        (error: Error) => callback(error, null),
      );
  }

  #secure(connected: net.Socket, callback: Connected): void {
    const { hostname, tls: files, serverName, http2 } = this.#destination;
    if (files === null) {
      this.#opened(connected, http2, callback);
      return;
    }
    this.#stage = "shaking hands (TLS)";
    const socket = tls.connect({
      socket: connected,
      servername: serverName ?? (net.isIP(hostname) === 0 ? hostname : ""),
      secureContext: files.context,
      // Said outright, or NODE_TLS_REJECT_UNAUTHORIZED=0 would turn it off.
      rejectUnauthorized: true,
      ALPNProtocols: http2 ? ["h2", "http/1.1"] : ["http/1.1"],
      // By what the certificate is checked against where no server name is sent.
      host: hostname,
    });
    this.#socket = socket;
    const refused = (error: Error) => callback(error, null);
    socket.once("error", refused);
    socket.once("secureConnect", () => {
      socket.off("error", refused).on("error", () => {});
      this.#opened(socket, http2 && socket.alpnProtocol === "h2", callback);
    });
  }

  #opened(socket: net.Socket, http2: boolean, callback: Connected): void {
    this.#socket = socket;
    this.#stage = "waiting for the reply";
    this.#openedAt = performance.now();
    this.#http2 = http2;
    // What undici goes by; without TLS nobody else says it.
    if (http2) Object.assign(socket, { alpnProtocol: "h2" });
    this.#client.pipelining = this.capacity;
    this.#owner.onOpen(this);
    callback(null, socket);
  }
}

type Connected = (...outcome: [null, net.Socket] | [Error, null]) => void;
