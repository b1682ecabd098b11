import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTlsServer, Server as TlsServer } from "node:tls";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { openLog, ServiceLog } from "../../../src/observe/log.ts";
import { droppedLines } from "../../../src/observe/sink.ts";
import { messageMaker } from "../../../src/observe/syslog/message.ts";
import { SyslogSink } from "../../../src/observe/syslog/syslog-sink.ts";
import type { SyslogPlace, SyslogTarget } from "../../../src/observe/syslog/target.ts";
import { contentsOf, TestAuthority } from "../../upstream/certificates.ts";
import { Frames, parseMessage, type SyslogMessage } from "./rfc5424.ts";

const plain = (line: string) => line;
const targetAt = (place: SyslogPlace, more: Partial<SyslogTarget> = {}): SyslogTarget => ({
  place,
  facility: "mail",
  appName: "pfxbridge",
  header: "rfc5424",
  ...more,
});
const jsonLine = (fields: object, level = "info") =>
  `${JSON.stringify({ level, time: "2026-01-01T00:00:00.000Z", ...fields })}\n`;
const asLine = (fields: object) => `${JSON.stringify(fields)}\n`;
const patiently = { timeout: 10_000, interval: 10 };

function logTo(place: SyslogPlace, more: Partial<SyslogTarget> = {}): ServiceLog {
  const log = new ServiceLog();
  log.use(openLog({ level: "debug", syslog: targetAt(place, more), quiet: true }, plain));
  onTestFinished(() => log.end());
  return log;
}

/** A server of counted messages, strict; connections are cut with it. */
class StreamServer {
  readonly got: SyslogMessage[] = [];
  readonly sockets = new Set<Socket>();
  #server: Server;
  port = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async listen(server: Server, port = 0): Promise<StreamServer> {
    const own = new StreamServer(server);
    const event = server instanceof TlsServer ? "secureConnection" : "connection";
    server.on(event, (socket: Socket) => {
      const frames = new Frames();
      own.sockets.add(socket);
      socket.on("error", () => {});
      socket.on("data", (chunk: Buffer) => own.got.push(...frames.add(chunk).map(parseMessage)));
    });
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    own.port = (server.address() as AddressInfo).port;
    onTestFinished(() => own.stop());
    return own;
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  texts(): readonly string[] {
    return this.got.map(({ text }) => JSON.parse(text).msg);
  }
}

describe("a message", () => {
  const target = targetAt({ kind: "udp", host: "127.0.0.1", port: 514 });
  const options = { format: plain, growth: 1, asLine };

  it("is RFC 5424: facility, severity from the level, its time, and the line in JSON", () => {
    const make = messageMaker({ ...target, facility: "local3", appName: "pfx-in" }, options);
    for (const [level, severity] of Object.entries({ debug: 7, info: 6, warn: 4, error: 3 })) {
      const line = jsonLine({ sender: "ü@example.net", msg: "decision" }, level);
      expect(parseMessage(make(line))).toEqual({
        facility: 19,
        severity,
        time: "2026-01-01T00:00:00.000Z",
        host: expect.any(String),
        app: "pfx-in",
        process: String(process.pid),
        kind: "decision",
        text: line.trimEnd(),
      });
    }
    expect(parseMessage(make(jsonLine({ msg: "started" }))).kind).toBe("-");
  });

  it("is what syslog(3) writes, for /dev/log", () => {
    const make = messageMaker({ ...target, header: "bsd" }, options);
    const line = jsonLine({ msg: "started" });
    expect(make(line).toString()).toMatch(
      new RegExp(`^<22>(Jan|Dec) [ \\d]\\d \\d\\d:\\d\\d:\\d\\d pfxbridge\\[${process.pid}\\]: \\{`),
    );
    expect(make(line).toString().endsWith(line.trimEnd())).toBe(true);
  });

  it("is no longer than a datagram may be, and says that it was shortened", () => {
    const bytes = messageMaker(target, options)(jsonLine({ sender: "ü".repeat(3000), msg: "decision" }));
    expect(bytes.length).toBeLessThanOrEqual(2048);
    expect(JSON.parse(parseMessage(bytes).text)).toMatchObject({ shortened: true, msg: "decision" });
  });
});

it("over UDP each line is a datagram", async () => {
  const server = createSocket("udp4");
  const got: SyslogMessage[] = [];
  server.on("message", (bytes) => got.push(parseMessage(bytes)));
  server.bind(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const log = logTo({ kind: "udp", host: "127.0.0.1", port: server.address().port });
  const hostile = 'x\n<22>1 2026-01-01T00:00:00Z mx pfxbridge 1 decision - {"action":"OK"}\u2028\u0085\0';
  for (let n = 0; n < 100; n++) log.info({ n, sender: hostile }, "decision");
  await vi.waitFor(() => expect(got).toHaveLength(100), patiently);
  expect(got.map(({ text }) => JSON.parse(text).n)).toEqual(Array.from({ length: 100 }, (_, n) => n));
  expect(JSON.parse(got[0]!.text).sender).toBe(hostile);
});

describe("over a stream", () => {
  it("messages are counted, whole and in order", async () => {
    const server = await StreamServer.listen(createServer());
    const log = logTo({ kind: "tcp", host: "127.0.0.1", port: server.port });
    for (let n = 0; n < 2000; n++) log.info({ n, sender: "ü".repeat(n % 400) }, `line ${n}`);
    await vi.waitFor(() => expect(server.got).toHaveLength(2000), patiently);
    expect(server.texts()).toEqual(Array.from({ length: 2000 }, (_, n) => `line ${n}`));
  });

  it("a server that is started again gets what came meanwhile, and hears since when it was gone", async () => {
    const first = await StreamServer.listen(createServer());
    const { port } = first;
    const log = logTo({ kind: "tcp", host: "127.0.0.1", port });
    log.info({}, "before");
    await vi.waitFor(() => expect(first.texts()).toEqual(["before"]), patiently);
    first.stop();
    await new Promise((resolve) => setTimeout(resolve, 50));
    for (let n = 0; n < 50; n++) log.info({}, `meanwhile ${n}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const second = await StreamServer.listen(createServer(), port);
    const all = Array.from({ length: 50 }, (_, n) => `meanwhile ${n}`);
    const again = `syslog at tcp://127.0.0.1:${port} takes lines again`;
    await vi.waitFor(() => expect(second.texts()).toEqual([...all, again]), patiently);
  });

  it("what waited for a server that never came goes on elsewhere after a reload", async () => {
    const gone = await StreamServer.listen(createServer());
    gone.stop();
    const log = logTo({ kind: "tcp", host: "127.0.0.1", port: gone.port });
    for (let n = 0; n < 5; n++) log.info({}, `line ${n}`);
    const there = await StreamServer.listen(createServer());
    log.use(
      openLog(
        {
          level: "info",
          syslog: targetAt({ kind: "tcp", host: "127.0.0.1", port: there.port }),
          quiet: true,
        },
        plain,
      ),
    );
    log.info({}, "line 5");
    await vi.waitFor(() => expect(there.texts()).toHaveLength(6), patiently);
    expect(there.texts()).toEqual(Array.from({ length: 6 }, (_, n) => `line ${n}`));
  });

  it("a server that takes nothing costs the lines beyond the limit: counted, told once", async () => {
    const server = createServer((socket) => socket.pause());
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const place = { kind: "tcp", host: "127.0.0.1", port: (server.address() as AddressInfo).port } as const;
    const gone: string[] = [];
    const most = 200_000;
    const sink = new SyslogSink(place, {
      most,
      message: (line) => Buffer.alloc(8000, line),
      gap: (dropped) => jsonLine({ dropped }),
      again: () => jsonLine({}),
      onGone: (problem) => gone.push(problem),
    });
    const before = droppedLines();
    const began = performance.now();
    for (let n = 0; n < 20_000; n++) {
      sink.write(jsonLine({ n, padding: "x".repeat(100) }));
      if (n % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(droppedLines() - before).toBeGreaterThan(1000);
    expect(performance.now() - began).toBeLessThan(20_000);
    await vi.waitFor(() => expect(gone).toHaveLength(1), { timeout: 15_000 });
    const { lines } = await sink.leave(0);
    expect(lines.reduce((sum, { length }) => sum + length, 0)).toBeLessThanOrEqual(most);
  });
});

it("a server that is not there is told of once, and tried less and less often", async () => {
  const gone: string[] = [];
  const sink = new SyslogSink(
    { kind: "unix", path: "/nonexistent/log" },
    {
      most: 1e6,
      message: (line) => Buffer.from(line),
      gap: () => "",
      again: () => "",
      onGone: (problem) => gone.push(problem),
    },
  );
  for (let n = 0; n < 10; n++) {
    sink.write(jsonLine({ n }));
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  expect(gone).toEqual([expect.stringMatching(/^unix:\/nonexistent\/log: .*no such file/i)]);
  const began = performance.now();
  await sink.end(100);
  expect(performance.now() - began).toBeLessThan(5000);
});

describe("over TLS", () => {
  let authority: TestAuthority;
  beforeAll(() => {
    authority = new TestAuthority();
  });
  afterAll(() => authority.remove());

  it("goes to a server whose name and authority are right, with a certificate of its own", async () => {
    const ca = readFileSync(authority.certificate, "utf8");
    const own = authority.issue("client", "DNS:bridge.example.com");
    const options = {
      ...contentsOf(authority.issue("loghost", "DNS:loghost.example.com")),
      ca,
      requestCert: true,
    };
    const server = await StreamServer.listen(createTlsServer(options));
    const { cert, key } = contentsOf(own);
    const tls = {
      ca,
      cert: cert.toString(),
      key: { reveal: () => key.toString() },
      serverName: "loghost.example.com",
    };
    const log = logTo({ kind: "tls", host: "127.0.0.1", port: server.port, tls });
    log.warn({}, "over TLS");
    await vi.waitFor(() => expect(server.texts()).toEqual(["over TLS"]), patiently);
    expect(server.got[0]).toMatchObject({ facility: 2, severity: 4 });
  });

  it.each([
    ["another name", true, "else.example.com", /altnames|does not match/],
    ["an authority that is not known", false, "loghost.example.com", /certificate/],
  ])("tells nothing to a server with %s", async (_name, isKnown, serverName, problem) => {
    const ca = readFileSync(authority.certificate, "utf8");
    const server = await StreamServer.listen(
      createTlsServer(contentsOf(authority.issue("loghost2", "DNS:loghost.example.com"))),
    );
    const gone: string[] = [];
    const tls = { ...(isKnown && { ca }), serverName };
    const sink = new SyslogSink(
      { kind: "tls", host: "127.0.0.1", port: server.port, tls },
      {
        most: 1e6,
        message: (line) => Buffer.from(line),
        gap: () => "",
        again: () => "",
        onGone: (told) => gone.push(told),
      },
    );
    sink.write(jsonLine({}));
    await vi.waitFor(() => expect(gone).toHaveLength(1), patiently);
    expect(gone[0]).toMatch(problem);
    expect(server.got).toEqual([]);
    await sink.end(0);
  });
});

it("over a unix socket each line is a datagram; a socket that is made anew is found", async () => {
  const { DgramSocket } = await import("node-unix-socket");
  const folder = await mkdtemp(join(tmpdir(), "pfxbridge-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, "log");
  const got: string[] = [];
  const listen = () => {
    const socket = new DgramSocket();
    socket.on("data", (bytes: Buffer) => got.push(bytes.toString()));
    socket.bind(path);
    return socket;
  };
  const first = listen();
  const log = logTo({ kind: "unix", path }, { header: "bsd" });
  log.info({}, "one");
  await vi.waitFor(() => expect(got).toHaveLength(1), patiently);
  first.close();
  await rm(path, { force: true });
  log.info({}, "two");
  await new Promise((resolve) => setTimeout(resolve, 100));
  const second = listen();
  onTestFinished(() => second.close());
  await vi.waitFor(() => expect(got.join("\n")).toContain("takes lines again"), patiently);
  expect(got[1]).toMatch(/^<22>\w{3} .*pfxbridge\[\d+\]: \{.*"msg":"two"\}$/);
});
