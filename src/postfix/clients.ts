/** What the clients of a process share, whatever listener they came by: file descriptors, and turns of the event loop. */
import { Arrivals } from "./arrivals.ts";
import { mostClients } from "./descriptors.ts";

export class Clients {
  readonly arrivals = new Arrivals();
  #open = 0;
  #most = mostClients(0);

  /** Keeps descriptors back from clients, for so many calls; those that are open live on. */
  keepBack(descriptors: number): void {
    this.#most = mostClients(descriptors);
  }

  /**
   * One more has connected; to be told when it has left.
   *
   * @param more whether it is known that another follows
   * @returns why it is not taken
   */
  enter(more: boolean): string | undefined {
    if (this.#open >= this.#most) {
      return `${this.#open} connections are open, which is all that the open files allow`;
    }
    this.#open++;
    this.arrivals.note(more);
    return undefined;
  }

  leave(): void {
    this.#open--;
  }
}
