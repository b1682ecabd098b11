import { statSync } from "node:fs";
import { chmod, readFile, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { describe, expect, it } from "vitest";
import { freePort } from "../support/temporary.ts";
import { Program, run, Site, until } from "./program.ts";
import { ANY_PORT, GATE, heldService, permitting, rawService, service, silentService } from "./services.ts";

const REQUEST = { request: "smtpd_access_policy", sender: "a@example.net", recipient: "b@example.org" };
const HAS_IPV6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === "::1"),
);

/** A configuration with one service, and the mapping beside it. */
function gate(url: string, config: Readonly<Record<string, unknown>> = {}) {
  return {
    "pfxbridge.yaml": { listen: ANY_PORT, services: { corp: { url, mapping: "./gate.yaml" } }, ...config },
    "gate.yaml": GATE,
  };
}

describe("where it listens", () => {
  it("answers on a port and on a socket file, whose mode is as configured", async () => {
    const { url } = await permitting();
    const site = await Site.create(gate(url));
    const path = site.path("policy");
    await site.write(
      "pfxbridge.yaml",
      gate(url, { listen: [...ANY_PORT, { endpoint: `unix:${path}`, mode: "0620" }] })["pfxbridge.yaml"],
    );
    const bridge = await Program.serve(site);
    expect(bridge.endpoints).toEqual([expect.stringMatching(/^inet:127\.0\.0\.1:\d+$/), `unix:${path}`]);
    for (const endpoint of bridge.endpoints) {
      expect(await (await bridge.connect(endpoint)).ask(REQUEST)).toBe("DUNNO");
    }
    expect((await stat(path)).mode & 0o777).toBe(0o620);

    bridge.signal("SIGTERM");
    expect(await bridge.ended).toBe(0);
    expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined();
  });

  it.skipIf(!HAS_IPV6)("answers on IPv6", async () => {
    const { url } = await permitting();
    const bridge = await Program.serve(await Site.create(gate(url, { listen: ["inet:[::1]:0"] })));
    expect(bridge.endpoints).toEqual([expect.stringMatching(/^inet:\[::1\]:\d+$/)]);
    expect(await (await bridge.connect()).ask(REQUEST)).toBe("DUNNO");
  });

  it("gives expressions the listener's name", async () => {
    const site = await Site.create({
      "pfxbridge.yaml": {
        listen: [{ endpoint: ANY_PORT[0], name: "submission" }],
        routes: [{ when: 'listener == "submission"', action: "OK" }, { action: "REJECT" }],
      },
    });
    const bridge = await Program.serve(site);
    expect(await bridge.ask(REQUEST)).toBe("OK");
    expect(await bridge.logged({ msg: "decision" })).toMatchObject({
      listener: "submission",
      source: "route",
    });
  });

  it("says that a port is in use in one line, and ends with 1", async () => {
    const port = await freePort();
    const other = createServer().listen(port, "127.0.0.1");
    const site = await Site.create(gate("http://127.0.0.1:1", { listen: [`inet:127.0.0.1:${port}`] }));
    const ended = await run(["serve", "-c", site.config]);
    other.close();
    expect(ended).toEqual({
      status: 1,
      stdout: "",
      stderr: expect.stringMatching(
        new RegExp(
          `^pfxbridge: cannot listen on inet:127\\.0\\.0\\.1:${port}: the port is in use; [^\n]+\n$`,
        ),
      ),
    });
  });

  it("does not take a socket file over on which another bridge answers", async () => {
    const site = await Site.create({});
    const config = { listen: [`unix:${site.path("policy")}`], routes: [{ action: "DUNNO" }] };
    await site.write("pfxbridge.yaml", config);
    const first = await Program.serve(site);
    const second = await run(["serve", "-c", site.config]);
    expect(second).toMatchObject({ status: 1, stdout: "" });
    expect(second.stderr).toMatch(/^pfxbridge: cannot listen on unix:[^\n]+\n$/);
    expect(await (await first.connect()).ask(REQUEST)).toBe("DUNNO");
  });

  it("takes over a socket file that a killed bridge left", async () => {
    const site = await Site.create({});
    const config = { listen: [`unix:${site.path("policy")}`], routes: [{ action: "DUNNO" }] };
    await site.write("pfxbridge.yaml", config);
    const killed = await Program.serve(site);
    killed.signal("SIGKILL");
    await killed.ended;
    const bridge = await Program.serve(site);
    expect(await (await bridge.connect()).ask(REQUEST)).toBe("DUNNO");
  });
});

describe("before it is ready", () => {
  it("keeps requests that come while a module is still being loaded", async () => {
    const port = await freePort();
    const { url } = await permitting();
    const site = await Site.create({
      "pfxbridge.yaml": {
        listen: [`inet:127.0.0.1:${port}`],
        services: { corp: { url, mapping: "./slow.mjs" } },
      },
      "slow.mjs": `await new Promise((resolve) => setTimeout(resolve, 1500));
        export const toRequest = () => ({ path: "/check", body: "{}" });
        export const toAction = (reply) => (reply.body.allowed ? "DUNNO" : "REJECT");`,
    });
    const bridge = new Program(["serve", "-c", site.config]);
    const client = await until("a connection", () =>
      bridge.connect(`inet:127.0.0.1:${port}`).catch(() => undefined),
    );
    const answer = client.ask(REQUEST);
    expect(bridge.log).toEqual([]);
    expect(await answer).toBe("DUNNO");
    await bridge.logged({ msg: "started" });
  });

  it.each(["SIGTERM", "SIGINT"] as const)(
    "ends with 0 on %s although a module never loads",
    async (signal) => {
      const port = await freePort();
      const site = await Site.create({
        "pfxbridge.yaml": {
          listen: [`inet:127.0.0.1:${port}`],
          services: { corp: { url: "http://127.0.0.1:1", mapping: "./stuck.mjs" } },
        },
        "stuck.mjs": "setInterval(() => {}, 1000); await new Promise(() => {});",
      });
      const bridge = new Program(["serve", "-c", site.config]);
      await until("a connection", () => bridge.connect(`inet:127.0.0.1:${port}`).catch(() => undefined));
      bridge.signal(signal);
      expect(await bridge.ended).toBe(0);
    },
  );

  it("does not start with a module that cannot be loaded, and says so in one line", async () => {
    const site = await Site.create({
      "pfxbridge.yaml": {
        listen: ANY_PORT,
        services: { corp: { url: "http://127.0.0.1:1", mapping: "./broken.mjs" } },
        log: { file: "bridge.log" },
      },
      "broken.mjs": "throw new Error('no database');",
    });
    const ended = await run(["serve", "-c", site.config]);
    expect(ended).toMatchObject({ status: 1, stdout: "" });
    expect(ended.stderr).toBe(
      `${site.path("broken.mjs")}: error: the module cannot be loaded: Error: no database\n`,
    );
    expect(await readFile(site.path("bridge.log"), "utf8")).toContain("Error: no database");
  });
});

describe("SIGTERM", () => {
  it("stops accepting, answers what is in flight, and ends with 0", async () => {
    const { url, release, waiting } = await heldService();
    const bridge = await Program.serve(await Site.create(gate(url)));
    const [endpoint = ""] = bridge.endpoints;
    const idle = await bridge.connect();
    const client = await bridge.connect();
    const answer = client.ask(REQUEST);
    await until("the call", () => waiting() === 1);

    bridge.signal("SIGTERM");
    await idle.untilClosed();
    await expect(bridge.connect(endpoint)).rejects.toThrow(/ECONNREFUSED/);
    expect(client.closed).toBe(false);
    release();
    expect(await answer).toBe("DUNNO");
    expect(await bridge.ended).toBe(0);
    expect(bridge.log.slice(-3).map(({ msg }) => msg)).toEqual([
      "stopping: answering what is in flight",
      "decision",
      "stopped",
    ]);
    expect(bridge.stderr).toBe("");
  });

  it("waits for a service that never answers no longer than its deadline", async () => {
    const url = await silentService();
    const services = { corp: { url, mapping: "./gate.yaml", timeout: "30s", deadline: "1500ms" } };
    const bridge = await Program.serve(await Site.create(gate(url, { services })));
    const client = await bridge.connect();
    const answer = client.ask(REQUEST);
    await until("the request to be read", async () => {
      await new Promise((resolve) => setTimeout(resolve, 200));
      return true;
    });
    const from = performance.now();
    bridge.signal("SIGTERM");
    expect(await answer).toMatch(/^DEFER 4\.3\.0 /);
    expect(await bridge.ended).toBe(0);
    expect(performance.now() - from).toBeLessThan(1500 + 1000 + 500);
  });

  it("ends although a client never reads its answers", async () => {
    const action = `REJECT ${"no ".repeat(120)}`;
    const site = await Site.create({ "pfxbridge.yaml": { listen: ANY_PORT, routes: [{ action }] } });
    const bridge = await Program.serve(site);
    const client = await bridge.connect();
    client.socket.pause();
    client.write("sender=a@example.net\n\n".repeat(50_000));
    await bridge.logged({ msg: "decision" });
    bridge.signal("SIGTERM");
    expect(await bridge.ended).toBe(0);
  });
});

describe("switched offline", () => {
  it.each([
    ["by --offline", ["--offline"], {}],
    ["by `offline: true`", [], { offline: true }],
    ["by a list with the service", [], { offline: ["corp"] }],
  ])("%s, it makes no call: on_failure answers", async (_name, args, config) => {
    const corp = await permitting();
    const bridge = await Program.serve(await Site.create(gate(corp.url, config)), args);
    expect(await bridge.ask(REQUEST)).toBe(
      "DEFER 4.3.0 Authorization service unavailable, please try again later",
    );
    expect(await bridge.logged({ msg: "decision" })).toMatchObject({
      source: "default",
      cause: "offline",
      attempts: 0,
    });
    expect(corp.calls).toEqual([]);
  });

  it("for one service, the others are asked", async () => {
    const [corp, other] = [await permitting(), await permitting()];
    const bridge = await Program.serve(
      await Site.create(
        gate(corp.url, {
          services: {
            corp: { url: corp.url, mapping: "./gate.yaml", on_failure: "WARN ${cause}" },
            other: { url: other.url, mapping: "./gate.yaml" },
          },
          routes: [{ when: 'sender == "corp"', service: "corp" }, { service: "other" }],
          offline: ["corp"],
        }),
      ),
    );
    expect(await bridge.ask({ sender: "corp" })).toBe("WARN offline");
    expect(await bridge.ask({ sender: "other" })).toBe("DUNNO");
    expect([corp.calls.length, other.calls.length]).toEqual([0, 1]);
  });
});

describe("trouble around it", () => {
  it("logs to a file that others cannot read, and says nothing on its standard streams", async () => {
    const { url } = await permitting();
    const site = await Site.create(gate(url, { log: { file: "logs.ndjson", format: "json" } }));
    const bridge = new Program(["serve", "-c", site.config]);
    const lines = await until("the start", async () => {
      const text = await readFile(site.path("logs.ndjson"), "utf8").catch(() => "");
      return text.includes('"started"') ? text : undefined;
    });
    expect(JSON.parse(lines.trimEnd().split("\n").at(-1) ?? "")).toMatchObject({
      level: "info",
      msg: "started",
      config: site.config,
      services: { corp: `./gate.yaml at ${url}` },
    });
    expect((await stat(site.path("logs.ndjson"))).mode & 0o007).toBe(0);
    bridge.signal("SIGTERM");
    expect(await bridge.ended).toBe(0);
    expect([bridge.stdout, bridge.stderr]).toEqual(["", ""]);
  });

  it("says which log file cannot be opened", async () => {
    const { url } = await permitting();
    const site = await Site.create(gate(url, { log: { file: "nowhere/bridge.log" } }));
    const ended = await run(["serve", "-c", site.config]);
    expect(ended).toEqual({
      status: 1,
      stdout: "",
      stderr: `pfxbridge: log.file: ${site.path("nowhere/bridge.log")} cannot be opened for writing (ENOENT)\n`,
    });
  });

  it("says what is wrong with a configuration, and where, and ends with 1", async () => {
    const site = await Site.create({ "pfxbridge.yaml": "servces:\n  corp: { url: https://a.example }\n" });
    expect(await run(["serve", "-c", site.config])).toEqual({
      status: 1,
      stdout: "",
      stderr: `${site.config}:1:1: error: unknown key "servces"; did you mean "services"?\n`,
    });
  });

  it("goes on when nobody reads its standard output any more", async () => {
    const { url } = await permitting();
    const bridge = await Program.serve(await Site.create(gate(url)));
    bridge.child.stdout?.destroy();
    for (let request = 0; request < 5; request++) {
      expect(await bridge.ask(REQUEST)).toBe("DUNNO");
      await new Promise((resolve) => setTimeout(resolve, 120));
    }
    expect(bridge.alive).toBe(true);
  });

  it("survives what a module throws beside its functions", async () => {
    const { url } = await permitting();
    const site = await Site.create(gate(url, { services: { corp: { url, mapping: "./wild.mjs" } } }));
    await site.write(
      "wild.mjs",
      `export const toRequest = () => ({ path: "/check", body: "{}" });
       export function toAction() {
         setTimeout(() => { throw new Error("thrown later"); }, 1);
         Promise.reject(new Error("rejected later"));
         return "DUNNO";
       }`,
    );
    const bridge = await Program.serve(site);
    expect(await bridge.ask(REQUEST)).toBe("DUNNO");
    for (const what of ["thrown later", "rejected later"]) {
      await until(what, () =>
        bridge.log.some(({ level, detail }) => level === "error" && String(detail).includes(what)),
      );
    }
    expect(await bridge.ask(REQUEST)).toBe("DUNNO");
    expect(bridge.stderr).toBe("");
  });

  it("logs that a circuit opened, and that it closed again", async () => {
    let broken = true;
    const { url } = await service(() => (broken ? { status: 500 } : { body: { allowed: true } }));
    const corp = {
      url,
      mapping: "./gate.yaml",
      retry: { attempts: 1 },
      breaker: { minimum_calls: 3, open_for: "300ms" },
    };
    const bridge = await Program.serve(await Site.create(gate(url, { services: { corp } })));
    for (let request = 0; request < 4; request++) await bridge.ask(REQUEST);
    await bridge.logged({ msg: "decision", cause: "circuit_open", attempts: 0 });
    expect(await bridge.logged({ state: "open" })).toMatchObject({ level: "warn", service: "corp", url });
    broken = false;
    await until("a permit", async () => (await bridge.ask(REQUEST)) === "DUNNO");
    await bridge.logged({ state: "closed" });
    expect(bridge.log.filter(({ state }) => state === "open")).toHaveLength(1);
  });
});

it("a configuration that others can write is no configuration for root", async (test) => {
  test.skip(process.geteuid?.() !== 0, "needs root");
  const site = await Site.create(gate("http://127.0.0.1:1"));
  await chmod(site.config, 0o666);
  const ended = await run(["serve", "-c", site.config]);
  expect(ended).toMatchObject({ status: 1, stdout: "" });
  expect(ended.stderr).toMatch(/^[^\n]+: error: group or others can write [^\n]+; chmod go-w [^\n]+\n$/);
});

it("sends the request_id of its log line as X-Request-ID", async () => {
  let heard = "";
  const url = await rawService((socket) =>
    socket.on("data", (bytes) => {
      heard += bytes.toString("latin1");
      socket.end(
        'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 16\r\n\r\n{"allowed":true}',
      );
    }),
  );
  const bridge = await Program.serve(await Site.create(gate(url)));
  expect(await bridge.ask(REQUEST)).toBe("DUNNO");
  expect(heard).toMatch(/^POST \/check HTTP\/1\.1\r\n/);
  const line = await bridge.logged({ msg: "decision" });
  expect(heard.toLowerCase()).toContain(`\r\nx-request-id: ${line.request_id}\r\n`);
});
