/**
 * One kept-alive connection to a service: an undici client of its own, and the socket below it.
 *
 * A call has a connection to itself, so giving a call up is giving its connection up, whatever that is doing:
 * looking up the name, connecting, shaking hands or waiting for a reply.
 */
import net from "node:net";
import tls from "node:tls";
import { Client, type Dispatcher } from "undici";
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
}

/** What a connection is busy with, for the log. */
export type Stage = "looking up its name" | "connecting" | "shaking hands (TLS)" | "waiting for the reply";

const IDLE = 4_000;
const MAX_IDLE = 60_000;
const KEEPALIVE_PROBE = 60_000;
/** Before the next of several addresses is tried. Node's own 250 ms is less than some connections take. */
const ADDRESS_TIMEOUT = 400;

export class Connection {
  /** Which of the pool's generations it belongs to. */
  readonly generation: number;
  readonly #destination: Destination;
  readonly #client: Client;
  #socket: net.Socket | null = null;
  #stage: Stage = "waiting for the reply";
  /** By performance.now(); infinite before it is open. */
  #openedAt = Number.POSITIVE_INFINITY;

  constructor(destination: Destination, generation: number) {
    this.#destination = destination;
    this.generation = generation;
    this.#client = new Client(destination.origin, {
      connect: (_options, callback) => this.#connect(callback),
      pipelining: 1,
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

  isOld(now: number): boolean {
    return now - this.#openedAt > this.#destination.maxAge;
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    this.#client.dispatch(options, handler);
  }

  /** Ends it at once, with what it is doing. */
  destroy(): void {
    this.#client.destroy().catch(() => {});
    this.#socket?.destroy();
  }

  #connect(callback: (...outcome: [null, net.Socket] | [Error, null]) => void): void {
    const { hostname: host, port, resolver, tls: files, serverName } = this.#destination;
    this.#stage = net.isIP(host) === 0 ? "looking up its name" : "connecting";
    const target = {
      host,
      port,
      lookup: resolver.lookup,
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: ADDRESS_TIMEOUT,
    };
    const socket =
      files === null
        ? net.connect(target)
        : tls.connect({
            ...target,
            servername: serverName ?? (net.isIP(host) === 0 ? host : ""),
            secureContext: files.context,
            // Said outright, or NODE_TLS_REJECT_UNAUTHORIZED=0 would turn it off.
            rejectUnauthorized: true,
            ALPNProtocols: ["http/1.1"],
          });
    this.#socket = socket;
    socket.setNoDelay(true).setKeepAlive(true, KEEPALIVE_PROBE);
    socket.once("lookup", () => {
      this.#stage = "connecting";
    });
    if (files !== null) {
      socket.once("connect", () => {
        this.#stage = "shaking hands (TLS)";
      });
    }

    let open = false;
    socket.once(files === null ? "connect" : "secureConnect", () => {
      open = true;
      this.#stage = "waiting for the reply";
      this.#openedAt = performance.now();
      callback(null, socket);
    });
    socket.on("error", (error) => {
      if (!open) callback(error, null);
      open = true;
    });
  }
}
