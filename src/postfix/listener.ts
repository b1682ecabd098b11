/**
 * A listener: binds an endpoint, accepts connections, and ends them in order when asked.
 *
 * Gives a `PolicyListener`, or a problem that says what to do (port in use, no rights, no such directory).
 * Once bound it does not fail: trouble with accepting is logged. It has no limit on connections but the
 * system's own, since Postfix keeps one for each of its processes and leaves most of them idle.
 */
import { createServer, type Server, type Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { bind, grant } from "./bind.ts";
import {
  type ConnectionContext,
  type ConnectionLog,
  DEFAULT_REQUEST_TIMEOUT,
  PolicyConnection,
  type PolicyHandler,
} from "./connection.ts";
import { connectionLimit } from "./descriptors.ts";
import { type Endpoint, formatEndpoint } from "./endpoint.ts";
import { DEFAULT_PARSER_LIMITS, type ParserLimits } from "./parser.ts";
import type { SocketRights } from "./socketfile.ts";

export interface ListenerOptions {
  readonly endpoint: Endpoint;
  /** `listener` in expressions and in the log; the endpoint by default. */
  readonly name?: string | undefined;
  /** For unix sockets. */
  readonly rights?: SocketRights | undefined;
  readonly handle: PolicyHandler;
  readonly log: ConnectionLog;
  /** Milliseconds, 10,000 by default. */
  readonly requestTimeout?: number | undefined;
  readonly limits?: ParserLimits | undefined;
}

/** Milliseconds without traffic after which the system asks whether the peer is still there. */
const KEEP_ALIVE_DELAY = 60_000;
/** Milliseconds between two log lines about connections that could not be taken. */
const COMPLAINT_INTERVAL = 10_000;

/**
 * Binds an endpoint and begins to accept.
 *
 * @example
 * const listener = await listen({ endpoint, handle: () => "DUNNO", log });
 * if ("problem" in listener) throw new Error(listener.problem);
 */
export async function listen(
  options: ListenerOptions,
): Promise<PolicyListener | { readonly problem: string }> {
  const { endpoint } = options;
  const server = createServer({
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_DELAY,
  });
  const problem = await bind(server, endpoint);
  if (problem !== undefined) return { problem };
  const listener = new PolicyListener(server, options);
  const refused = await grant(endpoint, options.rights);
  if (refused === undefined) return listener;
  await listener.close({ graceMs: 0 });
  return { problem: refused };
}

export class PolicyListener {
  /** What it is bound to, with the port that the system chose where none was named. */
  readonly endpoint: Endpoint;
  readonly name: string;
  readonly #server: Server;
  readonly #log: ConnectionLog;
  readonly #connections = new Set<PolicyConnection>();
  readonly #context: ConnectionContext;
  #onEmpty: (() => void) | null = null;
  #complainedAt = Number.NEGATIVE_INFINITY;

  /** Use `listen`. */
  constructor(server: Server, options: ListenerOptions) {
    this.endpoint = boundTo(server, options.endpoint);
    this.name = options.name ?? formatEndpoint(this.endpoint);
    this.#server = server;
    this.#log = options.log;
    this.#context = {
      listener: this.name,
      log: options.log,
      requestTimeout: options.requestTimeout ?? DEFAULT_REQUEST_TIMEOUT,
      limits: options.limits ?? DEFAULT_PARSER_LIMITS,
      handle: options.handle,
      requests: 0,
      ended: (connection) => this.#forget(connection),
    };
    const limit = connectionLimit();
    if (limit !== undefined) server.maxConnections = limit;
    server.on("connection", (socket) => this.#accept(socket));
    server.on("drop", () =>
      this.#complain(`${limit} connections are open, which is all that the open files allow`),
    );
    server.on("error", (error: NodeJS.ErrnoException) => this.#complain(`accepting failed (${error.code})`));
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Requests that were complete since the start. */
  get requests(): number {
    return this.#context.requests;
  }

  /** From now on requests go to `handle`; those being decided are answered as they began. */
  setHandler(handle: PolicyHandler): void {
    this.#context.handle = handle;
  }

  /** Takes no further connections; those that are open live on. The file of a unix socket is removed. */
  stopAccepting(): void {
    if (this.#server.listening) this.#server.close();
  }

  /**
   * Stops accepting, answers what has been received complete, and ends all connections.
   *
   * @param options.graceMs milliseconds that this may take; what is not answered then is cut off, with a log line
   */
  async close(options: { readonly graceMs: number }): Promise<void> {
    this.stopAccepting();
    // What has arrived but was not read yet is a request that deserves its answer.
    await turn();
    await turn();
    for (const connection of this.#connections) connection.drain();
    if (this.#connections.size === 0) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
      timer = setTimeout(resolve, options.graceMs);
    });
    clearTimeout(timer);
    if (this.#connections.size === 0) return;
    this.#log.warn(
      { listener: this.name, connections: this.#connections.size },
      `connections were not done within ${options.graceMs / 1000} s and are cut off`,
    );
    for (const connection of this.#connections) connection.end();
  }

  #accept(socket: Socket): void {
    const peer =
      socket.remoteAddress === undefined ? "local" : `${socket.remoteAddress}:${socket.remotePort}`;
    this.#connections.add(new PolicyConnection(socket, socket, peer, this.#context));
  }

  #forget(connection: PolicyConnection): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#onEmpty?.();
  }

  #complain(what: string): void {
    const now = performance.now();
    if (now - this.#complainedAt < COMPLAINT_INTERVAL) return;
    this.#complainedAt = now;
    this.#log.error(
      { listener: this.name, connections: this.#connections.size },
      `a connection was not taken: ${what}; raise the limit (LimitNOFILE= of systemd, ulimit -n)`,
    );
  }
}

function boundTo(server: Server, endpoint: Endpoint): Endpoint {
  const address = server.address();
  if (endpoint.kind === "unix" || address === null || typeof address === "string") return endpoint;
  return { ...endpoint, port: address.port };
}
