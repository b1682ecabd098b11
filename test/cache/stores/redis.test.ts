import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { openStore } from "../../../src/cache/open-store.ts";
import type { Store } from "../../../src/cache/store.ts";
import { parseStoreUrl, type RedisUrl, type StoreUrl } from "../../../src/cache/store-url.ts";
import type { StoreOptions } from "../../../src/cache/stores/options.ts";
import { RedisStore } from "../../../src/cache/stores/redis.ts";
import { type RedisServer, startRedis, startRedisCluster, startSentinel } from "../../support/redis.ts";
import { isMissing } from "../../support/requirement.ts";
import { freePort } from "../../support/temporary.ts";
import { TestAuthority } from "../../upstream/certificates.ts";
import { bodyOf, keyOf, options, type Recorder, recorder, remembered, until } from "./entries.ts";

const isSkipped = isMissing("redis", "the tests of the Redis store");
const open: Store[] = [];
const servers: RedisServer[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((store) => store.close()));
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

function urlOf(text: string): RedisUrl {
  const url = parseStoreUrl(text, (path) => path) as StoreUrl;
  if (url.kind !== "redis") throw new Error(`${text} is no Redis`);
  return url;
}

/** A guarded store, as the bridge has it, once it is connected. */
async function connect(text: string, log = recorder(), change: Partial<StoreOptions> = {}): Promise<Store> {
  const store = await openStore(urlOf(text), options(log, { timeout: 500, ...change }));
  open.push(store);
  await until(() => isThere(store), "a connection");
  return store;
}

async function isThere(store: Store): Promise<boolean> {
  store.set(keyOf("there"), remembered("there"));
  return (await store.get(keyOf("there"))) !== undefined;
}

async function ownServer(...parameters: string[]): Promise<RedisServer> {
  const server = await startRedis(...parameters);
  servers.push(server);
  return server;
}

const messages = (log: Recorder) => log.lines.map(({ message }) => message);

describe.skipIf(isSkipped)("the store in Redis", () => {
  let server: RedisServer;
  let url: string;

  beforeAll(async () => {
    server = await startRedis();
    url = `redis://127.0.0.1:${server.port}`;
  });

  afterEach(() => {
    server.cli("FLUSHALL");
  });

  afterAll(() => server.stop());

  it("gives to one what another has set, until it is deleted", async () => {
    const [one, two] = [await connect(url), await connect(url)];
    one.set(keyOf("a"), remembered("one"));
    await until(async () => bodyOf(await two.get(keyOf("a"))) === "one");
    two.delete(keyOf("a"));
    await until(async () => (await one.get(keyOf("a"))) === undefined);
  });

  it("keeps entries under a prefix, and no longer than they may live", async () => {
    const store = await connect(`${url}?prefix=mx:`);
    const now = Date.now();
    store.set("a", remembered("one", { freshUntil: now, staleUntil: now + 60_000 }));
    await until(() => Number(server.cli("PTTL", "mx:entry:a")) > 0);
    expect(Number(server.cli("PTTL", "mx:entry:a"))).toBeLessThanOrEqual(60_000);
    store.set("b", remembered("past", { freshUntil: 1, staleUntil: 2 }));
    expect(await store.get("b")).toBeUndefined();
  });

  it("gives and counts all entries, and nothing else that stands there", async () => {
    const store = await connect(url);
    store.delete(keyOf("there"));
    server.cli("SET", "other", "x");
    server.cli("SET", "pfxbridge:other", "x");
    for (let n = 0; n < 700; n++) store.set(keyOf(n), remembered(`${n}`));
    await until(async () => (await store.count()) === 700);
    const bodies = new Set<string | undefined>();
    for await (const [key, entry] of store.entries()) {
      expect(key).toBe(keyOf(bodyOf(entry) ?? ""));
      bodies.add(bodyOf(entry));
    }
    expect(bodies.size).toBe(700);
  });

  it.each([
    ["garbage", 1],
    ["", 0],
  ])("does not use what is no entry, and says so where there is anything: %j", async (garbage, lines) => {
    const log = recorder();
    const store = await connect(url, log);
    server.cli("SET", "pfxbridge:entry:a", garbage);
    expect(await store.get("a")).toBeUndefined();
    expect(await store.get("a")).toBeUndefined();
    expect(log.at("warn")).toHaveLength(lines);
  });

  it("does not use an entry of another type, nor one that was moved or forged", async () => {
    const store = await connect(url, recorder(), { secret: "s" });
    server.cli("LPUSH", "pfxbridge:entry:list", "x");
    expect(await store.get("list")).toBeUndefined();
    store.set("a", remembered("one"));
    await until(async () => bodyOf(await store.get("a")) === "one");
    server.cli("COPY", "pfxbridge:entry:a", "pfxbridge:entry:b");
    expect(await store.get("b")).toBeUndefined();
    server.cli("SETRANGE", "pfxbridge:entry:a", "60", "forged");
    expect(await store.get("a")).toBeUndefined();
    const unsigned = await connect(url);
    unsigned.set("c", remembered("unsigned"));
    await until(async () => (await unsigned.get("c")) !== undefined);
    expect(await store.get("c")).toBeUndefined();
  });

  it("tells revocations to all within a second, and to those who come later", async () => {
    const [one, two] = [await connect(url), await connect(url)];
    const heard: unknown[] = [];
    one.onRevocation(({ attributes }) => heard.push(["one", attributes]));
    two.onRevocation(({ attributes }) => heard.push(["two", attributes]));
    await one.revoke({ at: Date.now(), attributes: { sender: "x" } });
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(heard).toEqual([
      ["one", { sender: "x" }],
      ["two", { sender: "x" }],
    ]);
    const three = await connect(url);
    three.onRevocation(({ attributes }) => heard.push(["three", attributes]));
    await until(() => heard.length === 3);
  });

  it("confirms a revocation also where the connection is still being made", async () => {
    const store = await openStore(urlOf(url), options(recorder()));
    open.push(store);
    await store.revoke({ at: Date.now(), attributes: { sender: "early" } });
    expect(server.cli("XRANGE", "pfxbridge:revocations", "-", "+")).toContain("early");
  });

  it("does not hear a revocation that is not signed", async () => {
    const [one, two] = [await connect(url), await connect(url, recorder(), { secret: "s" })];
    two.onRevocation(() => expect.unreachable());
    await one.revoke({ at: Date.now(), attributes: {} });
    await new Promise((resolve) => setTimeout(resolve, 800));
  });

  it("bounds how many revocations are kept, and forgets too much rather than too little", async () => {
    const one = await connect(url);
    const begun = Date.now();
    const script =
      "for i=1,10000 do redis.call('XADD', KEYS[1], '*', 'r', '- {\"at\":' .. (ARGV[1]+i) .. ',\"attributes\":{\"sender\":\"' .. i .. '\"}}') end";
    server.cli("EVAL", script, "1", "pfxbridge:revocations", String(begun - 20_000));
    await one.revoke({ at: begun, attributes: { sender: "last" } });
    expect(Number(server.cli("XLEN", "pfxbridge:revocations"))).toBe(5001);
    const two = await connect(url);
    const all: number[] = [];
    const heard: string[] = [];
    two.onRevocation(({ at, attributes }) => {
      if (Object.keys(attributes).length === 0) all.push(at);
      else heard.push(attributes.sender ?? "");
    });
    await until(() => heard.includes("last") && all.length > 0);
    expect(heard).toHaveLength(5000);
    expect(all).toEqual([begun - 20_000 + 5001]);
  });
});

describe.skipIf(isSkipped)("a Redis that goes away", () => {
  it("is waited for in the background, and costs one line", async () => {
    const server = await ownServer();
    await server.kill();
    const log = recorder();
    const store = await openStore(urlOf(`redis://127.0.0.1:${server.port}`), options(log));
    open.push(store);
    store.set("a", remembered("one"));
    expect(store.get("a")).toBeUndefined();
    await until(() => log.lines.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(messages(log)).toEqual([expect.stringMatching(/^Redis cannot be reached/)]);
    await server.start();
    await until(() => isThere(store), "the first connection");
    expect(messages(log)[1]).toMatch(/^Redis is back/);
  });

  it("killed in the middle costs nothing but what was remembered, and is used again when it is back", async () => {
    const server = await ownServer();
    const log = recorder();
    const store = await connect(`redis://127.0.0.1:${server.port}`, log);
    let isAsking = true;
    let slowest = 0;
    const asking = (async () => {
      for (let n = 0; isAsking; n++) {
        const begun = performance.now();
        await Promise.all(Array.from({ length: 20 }, (_, i) => store.get(keyOf(n + i))));
        slowest = Math.max(slowest, performance.now() - begun);
        store.set(keyOf(n), remembered("x"));
        await new Promise(setImmediate);
      }
    })();
    await new Promise((resolve) => setTimeout(resolve, 200));
    await server.kill();
    await until(() => log.at("warn").length > 0);
    await expect(store.revoke({ at: Date.now(), attributes: { sender: "late" } })).rejects.toThrow(
      /when it is back/,
    );
    await server.start();
    await until(() => isThere(store), "the connection");
    isAsking = false;
    await asking;
    expect(slowest).toBeLessThan(1000);
    // One that was being read at that moment may have been complained about before.
    expect(messages(log).filter((message) => message.startsWith("Redis"))).toEqual([
      expect.stringMatching(/^Redis cannot be reached/),
      expect.stringMatching(/^Redis is back/),
    ]);
    await until(
      () => server.cli("XRANGE", "pfxbridge:revocations", "-", "+").includes("late"),
      "the revocation",
    );
  });

  it("hanging costs a few looks their time limit, then none", async () => {
    const server = await ownServer();
    const log = recorder();
    const store = await connect(`redis://127.0.0.1:${server.port}`, log, { timeout: 50 });
    server.signal("SIGSTOP");
    let slow = 0;
    for (let n = 0; n < 200; n++) {
      const begun = performance.now();
      expect(await store.get(keyOf("none"))).toBeUndefined();
      if (performance.now() - begun > 20) slow++;
      store.set(keyOf(n), remembered("x"));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(slow).toBeGreaterThan(0);
    expect(slow).toBeLessThan(10);
    server.signal("SIGCONT");
    await until(() => isThere(store), "an answer");
    expect(log.at("warn").length).toBeLessThanOrEqual(3);
  });

  it("takes no more than it can: what waits for replies is bounded", async () => {
    const server = await ownServer();
    const store = new RedisStore(urlOf(`redis://127.0.0.1:${server.port}`), options(recorder()));
    open.push(store);
    await until(() => isThere(store));
    server.signal("SIGSTOP");
    let asked = 0;
    for (let n = 0; n < 5000; n++) if (store.get(keyOf(n)) !== undefined) asked++;
    expect(asked).toBeLessThanOrEqual(1000);
    server.signal("SIGCONT");
  });

  it("that wants another password costs one line that says so", async () => {
    const server = await ownServer("--requirepass", "right");
    const log = recorder();
    const store = await openStore(urlOf(`redis://:wrong@127.0.0.1:${server.port}`), options(log));
    open.push(store);
    await until(() => log.lines.length > 0);
    expect(store.get("a")).toBeUndefined();
    expect(JSON.stringify(log.lines)).toMatch(/WRONGPASS/);
    expect(JSON.stringify(log.lines)).not.toContain("wrong@");
    await connect(`redis://:right@127.0.0.1:${server.port}`);
  });
});

describe.skipIf(isSkipped)("a Redis that Sentinels watch", () => {
  it("is the master that they name, and the next one when that is gone", { timeout: 60_000 }, async () => {
    const master = await ownServer();
    const replica = await ownServer("--replicaof", `127.0.0.1 ${master.port}`);
    const sentinel = await startSentinel(master.port);
    servers.push(sentinel);
    const knows = (what: string) => sentinel.cli("SENTINEL", what, "main").includes(String(replica.port));
    await until(() => knows("REPLICAS"), "the Sentinel to find the replica");
    const log = recorder();
    const store = await connect(`redis+sentinel://127.0.0.1:${sentinel.port}/main`, log);
    store.set(keyOf(1), remembered("before"));
    await until(() => Number(replica.cli("DBSIZE")) === 2, "the replica");

    await master.kill();
    await until(() => knows("GET-MASTER-ADDR-BY-NAME"), "another master");
    await until(() => isThere(store), "the store");
    expect(bodyOf(await store.get(keyOf(1)))).toBe("before");
    expect(messages(log)).toEqual([
      "Redis cannot be reached: decisions are made without remembered ones until it is back",
      "Redis is back: decisions are remembered again",
    ]);
  });
});

describe.skipIf(isSkipped)("a Redis that speaks TLS", () => {
  it("is used where its certificate can be verified, by an authority of one's own too", async () => {
    const authority = new TestAuthority();
    try {
      const { cert, key } = authority.issue("redis", "DNS:localhost,IP:127.0.0.1");
      const port = await freePort();
      const files = [
        "--tls-cert-file",
        cert,
        "--tls-key-file",
        key,
        "--tls-ca-cert-file",
        authority.certificate,
      ];
      const server = await ownServer("--tls-port", String(port), ...files, "--tls-auth-clients", "no");

      const store = await connect(
        `rediss://127.0.0.1:${port}?ca=${encodeURIComponent(authority.certificate)}`,
      );
      store.set(keyOf(1), remembered("one"));
      await until(async () => bodyOf(await store.get(keyOf(1))) === "one");
      expect(server.cli("DBSIZE")).toBe("2");

      const log = recorder();
      open.push(await openStore(urlOf(`rediss://127.0.0.1:${port}`), options(log, { timeout: 500 })));
      await until(() => log.lines.length > 0);
      expect(log.at("warn")).toEqual([
        "Redis cannot be reached: decisions are made without remembered ones until it is back",
      ]);
      expect(JSON.stringify(log.lines)).toMatch(/unable to verify the first certificate|self[- ]signed/);
    } finally {
      authority.remove();
    }
  });

  it.each([
    ["alone", ""],
    ["by Sentinels", "+sentinel"],
    ["in a cluster", "+cluster"],
  ])("is verified whatever NODE_TLS_REJECT_UNAUTHORIZED says: %s", async (_, mode) => {
    vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
    onTestFinished(() => void vi.unstubAllEnvs());
    const authority = new TestAuthority();
    let connections = 0;
    const heard: string[] = [];
    const { cert, key } = authority.issue("redis", "DNS:localhost,IP:127.0.0.1");
    const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (socket) => {
      socket.on("data", (data) => heard.push(data.toString("latin1"))).on("error", () => {});
    });
    server.on("connection", () => connections++);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const name = mode === "+sentinel" ? "/main" : "";
      const store = await openStore(urlOf(`rediss${mode}://127.0.0.1:${port}${name}`), options(recorder()));
      open.push(store);
      await until(() => connections > 0, "a connection");
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(heard).toEqual([]);
    } finally {
      server.close();
      authority.remove();
    }
  });

  it("whose authority's file is gone costs an error line, and memory takes its place", async () => {
    const log = recorder();
    const store = await openStore(urlOf("rediss://127.0.0.1:1?ca=/nowhere/ca.pem"), options(log));
    open.push(store);
    expect(store.kind).toBe("memory");
    expect(JSON.stringify(log.lines)).toContain("/nowhere/ca.pem");
  });
});

describe.skipIf(isSkipped)("a Redis Cluster", () => {
  it("is used like one server, also when a node goes away", { timeout: 60_000 }, async () => {
    const nodes = await startRedisCluster();
    servers.push(...nodes);
    const places = nodes.map(({ port }) => `127.0.0.1:${port}`).join(",");
    const log = recorder();
    const [one, two] = [
      await connect(`redis+cluster://${places}`, log),
      await connect(`redis+cluster://${places}`),
    ];
    // What is set before there is a connection to each node is lost.
    await until(async () => {
      for (let n = 0; n < 300; n++) one.set(keyOf(n), remembered(`${n}`));
      return (await two.count()) >= 300;
    }, "300 entries");
    for (let n = 0; n < 300; n++) expect(bodyOf(await two.get(keyOf(n)))).toBe(`${n}`);
    expect(nodes.every((node) => Number(node.cli("DBSIZE")) > 50)).toBe(true);

    const heard: unknown[] = [];
    two.onRevocation(({ attributes }) => heard.push(attributes));
    await one.revoke({ at: Date.now(), attributes: { sender: "x" } });
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(heard).toEqual([{ sender: "x" }]);

    await nodes[0]?.kill();
    const begun = performance.now();
    for (let n = 0; n < 100; n++) await one.get(keyOf(n));
    expect(performance.now() - begun).toBeLessThan(5000);
    await nodes[0]?.start();
    await until(() => isThere(one), "the cluster");
  });
});
