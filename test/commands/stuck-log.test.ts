/** A log that takes nothing, in every way that one can: decisions, a reload and the end do not wait for it. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, openSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { PolicyClient } from "../support/policy-client.ts";
import { COMMAND, run, Site, until } from "./program.ts";
import { gone, isAlive, REQUEST } from "./workers.ts";

/** What the machine may take for what takes no time, in milliseconds. */
const SLACK = 8_000;
/** Of each decision's line, so that few of them fill what there is to fill. */
const LONG = "x".repeat(3500);

interface Way {
  readonly name: string;
  /** Makes it so, and starts the bridge with a log like that. */
  start(site: Site): Promise<ChildProcess>;
  /** `log` of the configuration. */
  readonly log?: object;
}

function serve(site: Site, stdio: readonly (number | "ignore" | "pipe")[]): ChildProcess {
  return ended(spawn(process.execPath, [COMMAND, "serve", "-c", site.config], { stdio: [...stdio] }));
}

function ended(child: ChildProcess): ChildProcess {
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  });
  return child;
}

function pipe(site: Site): string {
  expect(spawnSync("mkfifo", [site.path("pipe")]).status).toBe(0);
  return site.path("pipe");
}

const WAYS: readonly Way[] = [
  {
    name: "a pipe that is not read any more",
    start: async (site) => {
      const path = pipe(site);
      const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
      onTestFinished(() => closeSync(reader));
      const writer = openSync(path, "a");
      const child = serve(site, ["ignore", writer, writer]);
      closeSync(writer);
      return child;
    },
  },
  {
    name: "a socket that is not read any more",
    start: async (site) => {
      const child = serve(site, ["ignore", "pipe", "pipe"]);
      child.stdout?.pause();
      child.stderr?.pause();
      return child;
    },
  },
  {
    name: "a pipe that is closed",
    start: async (site) => {
      const child = serve(site, ["ignore", "pipe", "ignore"]);
      child.stdout?.once("data", () => child.stdout?.destroy());
      return child;
    },
  },
  {
    name: "a named pipe that nobody reads",
    log: { file: "pipe" },
    start: async (site) => {
      pipe(site);
      return serve(site, ["ignore", "ignore", "ignore"]);
    },
  },
  {
    name: "a full disk",
    log: { file: "disk/log" },
    start: async (site) => {
      const disk = site.path("disk");
      const command = `mkdir ${disk} && mount -t tmpfs -o size=64k tmpfs ${disk}`;
      if (spawnSync("sh", ["-c", command]).status === 0)
        onTestFinished(() => void spawnSync("umount", [disk]));
      // Without the rights to mount: a file that is always full.
      else await site.write("pfxbridge.yaml", configOf(site, { log: { file: "/dev/full" } }));
      return serve(site, ["ignore", "ignore", "ignore"]);
    },
  },
  {
    name: "a terminal that is held",
    start: async (site) => {
      const command = `exec ${process.execPath} ${COMMAND} serve -c ${site.config}`;
      const terminal = ended(
        spawn("script", ["-qc", command, "/dev/null"], { stdio: ["pipe", "ignore", "ignore"] }),
      );
      // Ctrl-S.
      terminal.stdin?.write("\x13");
      return terminal;
    },
  },
];

const MODULE = `import { writeSync } from "node:fs";
  export const toRequest = () => {
    // As a library in C does.
    try { writeSync(2, "printed ".repeat(500)); } catch {}
    console.log("printed");
    return { path: "/" };
  };
  export const toAction = () => "DUNNO";`;

function configOf(site: Site, more: object): object {
  return {
    listen: [`unix:${site.path("policy")}`],
    control: `unix:${site.path("control")}`,
    services: { corp: { url: "http://127.0.0.1:1", mapping: "./module.mjs", deadline: "200ms" } },
    routes: [{ when: 'sender == "asks"', service: "corp", on_failure: "DEFER asked" }, { action: "DUNNO" }],
    ...more,
  };
}

async function connect(site: Site): Promise<PolicyClient> {
  const client = await until("an endpoint", () =>
    PolicyClient.connect({ kind: "unix", path: site.path("policy") }).catch(() => undefined),
  );
  onTestFinished(() => client.end());
  return client;
}

async function within<T>(milliseconds: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${milliseconds} ms`)), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Whatever has become of the processes until then. */
async function killed(...pids: number[]): Promise<void> {
  for (const pid of pids.filter(isAlive)) process.kill(pid, "SIGKILL");
  await gone(...pids);
}

interface Pids {
  readonly pid: number;
  readonly workers?: readonly { readonly pid: number }[];
}

describe.each(WAYS)("$name", { timeout: 60_000 }, ({ start, log = {} }) => {
  describe.each([1, 2])("with workers: %i", (workers) => {
    async function stuck() {
      const site = await Site.create({ "module.mjs": MODULE });
      const config = configOf(site, { workers, log: { format: "json", ...log } });
      await site.write("pfxbridge.yaml", config);
      const child = await start(site);
      const client = await connect(site);
      const ask = (sender: string) =>
        within(SLACK, "a decision", client.ask({ ...REQUEST, sender, queue_id: LONG }));
      for (let count = 0; count < 100; count++) expect(await ask("any@example.net")).toBe("DUNNO");
      expect(await ask("asks")).toBe("DEFER asked");
      const status = await run(["status", "--json", "-c", site.config]);
      const pids = JSON.parse(status.stdout) as Pids;
      onTestFinished(() => killed(pids.pid, ...(pids.workers ?? []).map(({ pid }) => pid)));
      return { site, config, child, ask, pids };
    }

    it("holds up no decision, no reload and not the end", async () => {
      const { site, config, child, ask, pids } = await stuck();
      await site.write("pfxbridge.yaml", { ...config, routes: [{ action: "REJECT" }] });
      process.kill(pids.pid, "SIGHUP");
      await within(
        SLACK + 2_000,
        "the reload",
        until("the reload", async () => (await ask("any")) === "REJECT" || undefined),
      );
      for (let count = 0; count < 20; count++) expect(await ask("any@example.net")).toBe("REJECT");
      const exited = once(child, "exit");
      process.kill(pids.pid, "SIGTERM");
      // The deadline and what goes with it, and two seconds.
      const [status, signal] = await within(2_700 + SLACK, "the end", exited);
      expect({ status, signal }).toEqual({ status: 0, signal: null });
    });

    it.runIf(workers > 1)("nor does it keep workers whose supervisor has gone", async () => {
      const { pids } = await stuck();
      process.kill(pids.pid, "SIGKILL");
      await within(2_700 + SLACK, "the end", gone(...(pids.workers ?? []).map(({ pid }) => pid)));
    });
  });
});

it("a bridge that cannot start ends, whatever its log and standard error do", async () => {
  const site = await Site.create({});
  const path = pipe(site);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  onTestFinished(() => {
    closeSync(reader);
    closeSync(writer);
  });
  await writeFile(path, "x".repeat(64 * 1024), { flag: "a" });
  await site.write("broken.mjs", "throw new Error('no');");
  const services = { corp: { url: "http://127.0.0.1:1", mapping: "./broken.mjs" } };
  await site.write("pfxbridge.yaml", { listen: [`unix:${site.path("policy")}`], services });
  const child = serve(site, ["ignore", writer, writer]);
  const [status] = await within(2_700 + SLACK, "the end", once(child, "exit"));
  expect(status).toBe(1);
}, 30_000);

describe("a command whose output nobody takes", () => {
  const MANY = Array.from({ length: 900 }, (_, number) => ({ name: `${number} ${"x".repeat(120)}` }));
  const mapping = {
    request: { method: "GET", path: "/" },
    response: [{ when: "status == 200", action: "DUNNO" }],
    examples: MANY.map(({ name }) => ({
      name,
      request: { sender: "a@example.net" },
      reply: { status: 200 },
      action: "DUNNO",
    })),
  };

  it("for its reader has gone, ends as it would have, with nothing on standard error", async () => {
    const site = await Site.create({ "mine.yaml": mapping });
    const shell = `${process.execPath} ${COMMAND} check ./mine.yaml | head -1; exit \${PIPESTATUS[0]}`;
    const { status, stdout, stderr } = spawnSync("bash", ["-c", shell], {
      cwd: site.folder,
      encoding: "utf8",
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toContain("mapping ./mine.yaml");
  });

  it("at once is complete for a reader that is slow", async () => {
    const site = await Site.create({ "mine.yaml": mapping });
    const shell = `${process.execPath} ${COMMAND} check ./mine.yaml | (sleep 1; cat)`;
    const { stdout } = spawnSync("bash", ["-c", shell], { cwd: site.folder, encoding: "utf8" });
    expect(stdout.match(/✓/g)).toHaveLength(MANY.length);
    expect(stdout).toContain("900 examples passed, 0 failed");
  });

  it("for its reader has stopped, does not wait for ever", async () => {
    const site = await Site.create({ "mine.yaml": mapping });
    const path = pipe(site);
    const both = openSync(path, constants.O_RDWR);
    const child = ended(
      spawn(process.execPath, [COMMAND, "check", "./mine.yaml"], {
        cwd: site.folder,
        stdio: ["ignore", both, "ignore"],
      }),
    );
    closeSync(both);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    onTestFinished(() => closeSync(reader));
    const [status] = await within(10_000 + 2 * SLACK, "the end", once(child, "exit"));
    expect(status).toBe(0);
    await rm(path);
  }, 30_000);
});
