/**
 * The connections to the control endpoint, so many at most. When they run out, the oldest of those that have shown no right
 * to command has to go: whoever only holds connections locks nobody out.
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

  /** It has shown that it may command. */
  know(socket: Socket): void {
    if (this.#strangers.delete(socket)) this.#known.add(socket);
  }
}
