/** Several addresses of one service, on loopback, some of which take no connection. */
import { once } from "node:events";
import net, { type AddressInfo } from "node:net";
import { Worker } from "node:worker_threads";
import { describe, expect, it, onTestFinished } from "vitest";
import { AddressRace } from "../../../src/upstream/transport/address-race.ts";
import { Resolver } from "../../../src/upstream/transport/resolver.ts";
import { caller } from "../harness.ts";

/** A resolver that says what it is told to. */
function knowing(first: Promise<readonly string[]>, more?: Promise<readonly string[]>): Resolver {
  return Object.assign(new Resolver(), {
    resolve: (_: string, onMore: (addresses: readonly string[]) => void) => {
      void more?.then(onMore);
      return first;
    },
  });
}

async function serviceAt(address: string, port = 0): Promise<number> {
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () =>
      socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${address.length}\r\n\r\n${address}`),
    );
  });
  server.listen(port, address);
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/**
 * An address that answers no attempt to connect: its line of those who want to is full, and is never taken in; or is
 * after `until` milliseconds, so that an attempt succeeds when it knocks again, after a second.
 */
async function blackHoleAt(address: string, port: number, until = 1e9): Promise<void> {
  const worker = new Worker(
    `const { parentPort, workerData } = require("node:worker_threads");
     const server = require("node:net").createServer((socket) => {
       socket.on("error", () => {});
       socket.once("data", () => socket.end("HTTP/1.1 200 OK\\r\\nContent-Length: 4\\r\\n\\r\\nslow"));
     });
     server.listen({ ...workerData, backlog: 1 }, () => {
       parentPort.postMessage("there");
       setTimeout(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, workerData.until), 0);
     });`,
    { eval: true, workerData: { host: address, port, until } },
  );
  onTestFinished(async () => {
    await worker.terminate();
  });
  await once(worker, "message");
  await new Promise((resolve) => setTimeout(resolve, 50));
  const knocking = Array.from({ length: 4 }, () => net.connect(port, address).on("error", () => {}));
  onTestFinished(() => {
    for (const socket of knocking) socket.destroy();
  });
  await new Promise((resolve) => setTimeout(resolve, 50));
}

const FOUR_TIMES = { attempts: 4, backoff: 1, maxBackoff: 1 };
const EVERY_FAILURE_OPENS = { failureRate: 1, minimumCalls: 1, window: 10_000, openFor: 60_000 };

describe("a service with several addresses", () => {
  it("is reached by the next one when the first does not answer", async () => {
    const port = await serviceAt("127.0.0.3");
    await blackHoleAt("127.0.0.2", port);
    const resolver = knowing(Promise.resolve(["127.0.0.2", "127.0.0.3"]));
    const { call } = caller(`http://authz.test:${port}`, { resolver, timeout: 5000 });
    expect((await call({}, 5000)).answer).toMatchObject({ body: "127.0.0.3" });
  });

  it("is reached by the first one, which goes on while the next ones are tried", async () => {
    const port = await serviceAt("127.0.0.9");
    await blackHoleAt("127.0.0.2", port, 600);
    await blackHoleAt("127.0.0.3", port);
    const resolver = knowing(Promise.resolve(["127.0.0.2", "127.0.0.3"]));
    const { call } = caller(`http://authz.test:${port}`, { resolver, timeout: 8000 });
    expect((await call({}, 8000)).answer).toMatchObject({ body: "slow" });
  }, 10_000);

  it("is reached in the end by the only one that answers, though an attempt has no time to try so many", async () => {
    const port = await serviceAt("127.0.0.9");
    const dead = ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"];
    for (const address of dead) await blackHoleAt(address, port);
    const resolver = knowing(Promise.resolve([...dead, "127.0.0.9"]));
    const { call } = caller(`http://authz.test:${port}`, { resolver, timeout: 1000, retry: FOUR_TIMES });
    expect((await call({}, 10_000)).answer).toMatchObject({ body: "127.0.0.9" });
    // It is known now.
    expect((await call({}, 10_000)).attempts).toBe(1);
  });

  it("is reached at once by the next one when the first refuses", async () => {
    const port = await serviceAt("127.0.0.3");
    const resolver = knowing(Promise.resolve(["127.0.0.2", "127.0.0.3"]));
    const { call } = caller(`http://authz.test:${port}`, { resolver });
    expect((await call()).answer).toMatchObject({ body: "127.0.0.3" });
  });

  it("is reached by an address that became known later", async () => {
    const port = await serviceAt("127.0.0.3");
    await blackHoleAt("127.0.0.2", port);
    const more = new Promise<string[]>((resolve) => setTimeout(resolve, 100, ["127.0.0.2", "127.0.0.3"]));
    const resolver = knowing(Promise.resolve(["127.0.0.2"]), more);
    const { call } = caller(`http://authz.test:${port}`, { resolver, timeout: 5000 });
    expect((await call({}, 5000)).answer).toMatchObject({ body: "127.0.0.3" });
  });

  it("is unreachable when all refuse, and says so by the first", async () => {
    const port = await serviceAt("127.0.0.9");
    const resolver = knowing(Promise.resolve(["127.0.0.2", "127.0.0.3"]));
    const { failure } = caller(`http://authz.test:${port}`, { resolver });
    expect(await failure()).toMatchObject({
      cause: "unreachable",
      detail: expect.stringMatching(/refused the connection/),
    });
  });

  it("leaves no attempt behind, whichever wins", async () => {
    const port = await serviceAt("127.0.0.3");
    await blackHoleAt("127.0.0.2", port);
    const before = sockets();
    const winner = await new Promise<net.Socket | null>((resolve) => {
      const race = new AddressRace(port, (_, socket) => resolve(socket));
      race.add(["127.0.0.2", "127.0.0.3"]);
      race.begin();
    });
    expect(winner?.remoteAddress).toBe("127.0.0.3");
    winner?.destroy();
    await expect.poll(sockets).toBeLessThanOrEqual(before);
  });
});

describe("a lookup that is not over", () => {
  it("is a timeout that no circuit counts", async () => {
    const resolver = knowing(new Promise(() => {}));
    const options = { resolver, timeout: 50, breaker: EVERY_FAILURE_OPENS };
    const { failure, circuit } = caller("http://authz.test:9", options);
    expect(await failure()).toMatchObject({
      cause: "timeout",
      detail: expect.stringMatching(/looking up its name/),
    });
    expect(circuit).toEqual([]);
  });
});

function sockets(): number {
  return process.getActiveResourcesInfo().filter((name) => /^(?:TCP|TCPSocket)Wrap$|ConnectWrap/.test(name))
    .length;
}
