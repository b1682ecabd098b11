/** Connections that the service has closed, or closes when it is asked again, without having said so (RFC 9112 §9.3.1). */
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { UpstreamOptions } from "../../../src/upstream/options.ts";
import { caller, rawService } from "../harness.ts";

const YES = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes";
/** Opens with the first failure that counts. */
const breaker = { failureRate: 1, minimumCalls: 1, window: 10_000, openFor: 60_000 };

interface Asked {
  readonly path: string;
  /** Numbered from 1. */
  readonly connection: number;
  /** On that connection, numbered from 1. */
  readonly number: number;
}

/** Tells of each request; `asked` has all of them. */
async function service(onRequest: (socket: Socket, request: Asked) => void) {
  const asked: Asked[] = [];
  let connections = 0;
  const url = await rawService((socket) => {
    const connection = ++connections;
    let [number, received] = [0, ""];
    socket.on("data", (chunk) => {
      received += chunk.toString("latin1");
      for (const [whole, path = ""] of received.matchAll(/POST (\S+) [\s\S]*?\r\n\r\n\{.*?\}/g)) {
        received = received.replace(whole, "");
        const request = { path, connection, number: ++number };
        asked.push(request);
        onRequest(socket, request);
      }
    });
  });
  return { url, asked };
}

describe("a connection that the service closes between two calls", () => {
  it.each([0, 1, 2, 5])("costs no call: %i ms after each reply", async (delay) => {
    const { url } = await service((socket, { number }) => {
      if (number > 1) return;
      socket.write(YES);
      setTimeout(() => socket.end(), delay);
    });
    const { call, circuit } = caller(url, { breaker });
    for (let n = 0; n < 100; n++) {
      expect(await call()).toMatchObject({ answer: { body: "yes" }, attempts: 1 });
      if (n % 2 === 0) await sleep(n % 7);
    }
    const together = await Promise.all(Array.from({ length: 50 }, () => call()));
    for (const result of together) expect(result).toMatchObject({ answer: { body: "yes" }, attempts: 1 });
    expect(circuit).toEqual([]);
  });

  it.each<[string, (socket: Socket) => void]>([
    ["closes", (socket) => socket.end()],
    ["resets", (socket) => socket.resetAndDestroy()],
  ])("is asked again at once on a new one when the service %s it upon a call", async (_name, end) => {
    const { url, asked } = await service((socket, { number }) => {
      if (number === 1) socket.write(YES);
      else end(socket);
    });
    const { call, circuit } = caller(url, { breaker });
    for (let n = 0; n < 10; n++) {
      expect(await call({ path: `/${n}` })).toMatchObject({ answer: { body: "yes" }, attempts: 1 });
    }
    expect(circuit).toEqual([]);
    // The first one has a new connection; each of the others meets one that is closed, and no other.
    expect(asked.map(({ path }) => path)).toEqual([
      "/0",
      ...Array.from({ length: 9 }, (_, n) => [`/${n + 1}`, `/${n + 1}`]).flat(),
    ]);
  });

  it("is not asked again on another that was open before: all of them may be closed", async () => {
    let restarted = Number.POSITIVE_INFINITY;
    const { url, asked } = await service((socket, { connection }) => {
      if (connection <= restarted && restarted !== Number.POSITIVE_INFINITY) socket.resetAndDestroy();
      else setTimeout(() => socket.write(YES), 20);
    });
    const { call, circuit } = caller(url, { breaker });
    await Promise.all(Array.from({ length: 10 }, () => call()));
    restarted = 10;
    const before = asked.length;
    const results = await Promise.all(Array.from({ length: 5 }, (_, n) => call({ path: `/${n}` })));
    for (const result of results) expect(result).toMatchObject({ answer: { body: "yes" }, attempts: 1 });
    expect(asked.length - before).toBe(10);
    expect(circuit).toEqual([]);
  });

  it("is not asked again on another that is shared, either", async () => {
    let restarted = false;
    const slow: (() => void)[] = [];
    const { url, asked } = await service((socket, { path, connection }) => {
      if (connection <= 2 && restarted) socket.resetAndDestroy();
      else if (path.startsWith("/slow") && !restarted) slow.push(() => socket.write(YES));
      else socket.write(YES);
    });
    const { call } = caller(url, { pipelining: 4, breaker });
    await Promise.all(Array.from({ length: 8 }, () => call()));
    asked.length = 0;
    const pending = [call({ path: "/slow1" }), call({ path: "/slow2" })];
    await expect.poll(() => slow.length).toBe(2);
    restarted = true;
    expect(await call({ path: "/quick" })).toMatchObject({ answer: { body: "yes" }, attempts: 1 });
    await expect.poll(() => asked.length).toBe(5);
    for (const answer of slow) answer();
    for (const result of await Promise.all(pending))
      expect(result).toMatchObject({ answer: { body: "yes" } });
    expect(asked.filter(({ connection }) => connection <= 2).length).toBe(3);
    expect(asked.length).toBe(5);
  });

  it("does not decide a trial of an open circuit", async () => {
    let mode: "well" | "ill" | "restarted" = "well";
    const { url } = await service((socket, { connection }) => {
      if (mode === "ill") socket.write("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n");
      else if (mode === "restarted" && connection === 1) socket.resetAndDestroy();
      else socket.write(YES);
    });
    const { call, circuit } = caller(url, { breaker: { ...breaker, openFor: 100 } });
    await call();
    mode = "ill";
    await call();
    mode = "restarted";
    await expect.poll(async () => (await call()).answer).toMatchObject({ body: "yes" });
    expect(circuit.map(({ state }) => state)).toEqual(["open", "half-open", "closed"]);
  });

  it("is a failure when the new one is closed without a reply, too", async () => {
    const { url, asked } = await service((socket, { connection, number }) => {
      if (connection === 1 && number === 1) socket.write(YES);
      else socket.end();
    });
    const { call, circuit } = caller(url, { breaker });
    await call();
    expect(await call()).toMatchObject({ answer: { cause: "unreachable" }, attempts: 1 });
    expect(asked.length).toBe(3);
    expect(circuit).toMatchObject([{ state: "open" }]);
  });

  it("is a failure when a reply had begun", async () => {
    const { url, asked } = await service((socket, { number }) => {
      if (number === 1) socket.write(YES);
      else socket.end("HTTP/1.1 2");
    });
    const { call } = caller(url);
    await call();
    expect(await call()).toMatchObject({
      answer: { cause: "bad_reply", detail: expect.stringMatching(/cut off in its header/) },
      attempts: 1,
    });
    expect(asked.length).toBe(2);
  });

  it.each<[string, Partial<UpstreamOptions>]>([
    ["alone", {}],
    ["with pipelining", { pipelining: 4 }],
  ])("is no matter where the service answers one call on each connection: %s", async (_name, options) => {
    const { url, asked } = await service((socket, { number }) => {
      if (number === 1) socket.write(YES);
      else socket.end();
    });
    const { call, circuit } = caller(url, { ...options, breaker });
    const results = await Promise.all(Array.from({ length: 60 }, () => call()));
    for (const result of results) expect(result).toMatchObject({ answer: { body: "yes" }, attempts: 1 });
    expect(asked.length).toBeLessThanOrEqual(4 * 60);
    expect(circuit).toEqual([]);
  });
});
