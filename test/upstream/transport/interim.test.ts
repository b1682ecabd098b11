/** Interim replies that nobody asked for (RFC 9110 §15.2), wherever the network cuts what the service sends. */
import http2 from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { caller, rawService } from "../harness.ts";

const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";
const HINTS = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";

function reply(body: string): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

function chunked(...parts: readonly string[]): string {
  const chunks = parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join("");
  return `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`;
}

/** Sends the pieces when so many calls have come in on a connection, and counts connections. */
async function answering(calls: number, pieces: readonly string[]) {
  let connections = 0;
  const url = await rawService((socket: Socket) => {
    connections++;
    let seen = "";
    socket.setNoDelay(true).on("data", async (data) => {
      seen += data.toString("latin1");
      if (seen.split("POST ").length - 1 < calls) return;
      seen = "";
      for (const piece of pieces) {
        socket.write(piece, "latin1");
        await turn();
        await turn();
      }
    });
  });
  return { url, connections: () => connections };
}

async function bodies(calls: number, pieces: readonly string[], rounds = 2): Promise<unknown[]> {
  const { url, connections } = await answering(calls, pieces);
  const { call } = caller(url, { pipelining: calls });
  const seen: unknown[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const { answer } of await Promise.all(Array.from({ length: calls }, () => call()))) {
      seen.push("body" in answer ? answer.body : answer.detail);
    }
  }
  expect(connections()).toBe(1);
  return seen;
}

describe("an interim reply", () => {
  it.each([
    ["100", CONTINUE],
    ["100, several times", CONTINUE.repeat(3)],
    ["100 with a header", "HTTP/1.1 100 Continue\r\nDate: today\r\nContent-Length: 0\r\n\r\n"],
    ["100 without a reason", "HTTP/1.1 100\r\n\r\n"],
    ["100 after an empty line", `\r\n${CONTINUE}`],
    ["102 and 103", `HTTP/1.1 102 Processing\r\n\r\n${HINTS}`],
    ["103, then 100", HINTS + CONTINUE],
    ["one that nobody knows", "HTTP/1.1 199 Whatever\r\n\r\n"],
  ])("is passed over: %s", async (_name, interim) => {
    const whole = interim + reply("yes");
    expect(await bodies(1, [whole])).toEqual(["yes", "yes"]);
    expect(await bodies(1, [interim, reply("yes")])).toEqual(["yes", "yes"]);
    expect(await bodies(1, [...whole])).toEqual(["yes", "yes"]);
  });

  it("is passed over between the replies to several calls, wherever that is cut", async () => {
    const first = `{"a":"${CONTINUE}"}`;
    const second = [`HTTP/1.1 100 `, `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.`];
    const whole = CONTINUE + reply(first) + CONTINUE + HINTS + chunked(...second) + CONTINUE + reply("HTT");
    const expected = [first, second.join(""), "HTT"];
    expect(await bodies(3, [whole], 1)).toEqual(expected);
    expect(await bodies(3, [...whole], 1)).toEqual(expected);
    for (let at = 1; at < whole.length; at++) {
      const cut = [whole.slice(0, at), whole.slice(at)];
      expect(await bodies(3, cut, 1), `cut at ${at}`).toEqual(expected);
    }
  });

  it("may come before a reply, but not without end", async () => {
    const url = await rawService((socket) => {
      let timer: NodeJS.Timeout | undefined;
      socket.once("data", () => {
        timer = setInterval(() => socket.write(CONTINUE.repeat(40)), 5);
      });
      socket.on("close", () => clearInterval(timer));
    });
    expect(await caller(url).failure()).toMatchObject({
      cause: "bad_reply",
      detail: expect.stringMatching(/more than 100 interim replies/),
    });
  });

  it("in a body is part of it", async () => {
    const body = CONTINUE + reply("no");
    for (const whole of [reply(body), chunked(CONTINUE, reply("no")), CONTINUE + reply(body)]) {
      expect(await bodies(1, [whole])).toEqual([body, body]);
      expect(await bodies(1, [...whole], 1)).toEqual([body]);
    }
  });

  it("is passed over in HTTP/2", async () => {
    const server = http2.createServer();
    server.on("stream", (stream) => {
      for (const status of [100, 102, 103, 100]) stream.additionalHeaders({ ":status": status });
      stream.respond({ ":status": 200 });
      stream.end("yes");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const { call } = caller(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { http2: true });
    expect(await call()).toMatchObject({ answer: { body: "yes" }, status: 200, attempts: 1 });
  });

  it("may come before a reply in HTTP/2, too, but not without end", async () => {
    const server = http2.createServer();
    server.on("stream", (stream) => {
      stream.on("error", () => {});
      const timer = setInterval(() => {
        for (let count = 0; count < 40; count++) stream.additionalHeaders({ ":status": 103 });
      }, 5);
      stream.on("close", () => clearInterval(timer));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect(await caller(url, { http2: true }).failure()).toMatchObject({
      cause: "bad_reply",
      detail: expect.stringMatching(/more than 100 interim replies/),
    });
  });
});
