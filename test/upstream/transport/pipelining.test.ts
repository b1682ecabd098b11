import { describe, expect, it } from "vitest";
import { caller, httpService, rawService } from "../harness.ts";

const REQUEST = /POST (\/\S*) HTTP\/1\.1\r\n[\s\S]*?\r\n\r\n\{.*?\}/g;

/** Tells of each request of each connection as it comes in; who answers is the test's business. Closes after so many. */
function listening(
  onRequest: (path: string, answer: (body: string) => void, connection: number) => void,
  closeAfter = Number.POSITIVE_INFINITY,
): Promise<string> {
  let connections = 0;
  return rawService((socket) => {
    const connection = ++connections;
    let asked = 0;
    let received = "";
    socket.on("data", (chunk) => {
      received += chunk.toString("latin1");
      for (const [whole, path = ""] of received.matchAll(REQUEST)) {
        received = received.replace(whole, "");
        const answer = (body: string) => {
          if (!socket.destroyed)
            socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
        };
        onRequest(path, answer, connection);
        if (++asked === closeAfter) socket.end();
      }
    });
  });
}

const paths = (count: number) => Array.from({ length: count }, (_, n) => `/${n}`);

describe("pipelining", () => {
  it("has several calls under way on one connection, each with its own reply", async () => {
    const waiting: (() => void)[] = [];
    const connections = new Set<number>();
    const url = await listening((path, answer, connection) => {
      connections.add(connection);
      waiting.push(() => answer(path));
      if (waiting.length === 8) for (const reply of waiting.splice(0)) reply();
    });
    const { call } = caller(url, { pipelining: 4 });
    const results = await Promise.all(paths(8).map((path) => call({ path })));
    expect(results.map(({ answer }) => "body" in answer && answer.body)).toEqual(paths(8));
    expect(connections.size).toBe(2);
  });

  it("is off by default: a call has a connection to itself", async () => {
    const connections = new Set<number>();
    const url = await listening((_path, answer, connection) => {
      connections.add(connection);
      setTimeout(() => answer("yes"), 50);
    });
    const { call } = caller(url);
    await Promise.all(paths(5).map((path) => call({ path })));
    expect(connections.size).toBe(5);
  });

  it("takes a connection that is idle before it shares one", async () => {
    let last = 0;
    const url = await listening((path, answer, connection) => {
      last = connection;
      if (path !== "/slow") setTimeout(() => answer("yes"), path === "/a" ? 30 : 0);
    });
    const { call } = caller(url, { pipelining: 2, timeout: 500 });
    await Promise.all(["/a", "/a", "/a"].map((path) => call({ path })));
    const slow = call({ path: "/slow" });
    await new Promise((resolve) => setTimeout(resolve, 20));
    const busy = last;
    expect((await call({ path: "/quick" })).answer).toMatchObject({ body: "yes" });
    expect(last).not.toBe(busy);
    expect((await slow).answer).toMatchObject({ cause: "timeout" });
  });

  it("asks again at once what stood behind a call that was given up, and blames nobody for it", async () => {
    let slowConnection = 0;
    const url = await listening((path, answer, connection) => {
      if (path === "/slow") slowConnection = connection;
      else if (connection !== slowConnection) answer(path);
    });
    const breaker = { failureRate: 60, minimumCalls: 2, window: 10_000, openFor: 60_000 };
    const { call, circuit } = caller(url, { pipelining: 10, timeout: 200, breaker });
    await call({ path: "/first" });
    const slow = call({ path: "/slow" });
    await new Promise((resolve) => setTimeout(resolve, 100));
    const behind = await Promise.all(["/a", "/b", "/c"].map((path) => call({ path })));
    expect((await slow).answer).toMatchObject({ cause: "timeout" });
    for (const { answer, attempts } of behind) {
      expect(answer).toMatchObject({ body: expect.stringMatching(/^\/[abc]$/) });
      expect(attempts).toBe(1);
    }
    expect(circuit).toEqual([]);
  });

  it("closes the connection of a call that was given up", async () => {
    let closed = 0;
    const url = await rawService((socket) => socket.resume().on("close", () => closed++));
    await caller(url, { pipelining: 10, timeout: 50 }).failure();
    await expect.poll(() => closed).toBe(1);
  });

  it("keeps the deadline of each when nothing is answered", async () => {
    const url = await listening(() => {});
    const retry = { attempts: 10, backoff: 1, maxBackoff: 1 };
    const { call } = caller(url, { pipelining: 5, timeout: 100, retry });
    const started = performance.now();
    const results = await Promise.all(paths(20).map((path) => call({ path }, 350)));
    expect(performance.now() - started).toBeLessThan(750);
    for (const { answer } of results) {
      expect(["timeout", "unreachable"]).toContain("cause" in answer && answer.cause);
    }
  });

  it("goes on where the service ends a connection after some replies", async () => {
    let served = 0;
    const url = await httpService((_request, response) => {
      if (++served % 7 === 0) response.setHeader("connection", "close");
      response.end("yes");
    });
    const { call } = caller(url, { pipelining: 10 });
    const results = await Promise.all(paths(200).map((path) => call({ path })));
    expect(results.filter(({ answer }) => "body" in answer)).toHaveLength(200);
  });

  it("is not for a connection that has grown too old", async () => {
    const connections = new Set<number>();
    const url = await listening((_path, answer, connection) => {
      connections.add(connection);
      setTimeout(() => answer("yes"), 30);
    });
    const { call } = caller(url, { pipelining: 10, maxConnectionAge: 1 });
    const first = call();
    await expect.poll(() => connections.size).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 5));
    await Promise.all([first, call()]);
    expect(connections.size).toBe(2);
  });

  it.each<[string, number, string[]]>([
    ["behind the reply to the only call", 1, ["yes|no"]],
    ["behind the replies to all calls", 3, ["yes|yes|yes|no"]],
    ["after a while", 1, ["yes", "no"]],
    ["after a while, after several", 3, ["yes|yes|yes", "no"]],
    ["byte by byte", 2, ["yes|yes", ..."no"]],
  ])("ends a connection on which a reply comes that nobody asked for: %s", async (_name, calls, sent) => {
    let connections = 0;
    let closed = 0;
    const reply = (body: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const url = await rawService((socket) => {
      const first = ++connections === 1;
      let asked = 0;
      socket.on("close", () => closed++);
      socket.on("data", async (chunk) => {
        for (const _call of chunk.toString("latin1").matchAll(/POST/g)) {
          asked++;
          if (!first) socket.write(reply("yes"));
        }
        if (!first || asked !== calls) return;
        for (const part of sent) {
          const whole = part.length === 1 ? part : part.split("|").map(reply).join("");
          socket.write(whole);
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
      });
    });
    const { call } = caller(url, { pipelining: 4 });
    const results = await Promise.all(Array.from({ length: calls }, () => call()));
    for (const { answer } of results) expect(answer).toMatchObject({ body: "yes" });
    await expect.poll(() => closed).toBe(1);
    for (let n = 0; n < 5; n++) expect((await call()).answer).toMatchObject({ body: "yes" });
    expect(connections).toBe(2);
  });

  it("outlives a service that ends connections on which several calls wait", async () => {
    const asked: number[] = [];
    const url = await listening((_path, answer, connection) => {
      asked[connection] = (asked[connection] ?? 0) + 1;
      if (asked[connection] < 4) answer("yes");
    }, 4);
    const { call } = caller(url, { pipelining: 10 });
    const results = await Promise.all(paths(60).map((path) => call({ path })));
    expect(results.filter(({ answer }) => "body" in answer)).toHaveLength(60);
  });

  it("leaves nothing open at the end", async () => {
    const url = await listening((_path, answer) => setTimeout(() => answer("yes"), 20));
    const { upstream, call } = caller(url, { pipelining: 3 });
    const pending = Promise.all(paths(7).map((path) => call({ path })));
    await upstream.close();
    expect((await pending).every(({ answer }) => "body" in answer)).toBe(true);
    const sockets = () => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;
    await expect.poll(sockets).toBe(0);
  });
});
