import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, lstatSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, describe, expect, it, onTestFinished, vi } from "vitest";
import type { Endpoint } from "../../src/postfix/endpoint.ts";
import { type ListenerOptions, listen } from "../../src/postfix/listener.ts";
import { formatRequest, PolicyClient } from "../support/policy-client.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { LOOPBACK, listening, pause, recordingLog } from "./listening.ts";

const folder = await temporaryFolder();
afterAll(() => folder.remove());
let sockets = 0;
const freshPath = () => join(folder.path, `s${sockets++}`);
const unix = (path: string): Endpoint => ({ kind: "unix", path });
/** For a process of its own; made by `npm run compile`. */
const BUILT = new URL("../../dist/src/postfix/listener.js", import.meta.url).href;
const isRoot = process.getuid?.() === 0;

/** What stands in the way of listening. */
async function problemOf(
  options: Partial<ListenerOptions> & Pick<ListenerOptions, "endpoint">,
): Promise<string> {
  const listener = await listen({ handle: () => "DUNNO", log: recordingLog().log, ...options });
  if ("problem" in listener) return listener.problem;
  await listener.close({ graceMs: 0 });
  throw new Error("nothing stood in the way");
}

/** A socket file that nobody answers on, as a killed process leaves it. */
async function deadSocket(path: string): Promise<void> {
  const script = `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
  await once(spawn(process.execPath, ["-e", script]), "exit");
  expect(lstatSync(path).isSocket()).toBe(true);
}

describe("a listener", () => {
  it.each<[string, Endpoint, RegExp]>([
    ["IPv4", LOOPBACK, /^inet:127\.0\.0\.1:[1-9]\d+$/],
    ["IPv6", { kind: "inet", host: "::1", port: 0 }, /^inet:\[::1\]:[1-9]\d+$/],
    ["a name", { kind: "inet", host: "localhost", port: 0 }, /^inet:localhost:[1-9]\d+$/],
    ["a unix socket", unix(freshPath()), /^unix:\/.+$/],
  ])("answers on %s, and is named after its endpoint", async (_, endpoint, name) => {
    const { connect, listener } = await listening(({ listener }) => `INFO ${listener}`, { endpoint });
    const client = await connect();
    expect(listener.name).toMatch(name);
    expect(await client.ask({ a: "1" })).toBe(`INFO ${listener.name}`);
  });

  it("answers the 1,001st connection at once while 1,000 are idle", async () => {
    const { connect, listener } = await listening(() => "DUNNO");
    const clients = await Promise.all(Array.from({ length: 1000 }, connect));
    await vi.waitFor(() => expect(listener.connections).toBe(1000));
    const last = await connect();
    expect(await last.ask({ a: "1" })).toBe("DUNNO");
    expect(await clients[500]!.ask({ a: "1" })).toBe("DUNNO");
    expect(clients.every((client) => !client.closed)).toBe(true);
  });

  it("leaves thousands of connections that say nothing alone, and they leave it alone", async () => {
    const { connect, lines, listener } = await listening(() => "DUNNO", { requestTimeout: 100 });
    const clients = await Promise.all(Array.from({ length: 2000 }, connect));
    await pause(300);
    expect(clients.every((client) => !client.closed)).toBe(true);
    expect(lines).toEqual([]);
    for (const client of clients) client.end();
    await vi.waitFor(() => expect(listener.connections).toBe(0), { timeout: 5000 });
  });

  it("takes another handler under open connections; what is being decided ends as it began", async () => {
    const { connect, listener } = await listening(async () => {
      await pause(60);
      return "INFO old";
    });
    const client = await connect();
    client.write(formatRequest({ n: "1" }));
    await vi.waitFor(() => expect(listener.requests).toBe(1));
    listener.setHandler(() => "INFO new");
    client.write(formatRequest({ n: "2" }));
    expect(await client.answers(2)).toEqual(["INFO old", "INFO new"]);
  });

  it("survives the end of its file descriptors, with a log line", async () => {
    const program = `
      import { listen } from ${JSON.stringify(BUILT)};
      const say = (fields, message) => console.log(message);
      const log = { debug: say, info: say, warn: say, error: say };
      const endpoint = { kind: "inet", host: "127.0.0.1", port: 0 };
      const listener = await listen({ endpoint, handle: () => "DUNNO", log });
      console.log(listener.endpoint.port);`;
    const limited = [
      "-c",
      'ulimit -n 100; exec "$@"',
      "sh",
      process.execPath,
      "--input-type=module",
      "-e",
      program,
    ];
    const child = spawn("sh", limited, { stdio: ["ignore", "pipe", "inherit"] });
    onTestFinished(() => void child.kill());
    let output = "";
    child.stdout.on("data", (chunk) => {
      output += chunk;
    });
    await vi.waitFor(() => expect(output).toMatch(/^\d+\n/), { timeout: 5000 });
    const endpoint: Endpoint = { kind: "inet", host: "127.0.0.1", port: Number.parseInt(output, 10) };
    const connect = () => PolicyClient.connect(endpoint);
    const clients = await Promise.all(Array.from({ length: 120 }, connect));
    await vi.waitFor(() => expect(output).toContain("a connection was not taken"), { timeout: 5000 });
    expect(output).toContain("LimitNOFILE");
    expect(output.match(/not taken/g)).toHaveLength(1);
    await vi.waitFor(() => expect(clients.some((client) => client.closed)).toBe(true));

    const open = clients.find((client) => !client.closed)!;
    expect(await open.ask({ a: "1" })).toBe("DUNNO");
    for (const client of clients) client.end();
    await vi.waitFor(async () => {
      const later = await connect();
      onTestFinished(() => later.end());
      expect(await later.ask({ a: "1" })).toBe("DUNNO");
    });
  });
});

describe("closing", () => {
  it("answers what is in flight, then ends every connection", async () => {
    const { connect, listener } = await listening(async ({ attributes }) => {
      await pause(80);
      return `INFO ${attributes.get("n")}`;
    });
    const idle = await connect();
    const busy = await connect();
    const partial = await connect();
    busy.write(formatRequest({ n: "1" }) + formatRequest({ n: "2" }));
    partial.write("n=3\n");
    await vi.waitFor(() => expect(listener.requests).toBe(1));
    await listener.close({ graceMs: 5000 });
    expect(await busy.untilClosed()).toBe("action=INFO 1\n\naction=INFO 2\n\n");
    expect(await idle.untilClosed()).toBe("");
    expect(await partial.untilClosed()).toBe("");
    expect(listener.connections).toBe(0);
    await expect(PolicyClient.connect(listener.endpoint)).rejects.toThrow("ECONNREFUSED");
  });

  it("cuts off what is not done in time, with a log line", async () => {
    const { connect, lines, listener } = await listening(() => new Promise(() => {}));
    const client = await connect();
    client.write(formatRequest({ n: "1" }));
    await vi.waitFor(() => expect(listener.requests).toBe(1));
    await listener.close({ graceMs: 50 });
    expect(await client.untilClosed()).toBe("");
    expect(lines.map((line) => line.message)).toEqual([expect.stringContaining("cut off")]);
  });

  it("may begin by taking no further connections, while those that are open live on", async () => {
    const { connect, listener } = await listening(() => "DUNNO");
    const client = await connect();
    await client.ask({ n: "1" });
    listener.stopAccepting();
    await expect(PolicyClient.connect(listener.endpoint)).rejects.toThrow("ECONNREFUSED");
    expect(await client.ask({ n: "2" })).toBe("DUNNO");
  });
});

describe("a port that can't be had", () => {
  it("is told what to do: in use", async () => {
    const { listener } = await listening(() => "DUNNO");
    const problem = await problemOf({ endpoint: listener.endpoint });
    expect(problem).toMatch(
      /^cannot listen on inet:127\.0\.0\.1:\d+: the port is in use; .*choose another port$/,
    );
  });

  it.each<[string, Endpoint, string]>([
    ["an address of another machine", { kind: "inet", host: "192.0.2.1", port: 0 }, "no such address"],
    [
      "a name that is none",
      { kind: "inet", host: "nowhere.invalid", port: 0 },
      "the host name has no address",
    ],
    ["no such directory", unix(join(folder.path, "no/such")), "there is no directory"],
    ["a file for a directory", unix("/etc/passwd/x"), "there is no directory"],
  ])("is told what to do: %s", async (_, endpoint, problem) => {
    expect(await problemOf({ endpoint })).toContain(problem);
  });
});

describe("a unix socket", () => {
  it("has the mode, owner and group that were asked for", async () => {
    const path = freshPath();
    const rights = { mode: 0o600, owner: String(process.getuid!()), group: String(process.getgid!()) };
    await listening(() => "DUNNO", { endpoint: unix(path), rights });
    const { mode, uid, gid } = statSync(path);
    expect([mode & 0o777, uid, gid]).toEqual([0o600, process.getuid!(), process.getgid!()]);
  });

  it.runIf(isRoot)("may belong to others, by name", async () => {
    const path = freshPath();
    const rights = { mode: 0o666, owner: "nobody", group: "daemon" };
    await listening(() => "DUNNO", { endpoint: unix(path), rights });
    const { mode, uid, gid } = statSync(path);
    expect([mode & 0o777, uid, gid]).toEqual([0o666, 65534, 1]);
  });

  it("is open to owner and group alone when nothing was asked for", async () => {
    const path = freshPath();
    await listening(() => "DUNNO", { endpoint: unix(path) });
    expect(statSync(path).mode & 0o777).toBe(0o660);
  });

  it.each([
    [{ owner: "no-such-user" }, 'owner: there is no user "no-such-user" in /etc/passwd'],
    [{ group: "no-such-group" }, 'group: there is no group "no-such-group" in /etc/group'],
  ])("is not left behind when its rights can't be set: %j", async (rights, problem) => {
    const path = freshPath();
    expect(await problemOf({ endpoint: unix(path), rights })).toContain(problem);
    expect(existsSync(path)).toBe(false);
  });

  it("is removed when the listener closes", async () => {
    const path = freshPath();
    const { listener } = await listening(() => "DUNNO", { endpoint: unix(path) });
    expect(existsSync(path)).toBe(true);
    await listener.close({ graceMs: 0 });
    expect(existsSync(path)).toBe(false);
  });

  it("is taken over when nobody answers on it", async () => {
    const path = freshPath();
    await deadSocket(path);
    const { connect } = await listening(() => "DUNNO", { endpoint: unix(path) });
    expect(await (await connect()).ask({ a: "1" })).toBe("DUNNO");
  });

  it("is left alone when another process answers on it", async () => {
    const path = freshPath();
    const other = createServer((socket) => socket.on("error", () => {}));
    other.listen(path);
    await once(other, "listening");
    onTestFinished(() => void other.close());
    expect(await problemOf({ endpoint: unix(path) })).toContain("another process answers on");
    expect(lstatSync(path).isSocket()).toBe(true);
  });

  it("never takes the place of a file, a directory or a link, not even of one to a dead socket", async () => {
    const file = freshPath();
    writeFileSync(file, "precious");
    expect(await problemOf({ endpoint: unix(file) })).toContain("is a file, not a socket");
    expect(statSync(file).size).toBe(8);

    const dead = freshPath();
    const link = freshPath();
    await deadSocket(dead);
    symlinkSync(dead, link);
    expect(await problemOf({ endpoint: unix(link) })).toContain("is a symbolic link");
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(existsSync(dead)).toBe(true);

    expect(await problemOf({ endpoint: unix(folder.path) })).toContain("is a directory");
  });

  it.runIf(!isRoot)("in a directory without rights is told what to do", async () => {
    const locked = await temporaryFolder();
    onTestFinished(() => locked.remove());
    chmodSync(locked.path, 0o500);
    expect(await problemOf({ endpoint: unix(join(locked.path, "s")) })).toContain(
      "is not writable for this user",
    );
  });
});
