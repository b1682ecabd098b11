/** What the service manager is told, over a real datagram socket. Needs `npm run build` first. */
import { readFileSync } from "node:fs";
import { DgramSocket } from "node-unix-socket";
import { describe, expect, it, onTestFinished } from "vitest";
import { Program, Site, until } from "./program.ts";
import { ANY_PORT, permitting } from "./services.ts";
import { isAlive, REQUEST, supervisedAt } from "./workers.ts";

const LOOPS = `export const toRequest = (request) => { for (;;) if (request.sender !== "loop") return { path: "/" }; };
  export const toAction = () => "DUNNO";`;

/** The service manager's end. */
class Manager {
  readonly path: string;
  readonly messages: string[] = [];
  readonly #socket = new DgramSocket();

  constructor(site: Site) {
    this.path = site.path("notify");
    this.#socket.bind(this.path);
    this.#socket.on("data", (message: Buffer) => this.messages.push(message.toString()));
    onTestFinished(() => this.#socket.close());
  }

  get env() {
    return { NOTIFY_SOCKET: this.path };
  }

  /** The first message with such a line, from the message `since` on. */
  told(line: RegExp, since = 0): Promise<string> {
    return until(`a message with ${line}`, () =>
      this.messages.slice(since).find((message) => message.split("\n").some((one) => line.test(one))),
    );
  }

  count(line: string): number {
    return this.messages.filter((message) => message.split("\n").includes(line)).length;
  }
}

async function site(more: Readonly<Record<string, unknown>> = {}) {
  const { url } = await permitting();
  return Site.create({
    "loops.mjs": LOOPS,
    "pfxbridge.yaml": { listen: ANY_PORT, services: { corp: { url, mapping: "./loops.mjs" } }, ...more },
  });
}

/** Of a watchdog that wants to hear something each second. */
const watched = () => ({ WATCHDOG_USEC: "1000000" });

describe("what the service manager is told", () => {
  it("says that it is ready, how it stands, and that it stops", async () => {
    const at = await site();
    const manager = new Manager(at);
    const bridge = await Program.serve(at, [], { env: manager.env });
    await manager.told(/^READY=1$/);
    await manager.told(/^STATUS=1 service$/);
    expect(await bridge.ask(REQUEST)).toBe("DUNNO");
    expect(manager.count("WATCHDOG=1")).toBe(0);

    bridge.signal("SIGTERM");
    const last = await manager.told(/^STOPPING=1$/);
    // More than the deadline of its service.
    expect(Number(/^EXTEND_TIMEOUT_USEC=(\d+)$/m.exec(last)?.[1])).toBeGreaterThan(3_000_000);
    expect(await bridge.ended).toBe(0);
  });

  it("says when it loads its configuration again, and what came of it", async () => {
    const at = await site();
    const manager = new Manager(at);
    const bridge = await Program.serve(at, [], { env: manager.env });
    await manager.told(/^READY=1$/);
    const before = process.hrtime.bigint() / 1000n;
    let since = manager.messages.length;
    bridge.signal("SIGHUP");
    const reloading = await manager.told(/^RELOADING=1$/, since);
    expect(BigInt(/^MONOTONIC_USEC=(\d+)$/m.exec(reloading)?.[1] ?? 0)).toBeGreaterThanOrEqual(before);
    await manager.told(/^READY=1$/, since);
    expect(manager.messages.indexOf(reloading)).toBeLessThan(
      manager.messages.findLastIndex((message) => message.startsWith("READY=1")),
    );

    await at.write("pfxbridge.yaml", "listen: 7\n");
    since = manager.messages.length;
    bridge.signal("SIGHUP");
    await manager.told(/^RELOADING=1$/, since);
    // Reloads end with READY=1 either way, else systemd would wait.
    expect(await manager.told(/^READY=1$/, since)).toContain("STATUS=the configuration was not loaded again");
  });

  it("says why it could not start", async () => {
    const at = await site({ listen: ["inet:127.0.0.1:1", "inet:127.0.0.1:1"] });
    const manager = new Manager(at);
    const bridge = new Program(["serve", "-c", at.config], { env: manager.env });
    expect(await bridge.ended).toBe(1);
    expect(await manager.told(/^STATUS=not started: /)).toContain("twice");
    expect(manager.count("READY=1")).toBe(0);
  });

  it("tells the watchdog that it works, until its event loop hangs", async () => {
    const at = await site();
    const manager = new Manager(at);
    const bridge = await Program.serve(at, [], { env: { ...manager.env, ...watched() } });
    await until("three beats", () => manager.count("WATCHDOG=1") >= 3);
    (await bridge.connect()).write("request=smtpd_access_policy\nsender=loop\n\n");
    let last = -1;
    await until("silence", async () => {
      const count = manager.count("WATCHDOG=1");
      if (count !== last) {
        last = count;
        await new Promise((resolve) => setTimeout(resolve, 1500));
      }
      return manager.count("WATCHDOG=1") === last;
    });
    expect(bridge.alive).toBe(true);
  });

  it("is silent to a watchdog that means another process", async () => {
    const at = await site();
    const manager = new Manager(at);
    await Program.serve(at, [], { env: { ...manager.env, ...watched(), WATCHDOG_PID: "1" } });
    await manager.told(/^STATUS=1 service$/);
    expect(manager.count("WATCHDOG=1")).toBe(0);
  });

  it("works as long as one worker answers, and leaves workers none of its variables", async () => {
    const at = await site({ workers: 2 });
    await at.write("pfxbridge.yaml", {
      listen: ANY_PORT,
      workers: 2,
      control: `unix:${at.path("control")}`,
      services: { corp: { url: (await permitting()).url, mapping: "./loops.mjs" } },
    });
    const manager = new Manager(at);
    const bridge = await Program.serve(at, [], { env: { ...manager.env, ...watched() } });
    const workers = await supervisedAt(at, bridge).workers();
    expect(workers).toHaveLength(2);
    for (const pid of workers) {
      expect(readFileSync(`/proc/${pid}/environ`, "utf8")).not.toMatch(/NOTIFY_SOCKET|WATCHDOG/);
    }
    await manager.told(/^STATUS=1 service, 2 workers$/);
    process.kill(workers[0] ?? 0, "SIGKILL");
    const beats = manager.count("WATCHDOG=1");
    await until("beats without it", () => manager.count("WATCHDOG=1") > beats + 2);
    expect(isAlive(workers[1] ?? 0)).toBe(true);
  });

  it("runs all the same where nothing can be told, and says so", async () => {
    const at = await site();
    const env = { NOTIFY_SOCKET: "@abstract" };
    const bridge = await Program.serve(at, [], { env });
    const line = await bridge.logged({ msg: "the service manager cannot be told how the bridge is" });
    expect(line.detail).toContain("NOTIFY_SOCKET=@abstract is no path");
    expect(await bridge.ask(REQUEST)).toBe("DUNNO");
  });

  it("runs all the same without the package, and says what to do", async () => {
    const at = await site();
    const hooks = `export const resolve = (name, context, next) => {
      if (name === "node-unix-socket") throw new Error("Cannot find package 'node-unix-socket'");
      return next(name, context);
    };`;
    const register = `import { register } from "node:module"; register(${JSON.stringify(dataUrl(hooks))});`;
    const manager = new Manager(at);
    const env = { ...manager.env, NODE_OPTIONS: `--import=${dataUrl(register)}` };
    const bridge = await Program.serve(at, [], { env });
    const line = await bridge.logged({ msg: "the service manager cannot be told how the bridge is" });
    expect(line.detail).toMatch(/node-unix-socket cannot be loaded .*--omit=optional/);
    expect(await bridge.ask(REQUEST)).toBe("DUNNO");
    expect(manager.messages).toEqual([]);
  });
});

function dataUrl(source: string): string {
  return `data:text/javascript,${encodeURIComponent(source)}`;
}
