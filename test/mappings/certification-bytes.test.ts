/**
 * A decision point whose permit comes in pieces, is cut off at any byte, or is no HTTP: what arrives whole is a permit
 * however it was cut into pieces, and nothing else is.
 */
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { open } from "../decision/bridge.ts";

const PERMIT = "DUNNO";
const FAILURE = "DEFER 4.3.0";
const BODY = '{"decision":true,"context":{"note":"ok"}}';

const WITH_LENGTH = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${BODY.length}\r\n\r\n${BODY}`;
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
const HEAD = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
const CHUNKED = `${HEAD}${[...BODY].map(chunk).join("")}0\r\n\r\n`;

/** Answers each request as told, and leaves the connection open unless that ends it. */
async function answering(answer: (socket: Socket, nth: number) => void) {
  let nth = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("error", () => {});
    let received = "";
    socket.on("data", (piece) => {
      received += piece.toString("latin1");
      const head = received.indexOf("\r\n\r\n");
      const length = Number(/content-length: (\d+)/i.exec(received)?.[1] ?? 0);
      if (head === -1 || received.length < head + 4 + length) return;
      received = "";
      answer(socket, nth++);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as { port: number };
  const { ask } = await open({
    services: {
      corp: {
        url: `http://127.0.0.1:${port}`,
        mapping: "authzen",
        timeout: "1s",
        retry: { attempts: 1 },
        breaker: { minimum_calls: 100_000 },
        on_failure: { default: FAILURE },
      },
    },
  });
  return (nth: number) => ask({ sasl_username: `user${nth}`, recipient: "bob@example.org" });
}

const write = async (socket: Socket, pieces: readonly string[]) => {
  for (const piece of pieces) {
    if (!socket.writable) return;
    socket.write(piece, "latin1");
    await new Promise((resolve) => setImmediate(resolve));
  }
};

describe("a permit", () => {
  it.each([
    ["with a length", WITH_LENGTH],
    ["in chunks", CHUNKED],
  ])("%s arrives, byte by byte", async (_name, reply) => {
    const ask = await answering((socket) => void write(socket, [...reply]));
    expect(await ask(0)).toBe(PERMIT);
    expect(await ask(1)).toBe(PERMIT);
  });

  it.each([
    ["with a length", WITH_LENGTH],
    ["in chunks", CHUNKED],
  ])("%s is none where the connection ends before its last byte, wherever", async (_name, reply) => {
    const cuts = Array.from({ length: reply.length }, (_, cut) => cut);
    const ask = await answering((socket, nth) => {
      const cut = reply.slice(0, nth);
      if (nth % 2 === 0) socket.end(cut, "latin1");
      else socket.write(cut, "latin1", () => socket.resetAndDestroy());
    });
    const actions: (string | null)[] = [];
    for (const cut of cuts) actions.push(await ask(cut));
    expect(actions.filter((action) => action !== FAILURE)).toEqual([]);
  });

  it.each([
    [
      "two lengths",
      WITH_LENGTH.replace("content-length", `content-length: ${BODY.length - 1}\r\ncontent-length`),
    ],
    [
      "a length and chunks",
      CHUNKED.replace("transfer-encoding", `content-length: ${BODY.length}\r\ntransfer-encoding`),
    ],
    ["a length that is too short", WITH_LENGTH.replace(/content-length: \d+/, "content-length: 15")],
    ["a length that is none", WITH_LENGTH.replace(/content-length: \d+/, "content-length: -1")],
    ["a chunk whose size is none", `${HEAD}zz\r\n${BODY}\r\n0\r\n\r\n`],
    ["a chunk that is longer than it says", `${HEAD}5\r\n${BODY}\r\n0\r\n\r\n`],
    ["a denial in the chunk before", `${HEAD}${chunk('{"decision":false}')}${chunk(BODY)}0\r\n\r\n`],
    ["no status line", BODY],
    ["another protocol", "SSH-2.0-OpenSSH_9.2\r\n"],
    ["a status of another kind", WITH_LENGTH.replace("200 OK", "2000 OK")],
    ["a line end in a header", WITH_LENGTH.replace("application/json", "application/json\n x: \0")],
  ])("with %s is none", async (_name, reply) => {
    const ask = await answering((socket) => socket.end(reply, "latin1"));
    expect(await ask(0)).toBe(FAILURE);
  });
});
