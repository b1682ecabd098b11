/** Commands to a running bridge, over its control socket: offline, online, status, and how long a switch holds. */
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Status } from "../../src/control/controls.ts";
import { freePort } from "../support/temporary.ts";
import { COMMAND, Program, run, Site, until } from "./program.ts";
import { ANY_PORT, GATE, permitting } from "./services.ts";

const REQUEST = { sender: "a@example.net", recipient: "b@example.org" };
const DEFER = "DEFER 4.3.0 Authorization service unavailable, please try again later";

interface Running {
  readonly site: Site;
  readonly bridge: Program;
  /** A command to this bridge. */
  command(...args: string[]): ReturnType<typeof run>;
  status(): Promise<Status>;
}

async function start(more: Readonly<Record<string, unknown>> = {}): Promise<Running> {
  const { url } = await permitting();
  const corp = { url, mapping: "./gate.yaml" };
  const site = await Site.create({ "gate.yaml": GATE });
  const config = { listen: ANY_PORT, control: `unix:${site.path("control")}`, services: { corp }, ...more };
  await site.write("pfxbridge.yaml", config);
  return running(site, await Program.serve(site));
}

function running(site: Site, bridge: Program): Running {
  const command = (name = "", ...args: string[]) => run([name, "-c", site.config, ...args]);
  const status = async () => JSON.parse((await command("status", "--json")).stdout) as Status;
  return { site, bridge, command, status };
}

/** The same bridge again, after its end. */
const restart = async ({ site }: Running) => running(site, await Program.serve(site));

describe("offline and online", () => {
  it("switch a running bridge, and the log says who did it", async () => {
    const { bridge, command } = await start();
    expect(await bridge.ask(REQUEST)).toBe("DUNNO");
    expect(await command("offline", "corp")).toEqual({
      status: 0,
      stdout: "corp: offline until switched back\n",
      stderr: "",
    });
    expect(await bridge.ask(REQUEST)).toBe(DEFER);
    expect(await bridge.logged({ msg: "decision", source: "default" })).toMatchObject({
      cause: "offline",
      attempts: 0,
    });
    expect((await command("online")).stdout).toBe("corp: online\n");
    expect(await bridge.ask(REQUEST)).toBe("DUNNO");
    const by = expect.stringMatching(/^\w/);
    expect(
      await bridge.logged({ msg: "switched offline by hand: no calls are made", until: null }),
    ).toMatchObject({ services: ["corp"], by });
    expect(await bridge.logged({ msg: "switched online by hand", services: "all" })).toMatchObject({ by });
  });

  it("hold for one service alone", async () => {
    const { url } = await permitting();
    const services = { corp: { url, mapping: "./gate.yaml" }, other: { url, mapping: "./gate.yaml" } };
    const routes = [{ when: 'sender == "o@example.net"', service: "other" }, { service: "corp" }];
    const { bridge, command } = await start({ services, routes });
    await command("offline", "corp");
    expect(await bridge.ask(REQUEST)).toBe(DEFER);
    expect(await bridge.ask({ ...REQUEST, sender: "o@example.net" })).toBe("DUNNO");
  });

  it("end by themselves with --for", async () => {
    const { bridge, command, site } = await start();
    const { stdout } = await command("offline", "--for", "1500ms");
    expect(stdout).toMatch(/^corp: offline until (\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d\n$/);
    expect(await bridge.ask(REQUEST)).toBe(DEFER);
    await until("the end of it", async () => (await bridge.ask(REQUEST)) === "DUNNO");
    await bridge.logged({
      msg: "the time of a switch by hand is over: online again, but for what others keep offline",
    });
    const kept = async () => JSON.parse(await readFile(site.path("control.state.json"), "utf8")).offline;
    await until("the state file", async () => (await kept()).all === null);
  });

  it("do not overrule the configuration, and say so", async () => {
    const { bridge, command } = await start({ offline: ["corp"] });
    const { status, stdout } = await command("online", "corp");
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: 'corp: offline, as "offline" in the configuration says; change it there, then reload\n',
    });
    expect(await bridge.ask(REQUEST)).toBe(DEFER);
  });
});

describe("a switch by hand", () => {
  it.each(["SIGTERM", "SIGKILL"] as const)("holds across a restart after %s", async (signal) => {
    const first = await start();
    await first.command("offline", "corp", "--for", "2h");
    const before = (await first.status()).services[0]?.offline;
    first.bridge.signal(signal);
    await first.bridge.ended;
    const second = await restart(first);
    expect((await second.status()).services[0]?.offline).toEqual(before);
    expect(await second.bridge.ask(REQUEST)).toBe(DEFER);
    await second.bridge.logged({ msg: "still switched offline by hand, as before the restart" });
    await second.command("online");
    expect(await second.bridge.ask(REQUEST)).toBe("DUNNO");
  });

  it.skipIf(process.geteuid?.() !== 0)("holds across a restart that empties /run", async () => {
    const folder = await mkdtemp("/run/pfxbridge-");
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const state = await Site.create({});
    const { url } = await permitting();
    const site = await Site.create({
      "gate.yaml": GATE,
      "pfxbridge.yaml": {
        listen: ANY_PORT,
        control: `unix:${folder}/control`,
        services: { corp: { url, mapping: "./gate.yaml" } },
      },
    });
    const serve = async () => {
      const bridge = new Program(["serve", "-c", site.config], { env: { STATE_DIRECTORY: state.folder } });
      await bridge.logged({ msg: "started" });
      return bridge;
    };
    const first = await serve();
    expect((await run(["offline", "corp", "-c", site.config])).stderr).toBe("");
    first.signal("SIGTERM");
    await first.ended;
    await rm(folder, { recursive: true });
    await mkdir(folder, { mode: 0o755 });
    expect(await (await serve()).ask(REQUEST)).toBe(DEFER);
    expect((await stat(state.path("pfxbridge.state.json"))).mode & 0o777).toBe(0o600);
  });

  it("holds across a reload", async () => {
    const { bridge, command, site } = await start();
    await command("offline", "corp");
    const text = await readFile(site.config, "utf8");
    await site.write("pfxbridge.yaml", `${text}log: { level: debug }\n`);
    bridge.signal("SIGHUP");
    await bridge.logged({ msg: "configuration loaded again" });
    expect(await bridge.ask(REQUEST)).toBe(DEFER);
    expect((await command("online")).status).toBe(0);
    expect(await bridge.ask(REQUEST)).toBe("DUNNO");
  });

  it("is kept in a file that only the bridge's user can read", async () => {
    const { command, site } = await start();
    await command("offline");
    expect((await stat(site.path("control.state.json"))).mode & 0o777).toBe(0o600);
  });

  it("that cannot be kept still holds, and whoever made it is warned, as is the log at the start", async () => {
    const site = await Site.create({});
    const control = {
      endpoint: `unix:${site.path("control")}`,
      state: site.path("missing/state.json"),
    };
    const { bridge, command } = await start({ control });
    await bridge.logged({ msg: "a restart will forget what is switched offline by hand" });
    const { status, stderr } = await command("offline", "corp");
    expect(status).toBe(0);
    expect(stderr).toMatch(/^pfxbridge: a restart will forget this: .*set control.state/);
    expect(await bridge.ask(REQUEST)).toBe(DEFER);
  });

  it("that was kept in a file gone bad is forgotten with a warning, and the bridge starts", async () => {
    const first = await start();
    first.bridge.signal("SIGTERM");
    await first.bridge.ended;
    await writeFile(first.site.path("control.state.json"), '{"version":1,"offline":', { mode: 0o600 });
    const { bridge } = await restart(first);
    expect(await bridge.ask(REQUEST)).toBe("DUNNO");
    await bridge.logged({ msg: "what was switched by hand before the restart is forgotten" });
  });
});

describe("status", () => {
  it("shows services, circuits, listeners and decisions", async () => {
    const { bridge, status } = await start();
    await bridge.ask(REQUEST);
    const shown = await status();
    expect(shown).toMatchObject({
      version: expect.stringMatching(/^\d+\./),
      pid: bridge.child.pid,
      listeners: [{ endpoint: bridge.endpoints[0], requests: 1 }],
      decisions: { upstream: 1, cache: 0, stale: 0, route: 0, default: 0 },
      services: [
        {
          name: "corp",
          mode: "online",
          offline: null,
          trouble: null,
          circuits: [{ state: "closed" }],
          in_flight: 0,
          cache: null,
        },
      ],
    });
    expect(shown.services[0]).not.toHaveProperty("default_action");
  });

  it("says in an outage what is down, since when, and what is answered now", async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const breaker = { minimum_calls: 1, open_for: "1h" };
    const corp = { url, mapping: "./gate.yaml", retry: { attempts: 1 }, breaker, on_failure: "fail-open" };
    const { bridge, command, status } = await start({ services: { corp } });
    expect(await bridge.ask(REQUEST)).toBe("DUNNO");
    expect((await status()).services[0]).toMatchObject({
      trouble: "circuits",
      circuits: [{ url, state: "open", last_failure: expect.stringContaining("refused") }],
      failure: { cause: "unreachable" },
      default_action: "DUNNO",
    });
    const { stdout } = await command("status");
    expect(stdout).toMatch(/^corp +DOWN since \d\d:\d\d:\d\d \(\d+ s ago\)$/m);
    expect(stdout).toMatch(/^ +answered now: DUNNO$/m);
    expect(stdout.split("\n").filter((line) => line.length > 80)).toEqual([]);
  });

  it("does not show secrets that a failure repeats", async () => {
    const services = {
      corp: {
        url: "http://127.0.0.1:1/hunter2",
        mapping: "./gate.yaml",
        auth: { bearer: "hunter2" },
        breaker: { minimum_calls: 1 },
      },
    };
    const { bridge, command } = await start({ services });
    await bridge.ask(REQUEST);
    expect((await command("status", "--json")).stdout).not.toContain("hunter2");
  });
});

describe("a token", () => {
  const secured = async () => {
    const port = await freePort();
    const site = await Site.create({ token: "s3cret-token\n", wrong: "another-token\n" });
    const control = {
      endpoint: `inet:127.0.0.1:${port}`,
      token: { file: site.path("token") },
      state: site.path("state.json"),
    };
    return { ...(await start({ control })), place: `inet:127.0.0.1:${port}`, tokens: site };
  };

  it("comes from the configuration, or from a file beside --control", async () => {
    const { command, place, tokens } = await secured();
    expect((await command("status")).status).toBe(0);
    const named = await run(["status", "--control", place, "--token-file", tokens.path("token")]);
    expect(named.status).toBe(0);
  });

  it("that is missing or wrong is refused", async () => {
    const { bridge, place, tokens } = await secured();
    for (const shown of [[], ["--token-file", tokens.path("wrong")]]) {
      const { status, stderr } = await run(["offline", "--control", place, ...shown]);
      expect(status).toBe(1);
      expect(stderr).toMatch(/^pfxbridge: a token is needed/);
    }
    expect(await bridge.ask(REQUEST)).toBe("DUNNO");
  });

  it("changes with a reload", async () => {
    const { bridge, command, tokens, place } = await secured();
    await tokens.write("old", "s3cret-token");
    await tokens.write("token", "a-new-token");
    bridge.signal("SIGHUP");
    await bridge.logged({ msg: "configuration loaded again" });
    expect((await command("status")).status).toBe(0);
    const old = await run(["status", "--control", place, "--token-file", tokens.path("old")]);
    expect(old.status).toBe(1);
  });
});

describe("the control socket", () => {
  it("belongs to one bridge: a second one does not start, the first one stays reachable", async () => {
    const first = await start();
    const second = await run(["serve", "-c", first.site.config]);
    expect(second.status).toBe(1);
    expect(second.stderr).toMatch(/^pfxbridge: control: cannot listen on .*another process answers/);
    expect((await first.command("status")).status).toBe(0);
  });

  it("is gone after the end", async () => {
    const { bridge, site } = await start();
    bridge.signal("SIGTERM");
    expect(await bridge.ended).toBe(0);
    await expect(stat(site.path("control"))).rejects.toThrow("ENOENT");
  });

  it("stays where it is on reload, and the log says that another one needs a restart", async () => {
    const { bridge, site } = await start();
    const text = await readFile(site.config, "utf8");
    await site.write("pfxbridge.yaml", text.replace("/control", "/elsewhere"));
    bridge.signal("SIGHUP");
    await bridge.logged({ msg: "what has changed under control, but for the token, needs a restart" });
    expect((await run(["status", "--control", `unix:${site.path("control")}`])).status).toBe(0);
  });
});

describe("the help", () => {
  const help = spawnSync(process.execPath, [COMMAND, "-h"], { encoding: "utf8" }).stdout;
  const commands = [...help.matchAll(/^ {2}([a-z]+) +\S/gm)].map(([, name = ""]) => name);

  it("names commands", () => expect(commands.length).toBeGreaterThan(10));

  it.each(commands)("of %s fits in 80 columns", async (name) => {
    const { status, stdout } = await run([name, "-h"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(new RegExp(`^Usage: pfxbridge ${name}`));
    expect(stdout.split("\n").filter((line) => line.length > 80)).toEqual([]);
  });
});

describe("a command that cannot be carried out says why", () => {
  it.each([
    ["no bridge is running", ["status"], 1, /no bridge is running: there is no socket unix:.*control/],
    ["a wrong time", ["offline", "--for", "2 hours"], 2, /--for: expected a duration/],
    ["forgetting nothing in particular", ["forget"], 2, /say what to forget: .*--all/],
    ["forgetting all and some", ["forget", "--all", "sender=a"], 2, /leave out what stands beside it/],
    ["no attribute", ["forget", "mallory"], 2, /expected NAME=VALUE/],
    ["cache without a word", ["cache"], 2, /expected `cache export/],
    ["a file that is not there", ["cache", "load", "/nowhere/at/all"], 1, /ENOENT|no bridge is running/],
  ])("%s", async (_, args, status, message) => {
    const site = await Site.create({});
    await site.write("pfxbridge.yaml", { control: `unix:${site.path("control")}` });
    const [name = "", ...rest] = args;
    const ended = await run([name, "-c", site.config, ...rest]);
    expect(ended.status).toBe(status);
    expect(ended.stderr).toMatch(message);
    expect(ended.stdout).toBe("");
  });

  it("the configuration has no control", async () => {
    const site = await Site.create({ "pfxbridge.yaml": "routes: [{ action: DUNNO }]" });
    const { status, stderr } = await run(["status", "-c", site.config]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/has no "control".*add control: unix:/);
  });

  it("there is no such service, and the nearest one is named", async () => {
    const { command } = await start();
    const { status, stderr } = await command("offline", "crop");
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: 'pfxbridge: there is no service "crop"; did you mean "corp"?\n',
    });
  });

  it("there is no such attribute: a blocked account would stay permitted", async () => {
    const { command } = await start();
    const { status, stderr } = await command("forget", "sasl_usernam=mallory");
    expect(status).toBe(1);
    expect(stderr).toContain('did you mean "sasl_username"?');
  });

  it("nothing is remembered", async () => {
    const { command } = await start();
    const { status, stderr } = await command("cache", "export");
    expect(status).toBe(1);
    expect(stderr).toContain("no service remembers decisions");
  });
});
