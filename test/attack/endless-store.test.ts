/**
 * Somebody who can write to Redis, or is it, sends without end: keys that have swollen, revocations by the thousand, a
 * reply that never stops. It costs what is remembered, never memory without bound, nor the time of a decision.
 */
import { createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { openStore } from "../../src/cache/open-store.ts";
import type { Store } from "../../src/cache/store.ts";
import { parseStoreUrl, type StoreUrl } from "../../src/cache/store-url.ts";
import {
  bodyOf,
  keyOf,
  options,
  type Recorder,
  recorder,
  remembered,
  until,
} from "../cache/stores/entries.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { isMissing } from "../support/requirement.ts";

const MIB = 1024 * 1024;
/** More than a store may take for one reply, by far less than what is sent. */
const BOUND = 60 * MIB;

const stores: Store[] = [];
const redises: RedisServer[] = [];
const servers: Server[] = [];

afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
  await Promise.all(redises.splice(0).map((redis) => redis.stop()));
  for (const server of servers.splice(0)) server.close();
});

async function connect(port: number, log: Recorder = recorder(), secret?: string): Promise<Store> {
  const url = parseStoreUrl(`redis://127.0.0.1:${port}`, (path) => path) as StoreUrl;
  const store = await openStore(url, options(log, { timeout: 500, ...(secret !== undefined && { secret }) }));
  stores.push(store);
  return store;
}

async function isThere(store: Store): Promise<boolean> {
  store.set(keyOf("there"), remembered("there"));
  return (await store.get(keyOf("there"))) !== undefined;
}

/** Answers as Redis does, but to one command without end; counts what it could send. */
async function endless(command: string, head: string, item: string) {
  const state = { sent: 0, asked: 0 };
  const chunk = Buffer.from(item.repeat(Math.ceil(65_536 / item.length)));
  const flood = (socket: Socket) => {
    // Bounded, so that a client that takes all of it shows by the count, not by the end of the test's memory.
    while (!socket.destroyed && state.sent < 400 * MIB) {
      state.sent += chunk.length;
      if (!socket.write(chunk)) {
        socket.once("drain", () => flood(socket));
        return;
      }
    }
  };
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (data) => {
      for (const [, name = ""] of data.toString("latin1").matchAll(/\*\d+\r\n\$\d+\r\n(\w+)\r\n/g)) {
        const asked = name.toLowerCase();
        if (asked === command) {
          state.asked++;
          socket.write(head);
          flood(socket);
          return;
        }
        if (asked === "info") socket.write("$18\r\nredis_version:7.0\n\r\n");
        else if (asked === "xread") socket.write("*-1\r\n");
        else if (asked === "xlen") socket.write(":0\r\n");
        else socket.write("+OK\r\n");
      }
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as { port: number }).port, state };
}

describe("a Redis whose reply has no end", () => {
  it.each([
    ["a value", "getrange", "$2000000000\r\n", "x"],
    ["a list", "getrange", "*2000000000\r\n", "$1\r\nx\r\n"],
    ["a line", "getrange", "+", "x"],
    [
      "revocations",
      "xread",
      "*1\r\n*2\r\n$1\r\ns\r\n*1000000000\r\n",
      "*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nr\r\n$1\r\nx\r\n",
    ],
    ["keys", "scan", "*2\r\n$1\r\n0\r\n*1000000000\r\n", "$1\r\nx\r\n"],
    ["what it says at first", "info", "$2000000000\r\n", "x"],
  ])("is left soon: %s", async (_, command, head, item) => {
    const { port, state } = await endless(command, head, item);
    const store = await connect(port);
    const before = process.memoryUsage().rss;
    let slowest = 0;
    await until(async () => {
      const begun = performance.now();
      await store.get(keyOf("a"));
      slowest = Math.max(slowest, performance.now() - begun);
      if (command === "scan") await store.count();
      return state.asked > 0;
    });
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(await store.get(keyOf("a"))).toBeUndefined();
    // Each time that it was asked a few megabytes, of which some were still on the way.
    expect(state.sent / state.asked).toBeLessThan(20 * MIB);
    expect(process.memoryUsage().rss - before).toBeLessThan(4 * BOUND);
    expect(slowest).toBeLessThan(1000);
  });
});

describe.skipIf(isMissing("redis", "the attacks by a writer of Redis"))("a writer of Redis", () => {
  async function start(): Promise<RedisServer> {
    const redis = await startRedis();
    redises.push(redis);
    return redis;
  }

  it("who has made a key swell costs this key, and no connection", async () => {
    const redis = await start();
    const log = recorder();
    const store = await connect(redis.port, log, "s3cret");
    await until(() => isThere(store));
    store.set(keyOf("other"), remembered("other"));
    redis.cli("SETRANGE", `pfxbridge:entry:${keyOf("swollen")}`, String(300 * MIB), "x");
    const before = process.memoryUsage().rss;
    expect(await store.get(keyOf("swollen"))).toBeUndefined();
    expect(bodyOf(await store.get(keyOf("other")))).toBe("other");
    for await (const [key] of store.entries()) expect([keyOf("other"), keyOf("there")]).toContain(key);
    expect(process.memoryUsage().rss - before).toBeLessThan(BOUND);
    expect(log.lines.map(({ message }) => message)).toEqual([
      "a remembered decision was not used: it cannot be trusted",
    ]);
  });

  it("who has filled the list of revocations is passed over, and what is forgotten is still heard of", async () => {
    const redis = await start();
    const junk =
      "for i=1,tonumber(ARGV[1]) do redis.call('XADD', KEYS[1], '*', 'r', '- {\"at\":' .. i .. ',\"attributes\":{}}') end";
    redis.cli("EVAL", junk, "1", "pfxbridge:revocations", "30000");
    const [one, two] = [
      await connect(redis.port, recorder(), "s3cret"),
      await connect(redis.port, recorder(), "s3cret"),
    ];
    await until(() => isThere(one));
    await until(() => isThere(two));
    const heard: unknown[] = [];
    two.onRevocation(({ attributes }) => heard.push(attributes));
    await one.revoke({ at: Date.now(), attributes: { sender: "x" } });
    await until(() => heard.length > 0, "the revocation");
    expect(heard).toEqual([{ sender: "x" }]);
    // They are cleared away by whoever writes one.
    expect(Number(redis.cli("XLEN", "pfxbridge:revocations"))).toBe(1);
  });

  it("who makes the list of revocations something else leaves nothing to be used", async () => {
    const redis = await start();
    const log = recorder();
    const store = await connect(redis.port, log, "s3cret");
    await until(() => isThere(store));
    redis.cli("SET", "pfxbridge:revocations", "x");
    await until(async () => (await store.get(keyOf("there"))) === undefined, "that it is noticed");
    expect(JSON.stringify(log.lines)).toMatch(/WRONGTYPE/);
  });
});
