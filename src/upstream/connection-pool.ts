/**
 * The kept-alive connections to one URL. One that is idle is taken first, and of those the one used last, so that
 * what is no longer needed goes idle for good and is closed; then, with pipelining or HTTP/2, the one with the fewest
 * calls on it; only when all are full a new one.
 *
 * How many there are is the limiter's business. A connection is never closed under a call that may still end well: when
 * it has grown too old, or the certificates have changed, no further call uses it.
 */
import { Connection, type ConnectionOwner, type Destination } from "./connection.ts";
import { endSoon } from "./teardown.ts";

export class ConnectionPool implements ConnectionOwner {
  readonly #destination: Destination;
  readonly #idle: Connection[] = [];
  /** With calls on them, and room for more. */
  readonly #shared: Connection[] = [];
  /** Whether connections speak HTTP/2, as far as is known. */
  #http2: boolean;
  #generation = 0;
  #closed = false;

  constructor(destination: Destination) {
    this.#destination = destination;
    this.#http2 = destination.http2;
  }

  /** A connection for one call; to be given back by `release`, or ended by `discard`. */
  lease(now: number): Connection {
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      if (!connection.isOld(now)) return this.#take(connection);
      connection.destroy();
    }
    const shared = this.#shared.length === 0 ? null : this.#leastUsed(now);
    return this.#take(shared ?? new Connection(this.#destination, this, this.#generation, this.#http2));
  }

  /** Gives back a connection whose call is over. */
  release(connection: Connection): void {
    const hadRoom = connection.calls < connection.capacity;
    connection.calls--;
    if (this.#closed || connection.withdrawn || connection.generation !== this.#generation) {
      if (connection.calls === 0) connection.destroy();
    } else if (connection.calls === 0) {
      if (hadRoom) this.#unshare(connection);
      this.#idle.push(connection);
    } else if (!hadRoom) {
      this.#shared.push(connection);
    }
  }

  /** Lets no further call use a connection; it is closed when the calls on it are over. */
  withdraw(connection: Connection): void {
    connection.withdrawn = true;
    this.#unshare(connection);
  }

  /** Ends a connection at once; the calls on it are told. */
  discard(connection: Connection): void {
    this.withdraw(connection);
    connection.destroy();
  }

  /** Ends a connection as soon as there is time, as `endSoon` has it; the calls on it are told then. */
  giveUp(connection: Connection): void {
    this.withdraw(connection);
    endSoon(connection);
  }

  /** Lets no further call use the connections that there are. */
  retire(): void {
    this.#generation++;
    this.#shared.length = 0;
    for (const connection of this.#idle.splice(0)) connection.destroy();
  }

  /** Keeps no connection from now on. */
  close(): void {
    this.#closed = true;
    this.retire();
  }

  /** A service that was expected to speak HTTP/2 may not, or does again. */
  onOpen(connection: Connection): void {
    if (connection.http2 !== this.#http2) {
      this.#http2 = connection.http2;
      if (connection.calls > connection.capacity) this.discard(connection);
    }
    this.#unshare(connection);
    const fit = !connection.withdrawn && connection.generation === this.#generation;
    if (fit && connection.calls < connection.capacity) this.#shared.push(connection);
  }

  #take(connection: Connection): Connection {
    connection.calls++;
    if (connection.calls === connection.capacity) this.#unshare(connection);
    else if (connection.calls === 1) this.#shared.push(connection);
    return connection;
  }

  #leastUsed(now: number): Connection | null {
    let least: Connection | null = null;
    for (const connection of this.#shared) {
      if (least === null || connection.calls < least.calls) least = connection;
    }
    if (least === null || !least.isOld(now)) return least;
    this.withdraw(least);
    return this.#leastUsed(now);
  }

  #unshare(connection: Connection): void {
    const index = this.#shared.indexOf(connection);
    if (index >= 0) this.#shared.splice(index, 1);
  }
}
