import type { Socket } from "node:net";
import { expect, it } from "vitest";
import { HandOver } from "../../src/workers/hand-over.ts";
import type { Accepted, WorkerProcess } from "../../src/workers/worker-process.ts";

/** A worker with so many connections, of which some have not reached it. */
function worker(connections: number, underway: number) {
  const handed: Accepted[] = [];
  const fake = {
    connections,
    underway: Array.from({ length: underway }),
    hand: (one: Accepted) => handed.push(one),
  };
  return { worker: fake as unknown as WorkerProcess, handed };
}

const accepted: Accepted = { place: { endpoint: "inet:127.0.0.1:1", name: "a" }, socket: {} as Socket };

it.each([
  ["the one with fewer connections", worker(5, 0), worker(4, 0)],
  ["the other, where one does not take what it is given", worker(1, 2), worker(40, 0)],
  ["the one with fewer, where the last one is still on its way", worker(40, 0), worker(1, 1)],
])("the next connection goes to %s", (_, other, expected) => {
  const handOver = new HandOver();
  handOver.use([other.worker, expected.worker]);
  expect(handOver.accept(accepted)).toBeUndefined();
  expect([other.handed.length, expected.handed.length]).toEqual([0, 1]);
});

it("connections that come while there is no worker wait for one", () => {
  const handOver = new HandOver();
  handOver.accept(accepted);
  const first = worker(0, 0);
  handOver.use([first.worker]);
  expect(first.handed).toEqual([accepted]);
});
