/**
 * A listener: binds an endpoint, accepts connections, and ends them in order when asked.
 *
 * Gives a `PolicyListener`, or a problem that says what to do (port in use, no rights, no such directory).
 */
import type { Socket } from "node:net";
import { type Acceptor, type AcceptorOptions, accepting, type Receiver } from "./acceptor.ts";
import type { PolicyHandler } from "./connection.ts";
import type { Endpoint } from "./endpoint.ts";
import { type ConnectionsOptions, PolicyConnections } from "./policy-connections.ts";

export type ListenerOptions = Omit<AcceptorOptions, "pauseOnConnect"> & Omit<ConnectionsOptions, "onEnded">;

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
  return accepting(options, (acceptor) => new PolicyListener(acceptor, options));
}

export class PolicyListener implements Receiver {
  /** What it is bound to, with the port that the system chose where none was named. */
  readonly endpoint: Endpoint;
  readonly name: string;
  readonly #acceptor: Acceptor;
  readonly #connections: PolicyConnections;

  /** Use `listen`. */
  constructor(acceptor: Acceptor, options: ConnectionsOptions) {
    this.endpoint = acceptor.endpoint;
    this.name = acceptor.name;
    this.#acceptor = acceptor;
    this.#connections = new PolicyConnections(this.name, options);
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Requests that were complete since the start. */
  get requests(): number {
    return this.#connections.requests;
  }

  /** Connections that were taken since the start. */
  get accepted(): number {
    return this.#connections.accepted;
  }

  /** Those that were not. */
  get refused(): number {
    return this.#acceptor.refused;
  }

  /** Requests that were none. */
  get malformed(): number {
    return this.#connections.malformed;
  }

  accept(socket: Socket): string | undefined {
    return this.#connections.accept(socket);
  }

  /** From now on requests go to `handle`; those being decided are answered as they began. */
  setHandler(handle: PolicyHandler): void {
    this.#connections.setHandler(handle);
  }

  /** Takes no further connections; those that are open live on. The file of a unix socket is removed. */
  stopAccepting(): void {
    this.#acceptor.stop();
  }

  /**
   * Stops accepting, answers what has been received complete, and ends all connections.
   *
   * @param options.graceMs milliseconds that this may take; what is not answered then is cut off, with a log line
   */
  async close(options: { readonly graceMs: number }): Promise<void> {
    this.stopAccepting();
    await this.#connections.close(options.graceMs);
  }
}
