/** A listener of the supervisor: accepts, and passes each connection on unread. */
import type { Socket } from "node:net";
import { type Acceptor, accepting, type Receiver } from "../postfix/acceptor.ts";
import { type Endpoint, formatEndpoint } from "../postfix/endpoint.ts";
import type { ListenerOptions } from "../postfix/listener.ts";
import type { Listener } from "../postfix/listener-set.ts";
import type { HandOver } from "./hand-over.ts";
import type { ListenerPlace } from "./messages.ts";

/** Opens such a listener; a problem where the endpoint cannot be bound. */
export async function listenFor(
  handOver: HandOver,
  options: ListenerOptions,
): Promise<HandingListener | { readonly problem: string }> {
  return accepting(
    { ...options, pauseOnConnect: true },
    (acceptor) => new HandingListener(acceptor, handOver),
  );
}

export class HandingListener implements Receiver, Listener {
  readonly endpoint: Endpoint;
  readonly name: string;
  /** Connections are the workers', and so are requests. */
  readonly connections = 0;
  readonly requests = 0;
  readonly accepted = 0;
  readonly malformed = 0;
  readonly #acceptor: Acceptor;
  readonly #handOver: HandOver;
  readonly #place: ListenerPlace;

  constructor(acceptor: Acceptor, handOver: HandOver) {
    this.endpoint = acceptor.endpoint;
    this.name = acceptor.name;
    this.#acceptor = acceptor;
    this.#handOver = handOver;
    this.#place = { endpoint: formatEndpoint(this.endpoint), name: this.name };
  }

  /** For want of descriptors here; what a worker does not take, it counts itself. */
  get refused(): number {
    return this.#acceptor.refused;
  }

  accept(socket: Socket): string | undefined {
    // Until it has gone it is nobody's business that the other side has.
    socket.on("error", () => {});
    return this.#handOver.accept({ place: this.#place, socket, at: performance.now() });
  }

  setHandler(): void {
    // No request is read here.
  }

  stopAccepting(): void {
    this.#acceptor.stop();
  }

  async close(): Promise<void> {
    this.stopAccepting();
  }
}
