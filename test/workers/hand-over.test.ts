import { once } from "node:events";
import { createServer, type Server, Socket } from "node:net";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { type Accepted, HandOver, type Taker } from "../../src/workers/hand-over.ts";
import { PolicyClient } from "../support/policy-client.ts";

const PLACE = { endpoint: "inet:127.0.0.1:0", name: "test" };

/** A worker whose channel is under the test's control. */
class FakeWorker implements Taker {
  connections = 0;
  takingSince: number | null = null;
  readonly had: Accepted[] = [];
  readonly more: boolean[] = [];
  #settle: (hasArrived: boolean) => void = () => {};

  readonly #isPrompt: boolean;

  /** @param isPrompt says at once that it has what it is handed */
  constructor(isPrompt = true) {
    this.#isPrompt = isPrompt;
  }

  hand(accepted: Accepted, more: boolean): Promise<boolean> {
    this.had.push(accepted);
    this.more.push(more);
    this.connections++;
    this.takingSince = performance.now();
    return new Promise((resolve) => {
      this.#settle = resolve;
      if (this.#isPrompt) setImmediate(() => this.settle(true));
    });
  }

  settle(hasArrived: boolean): void {
    this.takingSince = null;
    if (!hasArrived) this.connections--;
    this.#settle(hasArrived);
  }
}

/** Real connections, as a listener of the supervisor accepts them. */
async function accepting(): Promise<{ accepted(): Promise<{ client: PolicyClient; connection: Accepted }> }> {
  const server: Server = createServer({ pauseOnConnect: true, allowHalfOpen: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  return {
    async accepted() {
      const arrived = once(server, "connection") as Promise<[Socket]>;
      const client = await PolicyClient.connect({ kind: "inet", host: "127.0.0.1", port });
      const [socket] = await arrived;
      onTestFinished(() => {
        client.end();
        socket.destroy();
      });
      return { client, connection: { place: PLACE, socket, at: performance.now() } };
    },
  };
}

/** Connections that nobody is at the other end of. */
function unconnected(count: number): Accepted[] {
  return Array.from({ length: count }, () => ({
    place: PLACE,
    socket: new Socket(),
    at: performance.now(),
  }));
}

function handOver(...workers: FakeWorker[]): { over: HandOver; late: ReturnType<typeof vi.fn> } {
  const late = vi.fn();
  const over = new HandOver(late);
  over.use(workers);
  onTestFinished(() => over.close());
  return { over, late };
}

/** There was a worker, and is none. */
function noneLeft() {
  const made = handOver(new FakeWorker());
  made.over.use([]);
  return made;
}

describe("a connection", () => {
  it("is the supervisor's until the worker has it, then the worker's alone", async () => {
    const worker = new FakeWorker(false);
    const { over } = handOver(worker);
    const { client, connection } = await (await accepting()).accepted();
    expect(over.accept(connection)).toBeUndefined();
    await vi.waitFor(() => expect(worker.had).toEqual([connection]));
    expect(connection.socket.destroyed).toBe(false);
    worker.settle(true);
    await vi.waitFor(() => expect(connection.socket.destroyed).toBe(true));
    // Here no worker has the other copy.
    expect(await client.untilClosed()).toBe("");
  });

  it("goes to another worker when the one that it was on its way to has ended", async () => {
    const [dying, other] = [new FakeWorker(false), new FakeWorker()];
    const { over } = handOver(dying);
    const [connection] = unconnected(1);
    over.accept(connection!);
    await vi.waitFor(() => expect(dying.had).toEqual([connection]));
    over.use([other]);
    dying.settle(false);
    await vi.waitFor(() => expect(other.had).toEqual([connection]));
  });

  it("does not wait for a worker that takes nothing while another does", async () => {
    const [stopped, other] = [new FakeWorker(false), new FakeWorker()];
    const { over, late } = handOver(stopped, other);
    const connections = unconnected(20);
    for (const connection of connections) over.accept(connection);
    await vi.waitFor(() => expect(stopped.had.length + other.had.length).toBe(20), { timeout: 5000 });
    expect(stopped.had).toHaveLength(1);
    expect(late).not.toHaveBeenCalled();
  });

  it.each([
    ["that no worker takes", noneLeft],
    ["that is on its way to a worker that takes nothing", () => handOver(new FakeWorker(false))],
  ])("%s is closed when a decision would have come to its end", async (_, make) => {
    const { over, late } = make();
    over.patience = 200;
    const { client, connection } = await (await accepting()).accepted();
    over.accept(connection);
    const begin = performance.now();
    expect(await client.untilClosed()).toBe("");
    expect(performance.now() - begin).toBeGreaterThan(150);
    expect(late).toHaveBeenCalledOnce();
  });

  it("waits while the first workers start, however long that takes", async () => {
    const { over, late } = handOver();
    over.patience = 60;
    const { connection } = await (await accepting()).accepted();
    over.accept(connection);
    await new Promise((resolve) => setTimeout(resolve, 200));
    const first = new FakeWorker();
    over.use([first]);
    await vi.waitFor(() => expect(first.had).toEqual([connection]));
    expect(late).not.toHaveBeenCalled();
  });

  it("that was closed so is not handed to anybody else", async () => {
    const [stopped, other] = [new FakeWorker(false), new FakeWorker()];
    const { over, late } = handOver(stopped);
    over.patience = 60;
    const { connection } = await (await accepting()).accepted();
    over.accept(connection);
    await vi.waitFor(() => expect(late).toHaveBeenCalled());
    over.use([other]);
    stopped.settle(false);
    await vi.waitFor(() => expect(connection.socket.destroyed).toBe(true));
    expect(other.had).toEqual([]);
  });
});

describe("workers", () => {
  it("get the next connection where one has fewer", async () => {
    const [more, fewer] = [new FakeWorker(), new FakeWorker()];
    [more.connections, fewer.connections] = [5, 4];
    const { over } = handOver(more, fewer);
    over.accept(unconnected(1)[0]!);
    await vi.waitFor(() => expect(fewer.had).toHaveLength(1));
    expect(more.had).toEqual([]);
  });

  it("get those that came while there was none", async () => {
    const worker = new FakeWorker();
    const { over } = handOver();
    const connections = unconnected(2);
    for (const connection of connections) over.accept(connection);
    over.use([worker]);
    await vi.waitFor(() => expect(worker.had).toEqual(connections));
  });

  it.each([10, 1000])("get as many each, though one is slower: of %i", async (count) => {
    const [quick, slow] = [new FakeWorker(), new FakeWorker(false)];
    const { over } = handOver(quick, slow);
    const timer = setInterval(() => slow.takingSince !== null && slow.settle(true), 1);
    onTestFinished(() => clearInterval(timer));
    for (const connection of unconnected(count)) over.accept(connection);
    await vi.waitFor(() => expect(quick.had.length + slow.had.length).toBe(count), { timeout: 15_000 });
    expect(Math.abs(quick.had.length - slow.had.length)).toBeLessThanOrEqual(count / 8);
  });

  it("are told that others follow, and that none does", async () => {
    const worker = new FakeWorker();
    const { over } = handOver(worker);
    for (const connection of unconnected(3)) over.accept(connection);
    await vi.waitFor(() => expect(worker.more).toEqual([true, true, false]));
    over.accept(unconnected(1)[0]!);
    await vi.waitFor(() => expect(worker.more).toEqual([true, true, false, false]));
  });

  it("have no more than their open files allow", async () => {
    const worker = new FakeWorker();
    const { over } = handOver(worker);
    over.most = 2;
    for (const connection of unconnected(2)) expect(over.accept(connection)).toBeUndefined();
    await vi.waitFor(() => expect(worker.had).toHaveLength(2));
    expect(over.accept(unconnected(1)[0]!)).toContain("which is all that the open files allow");
  });
});
