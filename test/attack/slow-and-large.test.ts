/** Somebody with no token, or with it, sends headers that never end, bodies that trickle, and more than anybody would take. */
import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { ask, bearer, controlled, TOKEN } from "./control-site.ts";

const HEAD = "POST /v1/forget HTTP/1.1\r\nhost: localhost\r\n";
const RIGHT = `authorization: Bearer ${TOKEN}\r\n`;

/** Sends, and then a byte now and then; resolves to what was answered when the connection is ended. */
async function trickle(port: number, begin: string, byte: string): Promise<string> {
  const socket = connect(port, "127.0.0.1").on("error", () => {});
  let answer = "";
  socket.on("data", (chunk) => {
    answer += String(chunk);
  });
  socket.write(begin);
  const timer = setInterval(() => socket.write(byte), 200);
  onTestFinished(() => {
    clearInterval(timer);
    socket.destroy();
  });
  await once(socket, "close");
  clearInterval(timer);
  return answer;
}

describe("at the control endpoint", () => {
  it("what comes too slowly is ended, and others are answered and decided for meanwhile", async () => {
    const { bridge, port } = await controlled();
    const slow = [
      trickle(port, `${HEAD}x: `, "x"),
      trickle(port, `${HEAD}content-length: 1000\r\n\r\n`, "x"),
      trickle(port, `${HEAD}${RIGHT}content-length: 1000\r\n\r\n`, " "),
      trickle(port, `${HEAD}${RIGHT}transfer-encoding: chunked\r\n\r\n`, "1\r\n \r\n"),
    ];
    expect(await ask(port, { headers: bearer(TOKEN) })).toMatchObject({ status: 200 });
    expect(await bridge.ask({ sender: "a@example.net" })).not.toBe("");
    const [headers, stranger, body, chunks] = await Promise.all(slow);
    expect(headers).toMatch(/^$|^HTTP\/1.1 408 /);
    expect(stranger).toMatch(/^HTTP\/1.1 401 /);
    for (const answer of [body, chunks]) expect(answer).toMatch(/^$|^HTTP\/1.1 400 /);
    expect(bridge.alive).toBe(true);
  }, 40_000);

  it.each([
    ["headers", `${HEAD}${RIGHT}x: ${"x".repeat(20_000)}\r\n\r\n`, /^HTTP\/1.1 431 /],
    [
      "a body",
      `${HEAD}${RIGHT}content-length: 100000\r\n\r\n${"x".repeat(100_000)}`,
      /^HTTP\/1.1 400 .*64|65536/s,
    ],
    [
      "a body without a token",
      `${HEAD}content-length: 100000000\r\n\r\n${"x".repeat(100_000)}`,
      /^HTTP\/1.1 401 /,
    ],
    [
      "JSON within JSON",
      `${HEAD}${RIGHT}content-length: 60000\r\n\r\n${"[".repeat(60_000)}`,
      /^HTTP\/1.1 400 /,
    ],
  ])("what is too large is refused: %s", async (_, bytes, expected) => {
    const { bridge, port } = await controlled();
    expect(await trickle(port, bytes, "")).toMatch(expected);
    expect(await ask(port, { headers: bearer(TOKEN) })).toMatchObject({ status: 200 });
    expect(bridge.stdout).not.toContain("forgotten by hand");
  });
});
