import { once } from "node:events";
import { stat, writeFile } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { ControlSocket } from "../../src/config/config.ts";
import { Secret } from "../../src/config/secret.ts";
import { askControl, openControl } from "../../src/control/client.ts";
import type { Controls } from "../../src/control/controls.ts";
import { ControlServer } from "../../src/control/server.ts";
import { type TemporaryFolder, temporaryFolder } from "../support/temporary.ts";
import { type FakeControls, fakeControls } from "./fake-controls.ts";

let folder: TemporaryFolder;
let count = 0;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

interface Started {
  readonly server: ControlServer;
  readonly config: ControlSocket;
  readonly controls: FakeControls;
}

async function start(own: Partial<Controls> = {}, settings: Partial<ControlSocket> = {}): Promise<Started> {
  const path = join(folder.path, `control-${count++}`);
  const config: ControlSocket = { endpoint: { kind: "unix", path }, mode: 0o600, ...settings };
  const server = await ControlServer.open(config, silent);
  if ("problem" in server) throw new Error(server.problem);
  onTestFinished(() => server.close());
  const controls = fakeControls(own);
  server.serve(controls);
  return { server, config, controls };
}

/** Any request, as somebody might write one; gives status and body. */
function raw(
  { endpoint }: ControlSocket,
  options: { method?: string; path?: string; headers?: Record<string, string>; body?: string },
): Promise<{ status: number | undefined; text: string }> {
  const { body = "", ...rest } = options;
  const socketPath = endpoint.kind === "unix" ? endpoint.path : "";
  return new Promise((resolve, reject) => {
    const request = httpRequest({ socketPath, agent: false, ...rest }, (reply) => {
      let text = "";
      reply.on("data", (chunk) => {
        text += String(chunk);
      });
      reply.on("end", () => resolve({ status: reply.statusCode, text }));
    });
    request.on("error", reject);
    request.end(body);
  });
}

const post = (path: string, body: unknown) => ({
  method: "POST",
  path,
  body: typeof body === "string" ? body : JSON.stringify(body),
});

describe("a command", () => {
  it.each([
    ["status", { path: "/v1/status" }, ["status"]],
    [
      "offline for one service and a time",
      post("/v1/offline", { services: ["corp"], for_ms: 7_200_000, by: "alice" }),
      ["offline", ["corp"], 7_200_000, "alice"],
    ],
    ["offline for all, without end", post("/v1/offline", { by: "alice" }), ["offline", "all", null, "alice"]],
    ["online", post("/v1/online", { services: ["corp"], by: "bob" }), ["online", ["corp"], "bob"]],
    [
      "forget",
      post("/v1/forget", { service: "corp", attributes: { sasl_username: "mallory" }, by: "bob" }),
      ["forget", "corp", { sasl_username: "mallory" }, "bob", false],
    ],
    [
      "forget that only counts",
      post("/v1/forget", { attributes: { sasl_username: "mallory" }, dry_run: true, by: "bob" }),
      ["forget", undefined, { sasl_username: "mallory" }, "bob", true],
    ],
  ])("%s is carried out", async (_, request, asked) => {
    const { config, controls } = await start();
    expect((await raw(config, request)).status).toBe(200);
    expect(controls.asked).toEqual([asked]);
  });

  it.each([
    ["an unknown path", { path: "/v1/stats" }, 404, "/v1/status"],
    ["a path of Object's own", { path: "/constructor" }, 404, "there is no"],
    ["a wrong method", { method: "DELETE", path: "/v1/cache" }, 405, "takes GET, POST"],
    ["no JSON", post("/v1/offline", "{"), 400, "no JSON"],
    ["a list", post("/v1/offline", []), 400, "does not fit"],
    ["an unknown member", post("/v1/offline", { by: "a", until: 1 }), 400, "until"],
    ["nobody's name", post("/v1/offline", {}), 400, "by"],
    ["no service at all", post("/v1/offline", { services: [], by: "a" }), 400, "services"],
    ["a time that is none", post("/v1/offline", { for_ms: -1, by: "a" }), 400, "for_ms"],
    ["forgetting without saying what", post("/v1/forget", { by: "a" }), 400, "attributes"],
    ["a body of 100 KB", post("/v1/offline", { by: "a".repeat(100_000) }), 400, "larger than"],
  ])("is refused with a sentence: %s", async (_, request, status, message) => {
    const { config, controls } = await start();
    const reply = await raw(config, request);
    expect(reply.status).toBe(status);
    expect(JSON.parse(reply.text).error).toContain(message);
    expect(controls.asked).toEqual([]);
  });

  it("that the bridge refuses says why", async () => {
    const { config } = await start({ offline: async () => ({ problem: "there is no service x" }) });
    expect(await askControl(config, { method: "POST", path: "/v1/offline", body: { by: "a" } })).toEqual({
      problem: "there is no service x",
    });
  });

  it("that fails inside says why, without secrets, and the next one is served", async () => {
    const { config } = await start({
      forget: () => Promise.reject(new Error("redis://:hunter2@host is gone")),
    });
    const reply = await raw(config, post("/v1/forget", { all: true, by: "a" }));
    expect(reply).toEqual({ status: 503, text: '{"error":"redis://:***@host is gone"}\n' });
    expect((await raw(config, { path: "/v1/status" })).status).toBe(200);
  });

  it("waits until the bridge is ready", async () => {
    const path = join(folder.path, `control-${count++}`);
    const config: ControlSocket = { endpoint: { kind: "unix", path }, mode: 0o600 };
    const server = (await ControlServer.open(config, silent)) as ControlServer;
    onTestFinished(() => server.close());
    const early = raw(config, { path: "/v1/status" });
    setTimeout(() => server.serve(fakeControls()), 50);
    expect((await early).status).toBe(200);
  });
});

describe("a token", () => {
  const token = new Secret("s3cret-tökén");

  it.each([
    ["none", {}, 401],
    ["another", { authorization: "Bearer s3cret" }, 401],
    ["one of another kind", { authorization: "Basic s3cret-token" }, 401],
  ])("is needed where one is configured: %s", async (_, headers, status) => {
    const { config, controls } = await start({}, { token });
    const reply = await raw(config, { path: "/v1/status", headers });
    expect(reply.status).toBe(status);
    expect(JSON.parse(reply.text).error).toContain("token");
    expect(controls.asked).toEqual([]);
  });

  it("opens, and the client says so when it does not fit", async () => {
    const { server, config } = await start({}, { token });
    const status = { method: "GET", path: "/v1/status" } as const;
    expect(await askControl({ ...config, token }, status)).toMatchObject({ version: "1.2.3" });
    server.setToken(new Secret("another one"));
    expect(await askControl({ ...config, token }, status)).toMatchObject({
      problem: expect.stringContaining("the one shown is another"),
    });
    expect(await askControl({ endpoint: config.endpoint }, status)).toMatchObject({
      problem: expect.stringContaining("none was shown"),
    });
  });
});

describe("the cache as lines", () => {
  it("goes out one after the other, no faster than they are read", async () => {
    let made = 0;
    const line = JSON.stringify({ body: "x".repeat(10_000) });
    const { config } = await start({
      exportCache: async function* () {
        for (; made < 20_000; made++) yield line;
      },
    });
    const reply = await openControl(config, { method: "GET", path: "/v1/cache" });
    if ("problem" in reply) throw new Error(reply.problem);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(made).toBeLessThan(5_000);
    let size = 0;
    for await (const chunk of reply) size += chunk.length;
    expect(size).toBe(20_000 * (line.length + 1));
  });

  it("that ends in the middle is no whole export", async () => {
    const { config } = await start({
      exportCache: async function* () {
        for (let n = 0; n < 10_000; n++) yield "{}".padEnd(100);
        throw new Error("the store is gone");
      },
    });
    const reply = await openControl(config, { method: "GET", path: "/v1/cache" });
    if ("problem" in reply) throw new Error(reply.problem);
    await expect(reply.toArray()).rejects.toThrow();
  });

  it("that cannot be read at all says so", async () => {
    const { config } = await start({
      // biome-ignore lint/correctness/useYield: it fails before the first line
      exportCache: async function* () {
        throw new Error("the store is gone");
      },
    });
    expect(await openControl(config, { method: "GET", path: "/v1/cache" })).toEqual({
      problem: "the store is gone",
    });
  });

  it("comes in, and too long a line costs only itself", async () => {
    const seen: number[] = [];
    const { config } = await start({
      loadCache: async (lines) => {
        for await (const line of lines) seen.push(line.length);
        return { loaded: seen.length, refused: 1, reasons: { "it is no JSON": 1 } };
      },
    });
    const body = `${"a".repeat(10)}\n${"b".repeat(5_000_000)}\n\n${"c".repeat(20)}`;
    const reply = await raw(config, { method: "POST", path: "/v1/cache", body });
    expect(JSON.parse(reply.text)).toEqual({
      loaded: 2,
      refused: 2,
      reasons: { "it is no JSON": 1, "the line is too long": 1 },
    });
    expect(seen).toEqual([10, 20]);
  });
});

describe("the endpoint", () => {
  it("is for its owner alone, unless the mode says otherwise", async () => {
    const rights = async (mode: number) => {
      const { endpoint } = (await start({}, { mode })).config;
      return (await stat(endpoint.kind === "unix" ? endpoint.path : "")).mode & 0o777;
    };
    expect([await rights(0o600), await rights(0o660)]).toEqual([0o600, 0o660]);
  });

  it("takes over a socket that nobody answers on, and none that is in use", async () => {
    const { server, config } = await start();
    expect(await ControlServer.open(config, silent)).toEqual({
      problem: expect.stringMatching(/^control: cannot listen on .*: another process answers/),
    });
    await server.close();
    expect(await ControlServer.open(config, silent).then((again) => "problem" in again)).toBe(false);
  });

  it("leaves a file alone", async () => {
    const path = join(folder.path, "a file");
    await writeFile(path, "precious");
    const opened = await ControlServer.open({ endpoint: { kind: "unix", path }, mode: 0o600 }, silent);
    expect(opened).toEqual({ problem: expect.stringContaining("is a file, not a socket") });
  });

  it.each([
    ["headers without end", `GET /v1/status HTTP/1.1\r\nx: ${"a".repeat(20_000)}`, /^HTTP\/1.1 431 /],
    ["what is no HTTP", "request=smtpd_access_policy\n\n", /^HTTP\/1.1 400 /],
  ])("ends a connection that sends %s, and serves the next", async (_, bytes, expected) => {
    const { config } = await start();
    const socket = connect(config.endpoint.kind === "unix" ? config.endpoint.path : "");
    socket.on("error", () => {});
    await once(socket, "connect");
    socket.write(bytes);
    let received = "";
    socket.on("data", (chunk) => {
      received += String(chunk);
    });
    await once(socket, "close");
    expect(received).toMatch(expected);
    expect((await raw(config, { path: "/v1/status" })).status).toBe(200);
  });
});

describe("the client without a bridge", () => {
  const status = { method: "GET", path: "/v1/status" } as const;

  it("says that none is running", async () => {
    const endpoint = { kind: "unix", path: join(folder.path, "nobody") } as const;
    expect(await askControl({ endpoint }, status)).toEqual({
      absent: true,
      problem: expect.stringMatching(/^no bridge is running: there is no socket/),
    });
    expect(await askControl({ endpoint: { kind: "inet", host: "127.0.0.1", port: 1 } }, status)).toEqual({
      absent: true,
      problem: expect.stringMatching(/^no bridge is running: nobody listens/),
    });
  });
});
