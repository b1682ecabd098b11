/**
 * Who gets the next connection: the worker with the fewest, by turns where several have as many. Postfix keeps a
 * connection for a long time, so that after a worker was replaced turns alone would leave it with too few.
 *
 * While there is no worker connections wait here, as they would in the system's own queue.
 */
import { connectionLimit } from "../postfix/descriptors.ts";
import type { Accepted, WorkerProcess } from "./worker-process.ts";

export class HandOver {
  readonly #limit = connectionLimit() ?? Number.POSITIVE_INFINITY;
  /** Those that take connections; the one whose turn it is first. */
  #workers: readonly WorkerProcess[] = [];
  #waiting: Accepted[] = [];

  /** @returns why the connection is not taken */
  accept(accepted: Accepted): string | undefined {
    const worker = this.#next();
    if (worker === undefined) {
      this.#waiting.push(accepted);
      return undefined;
    }
    if (worker.connections >= this.#limit) {
      return `each worker has ${this.#limit} connections, which is all that the open files allow`;
    }
    worker.hand(accepted);
    this.#workers = [...this.#workers.filter((other) => other !== worker), worker];
    return undefined;
  }

  /** From now on these take connections; those that wait go to them. */
  use(workers: readonly WorkerProcess[]): void {
    const staying = this.#workers.filter((worker) => workers.includes(worker));
    this.#workers = [...workers.filter((worker) => !staying.includes(worker)), ...staying];
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const accepted of waiting) {
      if (this.accept(accepted) !== undefined) accepted.socket.destroy();
    }
  }

  /** Connections that still wait get no answer any more. */
  close(): void {
    for (const { socket } of this.#waiting) socket.destroy();
    this.#waiting = [];
  }

  /** A worker that has not even taken the last one is busy with something else. */
  #next(): WorkerProcess | undefined {
    let best: WorkerProcess | undefined;
    for (const worker of this.#workers) {
      if (best === undefined || load(worker) < load(best)) best = worker;
    }
    return best;
  }
}

/** How much one connection that has not arrived weighs against those that have. */
const BUSY = 1000;

function load(worker: WorkerProcess): number {
  return worker.connections + Math.max(0, worker.underway.length - 1) * BUSY;
}
