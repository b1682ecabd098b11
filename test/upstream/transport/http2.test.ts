import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import http2 from "node:http2";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { type Exchange, NotProcessed } from "../../../src/upstream/transport/carrier.ts";
import { Http2 } from "../../../src/upstream/transport/http2.ts";
import { isMissing } from "../../support/requirement.ts";
import { freePort, temporaryFolder } from "../../support/temporary.ts";
import { contentsOf, TestAuthority } from "../certificates.ts";
import { caller, httpService, httpsService, rawService } from "../harness.ts";

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

const [DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY] = [0, 1, 3, 4, 7];
const [END_STREAM, END_HEADERS] = [1, 4];
const STATUS_200 = Buffer.from([0x88]);

interface Frame {
  readonly type: number;
  readonly stream: number;
  /** Whether it ends a call. */
  readonly end: boolean;
  readonly at: number;
}

/** A service that writes its frames itself (RFC 9113 §4.1). */
class Peer {
  /** Of its connection, from 1. */
  readonly number: number;
  readonly seen: number[] = [];
  readonly #socket: Socket;

  constructor(socket: Socket, number: number) {
    this.#socket = socket;
    this.number = number;
  }

  write(type: number, flags: number, stream: number, payload = Buffer.alloc(0)): void {
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head.writeUInt8(type, 3);
    head.writeUInt8(flags, 4);
    head.writeUInt32BE(stream, 5);
    this.#socket.write(Buffer.concat([head, payload]));
  }

  reply(stream: number, body: string): void {
    this.write(HEADERS, END_HEADERS, stream, STATUS_200);
    this.write(DATA, END_STREAM, stream, Buffer.from(body));
  }

  goaway(last: number, code = 0): void {
    const payload = Buffer.alloc(8);
    payload.writeUInt32BE(last);
    payload.writeUInt32BE(code, 4);
    this.write(GOAWAY, 0, 0, payload);
  }
}

/** @param settingsAfter milliseconds that a connection waits for its SETTINGS */
async function framed(onFrame: (peer: Peer, frame: Frame) => void, settingsAfter = 0) {
  const frames: Frame[] = [];
  let connections = 0;
  let settingsAt = Number.POSITIVE_INFINITY;
  const url = await rawService((socket) => {
    const peer = new Peer(socket, ++connections);
    setTimeout(() => {
      settingsAt = performance.now();
      peer.write(SETTINGS, 0, 0);
    }, settingsAfter);
    let received = Buffer.alloc(0);
    let begun = false;
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk]);
      // After the preface.
      if (!begun && received.length < 24) return;
      if (!begun) received = received.subarray(24);
      begun = true;
      while (received.length >= 9 && received.length >= 9 + received.readUIntBE(0, 3)) {
        const [type, flags, stream] = [received[3]!, received[4]!, received.readUInt32BE(5)];
        const end = (type === DATA || type === HEADERS) && (flags & END_STREAM) !== 0;
        received = received.subarray(9 + received.readUIntBE(0, 3));
        const frame = { type, stream, end, at: performance.now() };
        frames.push(frame);
        onFrame(peer, frame);
      }
    });
  });
  return { url, frames, settingsAt: () => settingsAt };
}

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

  it("has a call asked again elsewhere that comes when its connection has just been ended", async () => {
    const { port } = await plain((_request, response) => response.end("yes"));
    const socket = connect(port, "127.0.0.1");
    const carrier = await new Promise<Http2>((resolve, reject) => {
      const opened: Http2 = new Http2(`http://127.0.0.1:${port}`, socket, {
        onSettings: () => resolve(opened),
        onGoodbye: () => {},
        onFailure: reject,
      });
    });
    carrier.destroy();
    const call = { method: "GET", path: "/", headers: [], body: null };
    const exchange = { onError: vi.fn() };
    carrier.dispatch(call, exchange as unknown as Exchange);
    expect(exchange.onError).toHaveBeenCalledExactlyOnceWith(expect.any(NotProcessed));
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
    const sessions: Record<string, http2.Http2Session | undefined> = {};
    const { port } = await plain((request, response) => {
      sessions[request.url] = request.stream.session;
      if (request.url !== "/silent") response.end("yes");
    });
    const { call } = caller(`http://127.0.0.1:${port}`, { http2: true, timeout: 300 });
    expect((await call({ path: "/silent" })).answer).toMatchObject({ cause: "timeout" });
    await expect.poll(async () => (await call({ path: "/after" })).answer).toMatchObject({ body: "yes" });
    expect(sessions["/after"] === sessions["/silent"]).toBe(false);
  });

  it("never has more streams than the service allows, nor any before it has said how many", async () => {
    const open = new Map<unknown, number>();
    let most = 0;
    const server = http2.createServer({ settings: { maxConcurrentStreams: 3 } });
    server.on("stream", (stream) => {
      const { session } = stream;
      open.set(session, (open.get(session) ?? 0) + 1);
      most = Math.max(most, open.get(session)!);
      setTimeout(() => {
        open.set(session, open.get(session)! - 1);
        stream.respond();
        stream.end("yes");
      }, 10);
    });
    const { port, connections } = await serve(server);
    const breaker = { failureRate: 1, minimumCalls: 1, window: 10_000, openFor: 60_000 };
    const { call, circuit } = caller(`http://127.0.0.1:${port}`, { http2: true, breaker });
    for (let round = 0; round < 3; round++) {
      const results = await Promise.all(paths(40).map((path) => call({ path })));
      for (const result of results) expect(result).toMatchObject({ answer: { body: "yes" }, attempts: 1 });
    }
    expect({ most, circuit }).toEqual({ most: 3, circuit: [] });
    expect(connections()).toBeLessThanOrEqual(15);
  });

  it("sends no call before the service's SETTINGS have come", async () => {
    const { url, frames, settingsAt } = await framed((peer, { stream, end }) => {
      if (end) peer.reply(stream, "yes");
    }, 100);
    expect((await caller(url, { http2: true }).call()).answer).toMatchObject({ body: "yes" });
    expect(frames.find(({ type }) => type === HEADERS)!.at).toBeGreaterThanOrEqual(settingsAt());
  });

  it("lets what is below GOAWAY's last stream end, and asks again what is above, however often", async () => {
    const { url } = await framed((peer, { stream, end }) => {
      if (!end) return;
      peer.seen.push(stream);
      // Four connections that work on two calls each, then one that works on all.
      if (peer.number > 4) peer.reply(stream, "late");
      else if (peer.seen.length === 4) {
        peer.goaway(3);
        setTimeout(() => {
          for (const one of [1, 3]) peer.reply(one, `early ${peer.number}`);
        }, 50);
      }
    });
    const breaker = { failureRate: 1, minimumCalls: 1, window: 10_000, openFor: 60_000 };
    const { call, circuit } = caller(url, { http2: true, breaker });
    const results = await Promise.all(paths(10).map((path) => call({ path })));
    const bodies: string[] = [];
    for (const { answer, attempts } of results) {
      expect(attempts).toBe(1);
      bodies.push("body" in answer ? answer.body : answer.detail);
    }
    expect(bodies.filter((body) => body.startsWith("early")).length).toBe(8);
    expect(bodies.filter((body) => body === "late").length).toBe(2);
    expect(circuit).toEqual([]);
  });

  it("asks again what is above GOAWAY's last stream, also where it tells of an error", async () => {
    const { url } = await framed((peer, { stream, end }) => {
      if (!end) return;
      if (peer.number > 4) peer.reply(stream, "late");
      else peer.goaway(0, http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
    });
    const breaker = { failureRate: 1, minimumCalls: 1, window: 10_000, openFor: 60_000 };
    const { call, circuit } = caller(url, { http2: true, breaker });
    expect(await call()).toMatchObject({ answer: { body: "late" }, attempts: 1 });
    expect(circuit).toEqual([]);
  });

  it.each([
    ["without an error", 0, "bad_reply", /cut off after 3 bytes/],
    ["with one", 2, "unreachable", /INTERNAL_ERROR/],
    ["as cancelled", 8, "unreachable", /code 8/],
  ])("takes no reply as complete whose stream is reset %s", async (_name, code, cause, detail) => {
    const { url } = await framed((peer, { stream, end }) => {
      if (!end) return;
      peer.write(HEADERS, END_HEADERS, stream, STATUS_200);
      peer.write(DATA, 0, stream, Buffer.from("yes"));
      peer.write(RST_STREAM, 0, stream, Buffer.from([0, 0, 0, code]));
    });
    const { answer, attempts } = await caller(url, { http2: true }).call();
    expect(answer).toMatchObject({ cause, detail: expect.stringMatching(detail) });
    expect(attempts).toBe(1);
  });

  it("counts a call that the service ends alone as a failure, and goes on with the connection", async () => {
    let asked = 0;
    const { port, connections } = await plain((request, response) => {
      asked++;
      if (request.url === "/bad") request.stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
      else response.end("yes");
    });
    const { call } = caller(`http://127.0.0.1:${port}`, { http2: true });
    await call();
    expect(await call({ path: "/bad" })).toMatchObject({ answer: { cause: "unreachable" }, attempts: 1 });
    expect((await call()).answer).toMatchObject({ body: "yes" });
    expect({ asked, connections: connections() }).toEqual({ asked: 3, connections: 1 });
  });

  it.each([
    ["a body shorter than its Content-Length", { "content-length": "10" }],
    ["a body longer than its Content-Length", { "content-length": "1" }],
  ])("refuses a reply that breaks the rules: %s", async (_name, headers) => {
    const { url } = await framed((peer, { stream, end }) => {
      if (!end) return;
      const length = headers["content-length"];
      // Content-Length has the index 28 in HPACK's static table.
      const block = Buffer.concat([
        STATUS_200,
        Buffer.from([0x0f, 28 - 15, length.length]),
        Buffer.from(length),
      ]);
      peer.write(HEADERS, END_HEADERS, stream, block);
      peer.write(DATA, END_STREAM, stream, Buffer.from("yes"));
    });
    const { answer, attempts } = await caller(url, { http2: true }).call();
    expect(answer).toMatchObject({ cause: "bad_reply" });
    expect(attempts).toBe(1);
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

  it("asks again, a few times, what a service refuses to work on, which is no failure of its", async () => {
    let refusals = 0;
    const { port } = await plain((request, response) => {
      if (request.url === "/never" || refusals++ < 4) {
        request.stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
      } else response.end("yes");
    });
    const breaker = { failureRate: 1, minimumCalls: 1, window: 10_000, openFor: 60_000 };
    const { call, circuit } = caller(`http://127.0.0.1:${port}`, { http2: true, breaker });
    expect(await call()).toMatchObject({ answer: { body: "yes" }, attempts: 1 });
    expect(circuit).toEqual([]);
    expect(await call({ path: "/never" })).toMatchObject({ answer: { cause: "unreachable" }, attempts: 1 });
    expect(circuit).toMatchObject([{ state: "open" }]);
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

  it("refuses a decision that names another request, alone: streams do not get out of step", async () => {
    const { port, connections } = await plain((request, response) => {
      if (request.url.startsWith("/bad")) response.setHeader("x-request-id", "another");
      setTimeout(() => response.end("yes"), 50);
    });
    const { call } = caller(`http://127.0.0.1:${port}`, { http2: true });
    await call();
    const [bad, other] = await Promise.all([call({ path: "/bad/access/v1/evaluation" }), call()]);
    expect(bad.answer).toMatchObject({ cause: "bad_reply" });
    expect(other.answer).toMatchObject({ body: "yes" });
    expect((await call()).answer).toMatchObject({ body: "yes" });
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

describe.skipIf(isMissing("nginx", "tests of HTTP/2 with nginx"))("nginx, over HTTP/2", () => {
  it("answers each call although it ends connections and allows few streams", async () => {
    const url = await nginx("http2_max_concurrent_streams 4; keepalive_requests 10;");
    const breaker = { failureRate: 1, minimumCalls: 1, window: 10_000, openFor: 60_000 };
    const { call, circuit } = caller(url, { http2: true, breaker, maxInFlight: 100 });
    const results = await Promise.all(paths(1500).map((path) => call({ path }, 15_000)));
    for (const result of results) expect(result).toMatchObject({ answer: { body: "yes" }, attempts: 1 });
    expect(circuit).toEqual([]);
  });
});

/** @param settings of its server */
async function nginx(settings: string): Promise<string> {
  const [folder, port] = [await temporaryFolder(), await freePort()];
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${folder.path}/${name};`)
    .join(" ");
  writeFileSync(
    `${folder.path}/nginx.conf`,
    `daemon off; master_process off; pid ${folder.path}/pid; error_log stderr crit; events { }
    http { access_log off; ${temporary}
      server { listen 127.0.0.1:${port} http2; ${settings} location / { return 200 yes; } } }`,
  );
  const child = spawn("nginx", ["-c", `${folder.path}/nginx.conf`], { stdio: "ignore" });
  onTestFinished(async () => {
    child.kill();
    await once(child, "exit");
    await folder.remove();
  });
  await expect.poll(() => connects(port), { timeout: 5000 }).toBe(true);
  return `http://127.0.0.1:${port}`;
}

function connects(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
