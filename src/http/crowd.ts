/**
 * The connections to an endpoint, so many at most. When they run out, the oldest of those that have shown no right
 * to ask has to go: whoever only holds connections locks nobody out.
 */
import type { Socket } from "node:net";

export class Crowd {
  readonly #most: number;
  /** Those that have shown nothing, the oldest first. */
  readonly #strangers = new Set<Socket>();
  readonly #known = new Set<Socket>();

  constructor(most: number) {
    this.#most = most;
  }

  add(socket: Socket): void {
    if (this.#strangers.size + this.#known.size >= this.#most) {
      const [oldest = socket] = this.#strangers;
      this.#strangers.delete(oldest);
      oldest.destroy();
      if (oldest === socket) return;
    }
    this.#strangers.add(socket);
    socket.once("close", () => {
      this.#strangers.delete(socket);
      this.#known.delete(socket);
    });
  }

  /** It has shown that it may ask. */
  know(socket: Socket): void {
    const accepted = this.#strangers.has(socket) ? socket : this.#under(socket);
    if (accepted !== undefined && this.#strangers.delete(accepted)) this.#known.add(accepted);
  }

  /** A secured connection is an object of its own; what was accepted has the same other side. */
  #under({ remoteAddress, remotePort }: Socket): Socket | undefined {
    if (remotePort === undefined) return undefined;
    return [...this.#strangers].find(
      (socket) => socket.remotePort === remotePort && socket.remoteAddress === remoteAddress,
    );
  }

  /** Ends all of them. */
  end(): void {
    for (const socket of [...this.#strangers, ...this.#known]) socket.destroy();
  }
}
