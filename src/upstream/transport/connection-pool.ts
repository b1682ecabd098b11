/**
 * The kept-alive connections to one URL. One that is idle is taken first, and of those the one used last, so that
 * what is no longer needed goes idle for good and is closed; then, with pipelining or HTTP/2, the one with the fewest
 * calls on it; only when all are full a new one.
 *
 * How many there are is the limiter's business. A connection is never closed under a call that may still end well: when
 * it has grown too old, or the certificates have changed, no further call uses it.
 */
import { Connection, type ConnectionOwner, type Destination } from "./connection.ts";
import { STREAMS } from "./http2.ts";
import { endSoon } from "./teardown.ts";

export class ConnectionPool implements ConnectionOwner {
  readonly #destination: Destination;
  readonly #idle: Connection[] = [];
  /** With calls on them, and room for more. */
  readonly #shared: Connection[] = [];
  /** How many calls a connection takes, as far as is known. */
  #capacity: number;
  #generation = 0;
  #closed = false;

  constructor(destination: Destination) {
    this.#destination = destination;
    this.#capacity = destination.http2 ? STREAMS : destination.pipelining;
  }

  /**
   * A connection for one call; to be given back by `release`, or ended by `discard`.
   *
   * @param fresh none that has brought a reply yet: others may have been closed by the service without our knowing
   */
  lease(now: number, fresh: boolean): Connection {
    if (!fresh) {
      for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
        if (connection.isFit(now)) return this.#take(connection);
        connection.destroy();
      }
    }
    const shared = this.#shared.length === 0 ? null : this.#leastUsed(now, fresh);
    return this.#take(shared ?? new Connection(this.#destination, this, this.#generation, this.#capacity));
  }

  /** Gives back a connection whose call is over. */
  release(connection: Connection): void {
    connection.calls--;
    if (this.#accepts(connection)) this.#place(connection);
    else if (connection.calls === 0) connection.destroy();
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

  onCapacity(connection: Connection): void {
    this.#capacity = connection.capacity;
    if (connection.calls > 0 && this.#accepts(connection)) this.#place(connection);
  }

  onGoodbye(connection: Connection): void {
    this.withdraw(connection);
    remove(this.#idle, connection);
  }

  #take(connection: Connection): Connection {
    connection.calls++;
    this.#place(connection);
    return connection;
  }

  #accepts(connection: Connection): boolean {
    return !this.#closed && !connection.withdrawn && connection.generation === this.#generation;
  }

  /** Puts a connection where the next call finds it, if it is to. */
  #place(connection: Connection): void {
    const { calls, capacity } = connection;
    if (calls === 0) {
      this.#unshare(connection);
      this.#idle.push(connection);
    } else if (calls >= capacity) {
      this.#unshare(connection);
    } else if (!this.#shared.includes(connection)) {
      this.#shared.push(connection);
    }
  }

  #leastUsed(now: number, fresh: boolean): Connection | null {
    let least: Connection | null = null;
    for (const connection of this.#shared) {
      if (fresh && connection.replies > 0) continue;
      if (least === null || connection.calls < least.calls) least = connection;
    }
    if (least === null || least.isFit(now)) return least;
    this.withdraw(least);
    return this.#leastUsed(now, fresh);
  }

  #unshare(connection: Connection): void {
    remove(this.#shared, connection);
  }
}

function remove(list: Connection[], connection: Connection): void {
  const index = list.indexOf(connection);
  if (index >= 0) list.splice(index, 1);
}
