/**
 * The accepting side of a listener: binds an endpoint and passes on each connection, until told to stop.
 *
 * Once bound it does not fail: trouble with accepting is logged. It has no limit on connections of its own, since Postfix
 * keeps one for each of its processes and leaves most of them idle.
 */
import { createServer, type Server, type Socket } from "node:net";
import { type Bound, bind } from "./bind.ts";
import type { ConnectionLog } from "./connection.ts";
import { ConnectionComplaints } from "./connection-complaints.ts";
import { type Endpoint, formatEndpoint } from "./endpoint.ts";
import type { SocketRights } from "./socket-file.ts";

export interface AcceptorOptions {
  readonly endpoint: Endpoint;
  /** `listener` in expressions and in the log; the endpoint by default. */
  readonly name?: string | undefined;
  /** For unix sockets. */
  readonly rights?: SocketRights | undefined;
  readonly log: ConnectionLog;
  /** Connections are passed on unread, for another process to read. */
  readonly pauseOnConnect?: boolean;
}

/** Where connections go. */
export interface Receiver {
  /** Those that are open, for the log. */
  readonly connections: number;
  /** Takes a connection, or says why it cannot. */
  accept(socket: Socket): string | undefined;
}

/** Milliseconds without traffic after which the system asks whether the peer is still there. */
const KEEP_ALIVE_DELAY = 60_000;

/**
 * Binds an endpoint and begins to accept.
 *
 * @param make gives the receiver, once the endpoint is bound
 * @returns the receiver, or a problem that says what to do
 */
export async function accepting<T extends Receiver>(
  options: AcceptorOptions,
  make: (acceptor: Acceptor) => T,
): Promise<T | { readonly problem: string }> {
  const { endpoint, rights, pauseOnConnect = false } = options;
  const server = createServer({
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_DELAY,
    pauseOnConnect,
  });
  const bound = await bind(server, endpoint, rights);
  if ("problem" in bound) return bound;
  const acceptor = new Acceptor(server, bound, options);
  const receiver = make(acceptor);
  acceptor.begin(receiver);
  return receiver;
}

export class Acceptor {
  /** What it is bound to, with the port that the system chose where none was named. */
  readonly endpoint: Endpoint;
  readonly name: string;
  /** Connections that were not taken. */
  refused = 0;
  readonly #server: Server;
  readonly #bound: Bound;
  readonly #complaints: ConnectionComplaints;

  /** Use `accepting`. */
  constructor(server: Server, bound: Bound, options: AcceptorOptions) {
    this.endpoint = boundTo(server, bound.endpoint ?? options.endpoint);
    this.name = options.name ?? formatEndpoint(this.endpoint);
    this.#server = server;
    this.#bound = bound;
    this.#complaints = new ConnectionComplaints(options.log);
  }

  begin(receiver: Receiver): void {
    const complain = (what: string) => {
      this.refused++;
      this.#complaints.notTaken({ listener: this.name, connections: receiver.connections }, what);
    };
    this.#server.on("connection", (socket) => {
      const problem = receiver.accept(socket);
      if (problem === undefined) return;
      socket.destroy();
      complain(problem);
    });
    this.#server.on("error", (error: NodeJS.ErrnoException) => complain(`accepting failed (${error.code})`));
  }

  /** Takes no further connections. The file of a unix socket is removed. */
  stop(): void {
    if (!this.#server.listening) return;
    this.#server.close();
    this.#bound.leave();
  }
}

function boundTo(server: Server, endpoint: Endpoint): Endpoint {
  const address = server.address();
  if (endpoint.kind === "unix" || address === null || typeof address === "string") return endpoint;
  return { ...endpoint, port: address.port };
}
