/** The connections of a worker, which another process has accepted: by listener, as `ListenerSet` has them. */
import type { Socket } from "node:net";
import type { Reception } from "../bridge/bridge-engine.ts";
import { Clients } from "../postfix/clients.ts";
import type { ConnectionLog, PolicyHandler } from "../postfix/connection.ts";
import { ConnectionComplaints } from "../postfix/connection-complaints.ts";
import type { ListenerReport } from "../postfix/listener-set.ts";
import { type Handed, PolicyConnections } from "../postfix/policy-connections.ts";
import type { ListenerPlace } from "./messages.ts";

interface Listener {
  readonly place: ListenerPlace;
  readonly connections: PolicyConnections;
}

export class ReceivedConnections implements Reception {
  readonly #log: ConnectionLog;
  readonly #complaints: ConnectionComplaints;
  readonly #onEnded: () => void;
  readonly #clients = new Clients();
  readonly #listeners = new Map<string, Listener>();
  #handle: PolicyHandler;

  constructor(handle: PolicyHandler, log: ConnectionLog, onEnded: () => void) {
    this.#handle = handle;
    this.#log = log;
    this.#complaints = new ConnectionComplaints(log);
    this.#onEnded = onEnded;
  }

  get size(): number {
    return [...this.#listeners.values()].reduce((sum, { connections }) => sum + connections.size, 0);
  }

  get report(): readonly ListenerReport[] {
    return [...this.#listeners.values()].map(({ place, connections }) => ({
      ...place,
      connections: connections.size,
      requests: connections.requests,
      accepted: connections.accepted,
      refused: connections.refused,
      malformed: connections.malformed,
    }));
  }

  accept(place: ListenerPlace, socket: Socket, handed: Handed): void {
    // A socket that comes from another process is made without it.
    socket.allowHalfOpen = true;
    const problem = this.#of(place).accept(socket, handed);
    if (problem === undefined) return;
    socket.destroy();
    this.#complaints.notTaken({ listener: place.name, connections: this.size }, problem);
    this.#onEnded();
  }

  /** Keeps descriptors back from clients, for calls and what they need. */
  keepBack(descriptors: number): void {
    this.#clients.keepBack(descriptors);
  }

  setHandler(handle: PolicyHandler): void {
    this.#handle = handle;
    for (const { connections } of this.#listeners.values()) connections.setHandler(handle);
  }

  /** Answers what has been received complete, then ends all connections, within `graceMs` milliseconds. */
  async close(graceMs: number): Promise<void> {
    await Promise.all([...this.#listeners.values()].map(({ connections }) => connections.close(graceMs)));
  }

  #of(place: ListenerPlace): PolicyConnections {
    const key = JSON.stringify([place.endpoint, place.name]);
    let listener = this.#listeners.get(key);
    if (listener === undefined) {
      const options = {
        handle: this.#handle,
        log: this.#log,
        clients: this.#clients,
        onEnded: this.#onEnded,
      };
      listener = { place, connections: new PolicyConnections(place.name, options) };
      this.#listeners.set(key, listener);
    }
    return listener.connections;
  }
}
