/**
 * The kept-alive connections to one URL. The one used last is used next, so that those no longer needed go idle
 * and are closed, and finding one costs nothing however many there are.
 *
 * How many there are is the limiter's business. A connection is never closed under a call: when it has grown
 * too old, or the certificates have changed, it is closed instead of being used again.
 */
import { Connection, type Destination } from "./connection.ts";

export class ConnectionPool {
  readonly #destination: Destination;
  readonly #idle: Connection[] = [];
  #generation = 0;
  #closed = false;

  constructor(destination: Destination) {
    this.#destination = destination;
  }

  /** A connection for one call; to be given back by `release`, or destroyed. */
  lease(now: number): Connection {
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      if (!connection.isOld(now)) return connection;
      connection.destroy();
    }
    return new Connection(this.#destination, this.#generation);
  }

  /** Gives back a connection whose call is over. */
  release(connection: Connection): void {
    if (this.#closed || connection.generation !== this.#generation) connection.destroy();
    else this.#idle.push(connection);
  }

  /** Lets no further call use the connections that there are. */
  retire(): void {
    this.#generation++;
    for (const connection of this.#idle.splice(0)) connection.destroy();
  }

  /** Keeps no connection from now on. */
  close(): void {
    this.#closed = true;
    this.retire();
  }
}
