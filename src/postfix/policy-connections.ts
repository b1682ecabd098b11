/**
 * The connections of one listener: those that are open, what they share, and how they end in order.
 *
 * Takes sockets, whoever accepted them: a server of this process, or another process that hands them over.
 */

import type { Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { within } from "../time/within.ts";
import { Clients } from "./clients.ts";
import {
  type ConnectionContext,
  type ConnectionLog,
  DEFAULT_REQUEST_TIMEOUT,
  PolicyConnection,
  type PolicyHandler,
} from "./connection.ts";
import { DEFAULT_PARSER_LIMITS, type ParserLimits } from "./parser.ts";

export interface ConnectionsOptions {
  readonly handle: PolicyHandler;
  readonly log: ConnectionLog;
  /** Milliseconds, 10,000 by default. */
  readonly requestTimeout?: number | undefined;
  readonly limits?: ParserLimits | undefined;
  /** All that this process has, whatever the listener; by default only these. */
  readonly clients?: Clients | undefined;
  /** Told of each connection that has ended. */
  readonly onEnded?: (() => void) | undefined;
}

/** What another process knows of a connection that it has accepted. */
export interface Handed {
  /** Milliseconds that it has waited. */
  readonly waited: number;
  /** Whether another follows. */
  readonly more: boolean;
}

export class PolicyConnections {
  /** `listener` in expressions and in the log. */
  readonly name: string;
  readonly #log: ConnectionLog;
  readonly #open = new Set<PolicyConnection>();
  readonly #context: ConnectionContext;
  readonly #clients: Clients;
  readonly #onEnded: (() => void) | undefined;
  #onEmpty: (() => void) | null = null;
  /** Connections that were taken since the start, and those that were not. */
  accepted = 0;
  refused = 0;

  constructor(name: string, options: ConnectionsOptions) {
    this.name = name;
    this.#log = options.log;
    this.#onEnded = options.onEnded;
    this.#clients = options.clients ?? new Clients();
    this.#context = {
      listener: name,
      log: options.log,
      arrivals: this.#clients.arrivals,
      requestTimeout: options.requestTimeout ?? DEFAULT_REQUEST_TIMEOUT,
      limits: options.limits ?? DEFAULT_PARSER_LIMITS,
      handle: options.handle,
      requests: 0,
      malformed: 0,
      ended: (connection) => this.#forget(connection),
    };
  }

  /** Connections that are open. */
  get size(): number {
    return this.#open.size;
  }

  /** Requests that were complete since the start. */
  get requests(): number {
    return this.#context.requests;
  }

  /** Requests that were none. */
  get malformed(): number {
    return this.#context.malformed;
  }

  /** From now on requests go to `handle`; those being decided are answered as they began. */
  setHandler(handle: PolicyHandler): void {
    this.#context.handle = handle;
  }

  /**
   * @param socket one that allows the other side to shut down its writing alone
   * @returns why it is not taken
   */
  accept(socket: Socket, { waited, more }: Handed = { waited: 0, more: false }): string | undefined {
    const problem = this.#clients.enter(more);
    if (problem !== undefined) {
      this.refused++;
      return problem;
    }
    this.accepted++;
    const peer =
      socket.remoteAddress === undefined ? "local" : `${socket.remoteAddress}:${socket.remotePort}`;
    const connection = new PolicyConnection(socket, socket, peer, this.#context);
    this.#open.add(connection);
    if (waited > 0) connection.hold(performance.now() - waited);
    return undefined;
  }

  /**
   * Answers what has been received complete, and ends all connections.
   *
   * @param graceMs milliseconds that this may take; what is not answered then is cut off, with a log line
   */
  async close(graceMs: number): Promise<void> {
    // What has arrived but was not read yet is a request that deserves its answer.
    await turn();
    await turn();
    for (const connection of this.#open) connection.drain();
    if (this.#open.size === 0) return;
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    await within(graceMs, empty);
    if (this.#open.size === 0) return;
    this.#log.warn(
      { listener: this.name, connections: this.#open.size },
      `connections were not done within ${graceMs / 1000} s and are cut off`,
    );
    for (const connection of this.#open) connection.end();
  }

  #forget(connection: PolicyConnection): void {
    this.#open.delete(connection);
    this.#clients.leave();
    this.#onEnded?.();
    if (this.#open.size === 0) this.#onEmpty?.();
  }
}
