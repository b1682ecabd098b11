import { once } from "node:events";
import http2 from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import { contentsOf, TestAuthority } from "./certificates.ts";
import { caller, httpService, httpsService } from "./harness.ts";

const authority = new TestAuthority();
afterAll(() => authority.remove());
const pair = authority.issue("server", "DNS:localhost");
const tls = { ca: authority.certificate };

interface Service {
  readonly port: number;
  /** Connections so far. */
  connections(): number;
  /** Those that are open. */
  readonly sessions: Set<http2.ServerHttp2Session>;
  /** Below them. */
  readonly sockets: Set<Socket>;
}

type Listener = (request: http2.Http2ServerRequest, response: http2.Http2ServerResponse) => void;

async function serve(server: http2.Http2Server | http2.Http2SecureServer): Promise<Service> {
  let count = 0;
  const sessions = new Set<http2.ServerHttp2Session>();
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
  });
  server.on("session", (session: http2.ServerHttp2Session) => {
    count++;
    sessions.add(session);
    session.on("error", () => {}).on("close", () => sessions.delete(session));
  });
  server.on("sessionError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, connections: () => count, sessions, sockets };
}

const plain = (listener: Listener) => serve(http2.createServer(listener));
const secure = (listener: Listener) =>
  serve(http2.createSecureServer({ ...contentsOf(pair), allowHTTP1: true }, listener));

const paths = (count: number) => Array.from({ length: count }, (_, n) => `/${n}`);

describe("http2", () => {
  it.each([
    ["over TLS, as agreed by ALPN", secure, "https://localhost"],
    ["without TLS, by prior knowledge", plain, "http://127.0.0.1"],
  ])("sends the calls as streams of one connection %s", async (_name, service, origin) => {
    const versions = new Set<string>();
    const { port, connections } = await service((request, response) => {
      versions.add(request.httpVersion);
      let body = "";
      request.on("data", (chunk) => {
        body += chunk;
      });
      request.on("end", () =>
        setTimeout(() => {
          response.setHeader("x-name", "one");
          response.end(`${request.method} ${request.url} ${body} ${request.headers["x-request-id"]}`);
        }, 20),
      );
    });
    const { call } = caller(`${origin}:${port}`, { http2: true, tls });
    const results = await Promise.all(paths(50).map((path) => call({ path })));
    results.forEach(({ answer, status }, n) => {
      expect(status).toBe(200);
      expect(answer).toMatchObject({ body: `POST /${n} {"sender":"a@example.org"} id-1` });
      expect("headers" in answer && answer.headers.get("x-name")).toBe("one");
    });
    expect([...versions]).toEqual(["2.0"]);
    expect(connections()).toBe(1);
  });

  it("is off by default", async () => {
    const versions = new Set<string>();
    const { port } = await secure((request, response) => {
      versions.add(request.httpVersion);
      response.end("yes");
    });
    expect((await caller(`https://localhost:${port}`, { tls }).call()).answer).toMatchObject({ body: "yes" });
    expect([...versions]).toEqual(["1.1"]);
  });

  it("falls back to HTTP/1.1 where the service doesn't speak it, a call to a connection", async () => {
    const [sockets, agents] = [new Set<unknown>(), new Set<string>()];
    const port = await httpsService(contentsOf(pair), (request, response) => {
      sockets.add(request.socket);
      agents.add(request.httpVersion);
      setTimeout(() => response.end("yes"), 50);
    });
    const { call } = caller(`https://localhost:${port}`, { http2: true, tls });
    const results = await Promise.all(paths(10).map((path) => call({ path })));
    expect(results.filter(({ answer }) => "body" in answer)).toHaveLength(10);
    expect([...agents]).toEqual(["1.1"]);
    expect(sockets.size).toBe(10);
  });

  it("says so where the service doesn't speak it without TLS", async () => {
    const url = await httpService((_request, response) => response.end("yes"));
    expect(await caller(url, { http2: true }).failure()).toMatchObject({
      cause: "unreachable",
      detail: expect.stringMatching(/take http2: true out/),
    });
  });

  it("gives up a call alone: its stream is cancelled, the others on the connection go on", async () => {
    let cancelled = 0;
    const { port, connections } = await plain((request, response) => {
      if (request.url === "/slow") request.stream.on("close", () => cancelled++);
      else setTimeout(() => response.end("yes"), 150);
    });
    const { call } = caller(`http://127.0.0.1:${port}`, { http2: true, timeout: 250 });
    await call();
    const slow = call({ path: "/slow" });
    await new Promise((resolve) => setTimeout(resolve, 150));
    const others = await Promise.all(paths(5).map((path) => call({ path })));
    expect((await slow).answer).toMatchObject({ cause: "timeout" });
    for (const { answer, attempts } of others) {
      expect(answer).toMatchObject({ body: "yes" });
      expect(attempts).toBe(1);
    }
    await expect.poll(() => cancelled).toBe(1);
    expect(connections()).toBe(1);
  });

  it("makes no further call on a connection that was silent for a whole timeout", async () => {
    let silent = true;
    const { port, connections } = await plain((_request, response) => {
      if (!silent) response.end("yes");
    });
    const { call } = caller(`http://127.0.0.1:${port}`, { http2: true, timeout: 100 });
    expect((await call()).answer).toMatchObject({ cause: "timeout" });
    silent = false;
    expect((await call()).answer).toMatchObject({ body: "yes" });
    expect(connections()).toBe(2);
  });

  it.each([
    ["says goodbye (GOAWAY)", ({ sessions }: Service) => [...sessions].map((session) => session.goaway())],
    ["closes its connections", ({ sessions }: Service) => [...sessions].map((session) => session.destroy())],
    ["drops its connections", ({ sockets }: Service) => [...sockets].map((socket) => socket.destroy())],
    ["resets its connections", ({ sockets }: Service) => [...sockets].map((one) => one.resetAndDestroy())],
  ])("asks again at once when the service %s", async (_name, end) => {
    const service = await plain((_request, response) => {
      setTimeout(() => {
        if (!response.stream?.destroyed) response.end("yes");
      }, 100);
    });
    const { call, circuit } = caller(`http://127.0.0.1:${service.port}`, { http2: true });
    const calls = Promise.all(paths(20).map((path) => call({ path })));
    await expect.poll(() => service.sessions.size).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 30));
    end(service);
    const results = await calls;
    expect(results.filter(({ answer }) => !("body" in answer))).toEqual([]);
    expect(circuit).toEqual([]);
  });

  it("is reset by a service that refuses each stream, within the deadline", async () => {
    const { port } = await plain((request) => request.stream.close(http2.constants.NGHTTP2_REFUSED_STREAM));
    const { answer, attempts } = await caller(`http://127.0.0.1:${port}`, { http2: true }).call();
    expect(answer).toMatchObject({ cause: "unreachable" });
    expect(attempts).toBe(2);
  });

  it("refuses a reply that is too large, alone", async () => {
    const { port, connections } = await plain((request, response) => {
      if (request.url === "/large") response.end(Buffer.alloc(300_000));
      else setTimeout(() => response.end("yes"), 50);
    });
    const { call } = caller(`http://127.0.0.1:${port}`, { http2: true, maxReplySize: 100_000 });
    await call();
    const [large, small] = await Promise.all([call({ path: "/large" }), call()]);
    expect(large.answer).toMatchObject({ cause: "bad_reply", detail: expect.stringMatching(/larger than/) });
    expect(small.answer).toMatchObject({ body: "yes" });
    expect(connections()).toBe(1);
  });

  it("leaves nothing open at the end", async () => {
    const { port, sessions } = await plain((_request, response) => setTimeout(() => response.end("yes"), 20));
    const { upstream, call } = caller(`http://127.0.0.1:${port}`, { http2: true });
    const pending = Promise.all(paths(5).map((path) => call({ path })));
    await upstream.close();
    expect((await pending).every(({ answer }) => "body" in answer)).toBe(true);
    await expect.poll(() => sessions.size).toBe(0);
  });
});
