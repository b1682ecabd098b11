import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { basic, bearer } from "../../src/upstream/auth.ts";
import { type Answer, caller, httpService, rawService, refusingUrl } from "./harness.ts";

describe("a call", () => {
  it("sends what the mapping rendered, with the bridge's and the service's own headers", async () => {
    const url = await httpService((request, response) => {
      let body = "";
      request.on("data", (chunk) => {
        body += chunk;
      });
      request.on("end", () =>
        response.end(JSON.stringify({ ...request.headers, method: request.method, url: request.url, body })),
      );
    });
    const { call } = caller(`${url}/api/`, { headers: { "X-Tenant": "mail", Accept: "text/plain" } });
    const { answer, status, attempts } = await call({
      path: "/v1/../check?a=%2E",
      headers: { "content-type": "text/plain", "x-name": "Jürgen" },
      body: "größe",
    });
    expect({ status, attempts }).toEqual({ status: 200, attempts: 1 });
    const sent = JSON.parse((answer as { body: string }).body);
    expect(sent).toMatchObject({
      method: "POST",
      url: "/api/v1/../check?a=%2E",
      body: "größe",
      "content-type": "text/plain",
      "content-length": "7",
      "x-tenant": "mail",
      accept: "text/plain",
      "x-request-id": "id-1",
      "user-agent": "pfxbridge/test",
    });
    expect(Buffer.from(sent["x-name"], "latin1").toString("utf8")).toBe("Jürgen");
  });

  it.each([
    ["basic", basic("bridge", "päss:word"), `Basic ${Buffer.from("bridge:päss:word").toString("base64")}`],
    ["bearer", bearer("abc.def"), "Bearer abc.def"],
  ])("shows who it is: %s", async (_name, authenticator, expected) => {
    const url = await httpService((request, response) => response.end(request.headers.authorization));
    const { answer } = await caller(url, { authenticator }).call();
    expect(answer).toMatchObject({ body: expected });
  });

  it.each([
    ["a header that is auth's", { headers: { authorization: "Bearer mine" } }],
    ["a header that is the transport's", { headers: { host: "elsewhere.example" } }],
    ["a line break in a header", { headers: { "x-a": "1\r\nx-b: 2" } }],
    ["a line break in the path", { path: "/a HTTP/1.1\r\nx-b: 2" }],
    ["another host for a path", { path: "@elsewhere.example/" }],
    ["no method", { method: "POST / HTTP/1.1\r\n" }],
  ])("is not made with %s", async (_name, request) => {
    let calls = 0;
    const url = await httpService((_request, response) => {
      calls++;
      response.end();
    });
    const { answer, attempts } = await caller(url, { authenticator: bearer("theirs") }).call(request);
    expect(answer).toMatchObject({ cause: "mapping_error" });
    expect({ calls, attempts }).toEqual({ calls: 0, attempts: 0 });
  });

  it("uses one connection for calls that follow each other", async () => {
    const ports = new Set<number | undefined>();
    const url = await httpService((request, response) => {
      ports.add(request.socket.remotePort);
      response.end("yes");
    });
    const { call } = caller(url);
    for (let i = 0; i < 5; i++) await call();
    expect(ports.size).toBe(1);
  });

  it("makes no call on a connection that has grown too old", async () => {
    const ports = new Set<number | undefined>();
    const url = await httpService((request, response) => {
      ports.add(request.socket.remotePort);
      response.end("yes");
    });
    const { call } = caller(url, { maxConnectionAge: 1 });
    for (let i = 0; i < 3; i++) {
      await call();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(ports.size).toBe(3);
  });
});

describe("a reply", () => {
  it.each([
    ["200", 200, { body: "boo" }],
    ["204", 204, { body: "" }],
    ["a redirect, which is not followed", 301, { cause: "bad_reply", status: 301 }],
    ["401", 401, { cause: "http_4xx", status: 401 }],
    ["403", 403, { cause: "http_4xx", status: 403 }],
    ["404", 404, { cause: "http_4xx", status: 404 }],
    ["500", 500, { cause: "http_5xx", status: 500 }],
  ])("is interpreted whatever its status: %s", async (_name, status, expected) => {
    let calls = 0;
    const url = await httpService((_request, response) => {
      calls++;
      response.writeHead(status, { location: "/elsewhere" }).end(status === 204 ? undefined : "boo");
    });
    const result = await caller(url).call();
    expect(result).toMatchObject({ answer: expected, status, attempts: 1 });
    expect(calls).toBe(1);
  });

  it("has its headers in lower case, repeated ones joined, after interim responses", async () => {
    const url = await rawService((socket) =>
      socket.once("data", () =>
        socket.end(
          "HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n" +
            "HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nConstructor: c\r\nContent-Length: 2\r\n\r\nok",
        ),
      ),
    );
    const { answer } = await caller(url).call();
    expect(answer).toMatchObject({ body: "ok" });
    expect(Object.fromEntries((answer as Answer).headers)).toEqual({
      "x-a": "1, 2",
      constructor: "c",
      "content-length": "2",
    });
  });

  it.each([
    ["gzip", "gzip", gzipSync("hello")],
    ["deflate, zlib format", "deflate", deflateSync("hello")],
    ["deflate, bare", "deflate", deflateRawSync("hello")],
    ["br", "br", brotliCompressSync("hello")],
    ["one on top of the other", "gzip, BR", brotliCompressSync(gzipSync("hello"))],
    ["identity", "identity", Buffer.from("hello")],
  ])("is decompressed: %s", async (_name, coding, body) => {
    const url = await httpService((_request, response) =>
      response.writeHead(200, { "content-encoding": coding }).end(body),
    );
    expect((await caller(url).call()).answer).toMatchObject({ body: "hello" });
  });

  const huge = Buffer.alloc(10 * 1024 * 1024, "x");
  it.each([
    ["of 10 MB, announced", { "content-length": String(huge.length) }, huge, /larger than 1048576 bytes/],
    ["of 10 MB, chunked", {}, huge, /larger than 1048576 bytes/],
    ["that is a gzip bomb", { "content-encoding": "gzip" }, gzipSync(huge), /larger than 1048576 bytes/],
    [
      "that is a bomb in a bomb",
      { "content-encoding": "gzip, gzip" },
      gzipSync(gzipSync(huge)),
      /larger than 1048576 bytes/,
    ],
    ["that is not what it says", { "content-encoding": "gzip" }, Buffer.from("hello"), /not valid gzip/],
    ["that is compressed unknown ways", { "content-encoding": "rot13" }, Buffer.from("uryyb"), /"rot13"/],
    ["with too many codings", { "content-encoding": "br,br,br,br" }, Buffer.from("x"), /content codings/],
  ])("is refused, and not tried again: one %s", async (_name, headers, body, detail) => {
    const url = await httpService((_request, response) => {
      response.writeHead(200, headers);
      response.write(body.subarray(0, 1000));
      response.end(body.subarray(1000));
    });
    const retry = { attempts: 3, backoff: 1, maxBackoff: 1 };
    const { answer, attempts } = await caller(url, { retry }).call();
    expect(answer).toMatchObject({ cause: "bad_reply", detail: expect.stringMatching(detail) });
    expect(attempts).toBe(1);
  });

  it.each([
    ["cut off", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhal", "bad_reply", /cut off after 3 bytes/],
    [
      "cut off in a chunk",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhal",
      "bad_reply",
      /cut off/,
    ],
    ["not HTTP", "220 mail.example.org ESMTP\r\n", "bad_reply", /not HTTP/],
    ["none at all", "", "unreachable", /closed the connection without a reply/],
    [
      "without an end to its headers",
      `HTTP/1.1 200 OK\r\nX-A: ${"a".repeat(100_000)}`,
      "bad_reply",
      /headers/,
    ],
  ])("that is unusable is a failure: %s", async (_name, bytes, cause, detail) => {
    const url = await rawService((socket) => socket.once("data", () => socket.end(bytes)));
    expect(await caller(url).failure()).toMatchObject({ cause, detail: expect.stringMatching(detail) });
  });

  it("that is reset in the middle of the body is unreachable", async () => {
    const url = await rawService((socket) =>
      socket.once("data", () => {
        socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhal");
        setTimeout(() => socket.resetAndDestroy(), 50);
      }),
    );
    expect(await caller(url).failure()).toMatchObject({
      cause: "unreachable",
      detail: expect.stringMatching(/reset the connection in the middle of the reply/),
    });
  });

  it.each([
    ["its length is said twice", "Content-Length: 3\r\nContent-Length: 3\r\n\r\nyes"],
    ["its length is said twice, and differs", "Content-Length: 3\r\nContent-Length: 30\r\n\r\nyes"],
    [
      "its length is said in two ways",
      "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nyes\r\n0\r\n\r\n",
    ],
    [
      "its length is said in two ways, the other way round",
      "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\nyes\r\n0\r\n\r\n",
    ],
    ["its length is a list", "Content-Length: 3, 30\r\n\r\nyes"],
    ["its length is beyond all numbers", "Content-Length: 99999999999999999999999\r\n\r\nyes"],
    [
      "a chunk's length is beyond all numbers",
      "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffffff\r\nyes\r\n",
    ],
    ["its trailer is broken", "Transfer-Encoding: chunked\r\n\r\n3\r\nyes\r\n0\r\nno trailer\r\n\r\n"],
    ["its length is no number", "Content-Length: 3x\r\n\r\nyes"],
    ["its length is below nothing", "Content-Length: -3\r\n\r\nyes"],
    ["a chunk has no length", "Transfer-Encoding: chunked\r\n\r\nx\r\nyes\r\n0\r\n\r\n"],
    ["a chunk is longer than it says", "Transfer-Encoding: chunked\r\n\r\n2\r\nyes\r\n0\r\n\r\n"],
    ["a header has no name", "Content-Length: 3\r\n: yes\r\n\r\nyes"],
    ["a header has a NUL in it", "Content-Length: 3\r\nX-A: a\0b\r\n\r\nyes"],
    ["it ends within its header", "Content-Le"],
  ])("whose framing is broken is unusable, and not tried again: %s", async (_name, rest) => {
    let asked = 0;
    const url = await rawService((socket) =>
      socket.once("data", () => {
        asked++;
        socket.end(`HTTP/1.1 200 OK\r\n${rest}`);
      }),
    );
    const breaker = { failureRate: 1, minimumCalls: 1, window: 10_000, openFor: 60_000 };
    const retry = { attempts: 3, backoff: 1, maxBackoff: 1 };
    const { call, circuit } = caller(url, { retry, breaker });
    expect(await call()).toMatchObject({ answer: { cause: "bad_reply" }, attempts: 1 });
    expect({ asked, circuit }).toEqual({ asked: 1, circuit: [] });
  });

  it("is unusable when it changes to another protocol, which nobody asked for", async () => {
    const head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n";
    const url = await rawService((socket) => socket.once("data", () => socket.write(head)));
    expect(await caller(url).failure()).toMatchObject({
      cause: "bad_reply",
      detail: expect.stringMatching(/another protocol/),
    });
  });

  it.each([
    ["HTTP/1.1", "HTTP/1.1 200 OK\r\n\r\nyes"],
    ["HTTP/1.1 that says it closes", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nyes"],
    ["HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nyes"],
  ])("without a length is not complete when it is reset (RFC 9112 §8): %s", async (_name, bytes) => {
    const url = await rawService((socket) =>
      socket.once("data", () => {
        socket.write(bytes);
        setTimeout(() => socket.resetAndDestroy(), 50);
      }),
    );
    expect(await caller(url).failure()).toMatchObject({
      cause: "unreachable",
      detail: expect.stringMatching(/in the middle of the reply, after 3 bytes/),
    });
  });

  it("with a length is complete whatever becomes of the connection", async () => {
    const url = await rawService((socket) =>
      socket.once("data", () => {
        socket.write("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nyes");
        setTimeout(() => socket.resetAndDestroy(), 50);
      }),
    );
    expect((await caller(url).call()).answer).toMatchObject({ body: "yes" });
  });

  it.each([
    ["announced", (body: string) => ({ "content-length": String(body.length) })],
    ["chunked", () => ({ "transfer-encoding": "chunked" })],
  ])("may be as large as the limit and no larger: %s", async (_name, headers) => {
    let body = "x".repeat(1000);
    const url = await httpService((_request, response) => {
      response.writeHead(200, headers(body));
      response.write(body.slice(0, 500));
      setTimeout(() => response.end(body.slice(500)), 20);
    });
    const { call, failure } = caller(url, { maxReplySize: 1000 });
    expect((await call()).answer).toMatchObject({ body });
    body += "x";
    expect(await failure()).toMatchObject({ cause: "bad_reply", detail: expect.stringMatching(/larger/) });
  });

  it("ends with the connection where nothing else says its length", async () => {
    const url = await rawService((socket) =>
      socket.once("data", () => socket.end("HTTP/1.0 200 OK\r\n\r\nold")),
    );
    expect((await caller(url).call()).answer).toMatchObject({ body: "old" });
  });
});

describe("a service that cannot be reached", () => {
  it("refuses", async () => {
    expect(await caller(await refusingUrl()).failure()).toMatchObject({
      cause: "unreachable",
      detail: expect.stringMatching(/refused the connection; is the service running/),
    });
  });

  it("has a name that does not exist", async () => {
    expect(await caller("http://authz.invalid/").failure()).toMatchObject({
      cause: "unreachable",
      detail: expect.stringMatching(/the name authz.invalid does not exist/),
    });
  });

  it("resets before it replies", async () => {
    const url = await rawService((socket) => socket.once("data", () => socket.resetAndDestroy()));
    expect(await caller(url).failure()).toMatchObject({
      cause: "unreachable",
      detail: expect.stringMatching(/reset the connection before it replied/),
    });
  });
});
