/**
 * Who gets the next connection: the worker with the fewest. Postfix keeps a connection for a long time, so that after a
 * worker was replaced turns alone would leave it with too few.
 *
 * A connection is handed over unread, one at a time to each worker, and stays the supervisor's until the worker says that
 * it has it: one that was on its way to a worker that has ended goes to another. Those that no worker takes wait here, but
 * no longer than a decision may take; then they are closed, and the mail system connects again or does what it does
 * without a policy service.
 */

import type { Socket } from "node:net";
import { mostClients } from "../postfix/descriptors.ts";
import type { ListenerPlace } from "./messages.ts";

/** A connection that was accepted and is to be handed to a worker. */
export interface Accepted {
  readonly place: ListenerPlace;
  readonly socket: Socket;
  /** By `performance.now()`. */
  readonly at: number;
}

/** A worker, as far as it takes connections. */
export interface Taker {
  /** Connections that it has, or will have. */
  readonly connections: number;
  /** Since when the one that was handed to it last is on its way, by `performance.now()`; null when it has arrived. */
  readonly takingSince: number | null;
  /**
   * Hands it a connection, which the supervisor still has, too.
   *
   * @param more whether another follows
   * @returns whether it has arrived; if not it never will
   */
  hand(accepted: Accepted, more: boolean): Promise<boolean>;
}

/** How many connections another worker may have more because it is quicker in taking them, for each that the last one has. */
const AHEAD = 1 / 8;
/** A worker that takes so long to take one, in milliseconds, is busy with something else: others don't wait for it. */
const PROMPT = 250;
/** How often is looked after those that wait, in milliseconds. */
const LOOK_EVERY = 50;

export class HandOver {
  /** Milliseconds that a connection may wait. */
  patience = Number.POSITIVE_INFINITY;
  /** Connections that a worker may have. */
  most = Number.POSITIVE_INFINITY;
  /** What waits here takes descriptors of this process. */
  readonly #room = mostClients(0);
  readonly #onLate: () => void;
  /** Those that take connections. */
  #takers: readonly Taker[] = [];
  /** Since when there have been any, by `performance.now()`; null while the first ones start. */
  #begunAt: number | null = null;
  #waiting: Accepted[] = [];
  /** On their way; what has waited too long is closed already. */
  readonly #underway = new Set<Accepted>();
  readonly #closed = new WeakSet<Accepted>();
  #timer: NodeJS.Timeout | null = null;
  /** This turn of the event loop has brought one; so many turns did, one after the other. */
  #brought = false;
  #turns = 0;
  #isLooking = false;
  #isOver = false;

  /** @param onLate is told of connections that have waited too long and are closed */
  constructor(onLate: () => void) {
    this.#onLate = onLate;
  }

  /** @returns why the connection is not taken */
  accept(accepted: Accepted): string | undefined {
    if (this.#takers.length > 0 && this.#waiting.length >= this.#places()) {
      return `each worker has ${this.most} connections, which is all that the open files allow`;
    }
    if (this.#waiting.length + this.#underway.size >= this.#room) {
      return `${this.#waiting.length} connections wait for a worker, which is all that the open files allow`;
    }
    this.#waiting.push(accepted);
    this.#brought = true;
    if (!this.#isLooking) this.#lookLater();
    return undefined;
  }

  /** From now on these take connections; those that wait go to them. */
  use(takers: readonly Taker[]): void {
    this.#takers = takers;
    if (takers.length > 0) this.#begunAt ??= performance.now();
    this.#handOut();
  }

  /** Connections that still wait get no answer any more. */
  close(): void {
    this.#isOver = true;
    for (const { socket } of this.#waiting) socket.destroy();
    this.#waiting = [];
  }

  /** How many connections the workers could take. */
  #places(): number {
    return this.#takers.reduce((sum, { connections }) => sum + Math.max(0, this.most - connections), 0);
  }

  /** Whether others follow is seen in the next turn. */
  #lookLater(): void {
    this.#isLooking = true;
    setImmediate(() => {
      this.#isLooking = false;
      this.#turns = this.#brought ? this.#turns + 1 : 0;
      this.#brought = false;
      if (this.#turns > 0) this.#lookLater();
      if (this.#turns !== 1) this.#handOut();
    });
  }

  #handOut(): void {
    while (this.#waiting.length > 0) {
      const taker = this.#next();
      if (taker === undefined) break;
      const [accepted] = this.#waiting.splice(0, 1);
      void this.#hand(taker, accepted!);
    }
    this.#watch();
  }

  async #hand(taker: Taker, accepted: Accepted): Promise<void> {
    this.#underway.add(accepted);
    const hasArrived = await taker.hand(accepted, this.#turns > 1 || this.#waiting.length > 0);
    this.#underway.delete(accepted);
    if (hasArrived || this.#isOver || this.#closed.has(accepted)) accepted.socket.destroy();
    else this.#waiting.unshift(accepted);
    this.#handOut();
  }

  /** None while those that could take one must not get ahead of the others any further. */
  #next(): Taker | undefined {
    const now = performance.now();
    let fewest = Number.POSITIVE_INFINITY;
    let best: Taker | undefined;
    for (const taker of this.#takers) {
      const { connections, takingSince } = taker;
      if (connections >= this.most) continue;
      const isFree = takingSince === null;
      if (isFree || now - takingSince < PROMPT) fewest = Math.min(fewest, connections);
      if (isFree && (best === undefined || connections < best.connections)) best = taker;
    }
    return best !== undefined && best.connections <= fewest * (1 + AHEAD) ? best : undefined;
  }

  #watch(): void {
    if (this.#timer !== null || this.#waiting.length + this.#underway.size === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#closeLate();
      this.#handOut();
    }, LOOK_EVERY);
  }

  /** What came before the first worker could take any is as old as that worker. */
  #closeLate(): void {
    const before = performance.now() - this.patience;
    if (this.#begunAt === null || this.#begunAt >= before) return;
    const late = this.#waiting.filter(({ at }) => at < before);
    if (late.length > 0) this.#waiting = this.#waiting.filter(({ at }) => at >= before);
    for (const { socket } of late) socket.destroy();
    let isAnyLate = late.length > 0;
    for (const accepted of this.#underway) {
      if (accepted.at >= before || this.#closed.has(accepted)) continue;
      isAnyLate = true;
      this.#closed.add(accepted);
      // The worker may have it, too: this ends it wherever it is.
      accepted.socket.end();
    }
    if (isAnyLate) this.#onLate();
  }
}
