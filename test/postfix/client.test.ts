import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { askPolicyService } from "../../src/postfix/client.ts";
import type { Endpoint } from "../../src/postfix/endpoint.ts";
import { listening } from "./listening.ts";

/** A policy service that does with each connection what it is told. */
async function service(serve: (socket: Socket) => void): Promise<Endpoint> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.resume();
    serve(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { kind: "inet", host: "127.0.0.1", port: (server.address() as AddressInfo).port };
}

const ask = (endpoint: Endpoint, attributes: [string, string][] = [["sender", "a@x"]], timeout = 2000) =>
  askPolicyService(endpoint, attributes, { timeout });

describe("asking a policy service", () => {
  it("gives its action, and the reply as it came", async () => {
    const { listener } = await listening(({ attributes }) => {
      return `REJECT 5.7.1 ${attributes.get("request")} ${attributes.get("sender")}`;
    });
    const action = "REJECT 5.7.1 smtpd_access_policy a@x";
    expect(await ask(listener.endpoint)).toEqual({ action, raw: `action=${action}\n\n` });
  });

  it("names another request type when told to", async () => {
    const { listener } = await listening(() => "DUNNO");
    const reply = await ask(listener.endpoint, [["request", "junk"]]);
    expect(reply).toEqual({ problem: expect.stringContaining("without a reply") });
  });

  it.each<[string, (socket: Socket) => void, string]>([
    ["closes at once", (socket) => socket.end(), "closed the connection without a reply"],
    ["resets", (socket) => socket.resetAndDestroy(), "closed the connection without a reply"],
    ["says nothing", () => {}, "did not answer within 0.3 s"],
    ["stops within its reply", (socket) => socket.end("action=DUNNO\n"), "before the empty line"],
    ["says something else", (socket) => socket.write("hello\n\n"), 'sent no line "action=..."'],
    ["sends escapes", (socket) => socket.write("\x1b[2J\x9b\n\n"), '"\\u001b[2J?\\n\\n"'],
    ["ends lines with CR LF", (socket) => socket.write("action=DUNNO\r\n\r\n"), "CR LF"],
    ["sends no UTF-8", (socket) => socket.write(Buffer.from("action=\xff\n\n", "latin1")), "not valid UTF-8"],
    ["says more", (socket) => socket.write("action=DUNNO\n\naction=OK\n\n"), "more after the end"],
    ["never ends", (socket) => socket.write("x".repeat(100_000)), "without an empty line"],
  ])("tells what is wrong when it %s", async (_, serve, problem) => {
    const reply = await ask(await service(serve), [["sender", "a@x"]], 300);
    expect(reply).toEqual({ problem: expect.stringContaining(problem) });
  });

  it.each<[string, Endpoint, string]>([
    ["nobody listens", { kind: "inet", host: "127.0.0.1", port: 1 }, "nobody listens on inet:127.0.0.1:1"],
    [
      "there is no socket",
      { kind: "unix", path: "/nonexistent/s" },
      "there is no socket unix:/nonexistent/s",
    ],
  ])("tells that %s", async (_, endpoint, problem) => {
    expect(await ask(endpoint)).toEqual({ problem: expect.stringContaining(problem) });
  });

  it.each<[string, string, string]>([
    ["", "x", "attribute name"],
    ["a=b", "x", "attribute name"],
    ["a\n", "x", "attribute name"],
    ["sender", "a\n\nrequest=x", "the value of sender"],
    ["sender", "a\0", "the value of sender"],
  ])("sends nothing that would be another request: %j=%j", async (name, value, problem) => {
    const { listener } = await listening(() => "DUNNO");
    expect(await ask(listener.endpoint, [[name, value]])).toEqual({
      problem: expect.stringContaining(problem),
    });
    expect(listener.requests).toBe(0);
  });
});
