/** The systemd units: what systemd itself says of them, and what they must not say. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { COMMAND, run, Site } from "../commands/program.ts";
import { isMissing } from "../support/requirement.ts";
import { freePort } from "../support/temporary.ts";

const FOLDER = resolve(import.meta.dirname, "../../deploy/systemd");
const NEEDS = isMissing("systemd", "tests of the units");
const NO_STRACE = isMissing("strace", "tests of the sandbox");
/** `systemd-analyze security` gives tenths of a point. */
const MOST_EXPOSED = 20;

function unit(name: string): readonly string[] {
  return readFileSync(resolve(FOLDER, name), "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
}

function values(name: string, key: string): readonly string[] {
  const prefix = `${key}=`;
  return unit(name)
    .filter((line) => line.startsWith(prefix))
    .map((line) => line.slice(prefix.length));
}

/** By the unit's filter: its lists in order, each added or, with `~`, taken away (systemd.exec(5)). */
async function permittedCalls(): Promise<ReadonlySet<string>> {
  const permitted = new Set<string>();
  for (const list of values("pfxbridge.service", "SystemCallFilter")) {
    const isTakenAway = list.startsWith("~");
    for (const group of list.replace("~", "").split(" ")) {
      for (const call of await callsOf(group)) {
        if (isTakenAway) permitted.delete(call);
        else permitted.add(call);
      }
    }
  }
  return permitted;
}

async function callsOf(group: string): Promise<readonly string[]> {
  const { stdout } = await promisify(execFile)("systemd-analyze", ["syscall-filter", "--no-pager", group]);
  const lines = stdout.split("\n").slice(1);
  const members = lines.map((line) => line.trim()).filter((line) => line !== "" && !line.startsWith("#"));
  const calls = members.map((member) => (member.startsWith("@") ? callsOf(member) : [member]));
  return (await Promise.all(calls)).flat();
}

describe("the units", () => {
  it.skipIf(NEEDS)("have a sandbox that systemd calls tight", async () => {
    const args = ["security", "--offline=true", `--threshold=${MOST_EXPOSED}`, "--no-pager"];
    // Above the threshold it fails.
    const { stdout } = await promisify(execFile)("systemd-analyze", [
      ...args,
      resolve(FOLDER, "pfxbridge.service"),
    ]);
    expect(stdout).toMatch(/Overall exposure level for pfxbridge.service: [01]\.\d OK/);
  });

  it.skipIf(NEEDS)("are understood by systemd", async () => {
    const files = ["pfxbridge.service", "pfxbridge.socket"].map((name) => resolve(FOLDER, name));
    const { stderr } = await promisify(execFile)("systemd-analyze", ["verify", "--man=no", ...files]).catch(
      (error: { stderr: string }) => error,
    );
    const problems = stderr
      .split("\n")
      // What it starts is not installed where the tests run.
      .filter((line) => line.includes("pfxbridge") && !line.includes("is not executable"));
    expect(problems).toEqual([]);
  });

  it.skipIf(NEEDS || NO_STRACE)(
    "allow what the bridge asks of the system",
    async () => {
      const site = await Site.create({});
      const port = await freePort();
      await site.write("pfxbridge.yaml", {
        listen: [`inet:127.0.0.1:${port}`, `unix:${site.path("policy")}`],
        control: `unix:${site.path("control")}`,
        workers: 2,
        services: { corp: { url: "http://127.0.0.1:1/", cache: { store: `lmdb:${site.path("lmdb")}` } } },
        log: { file: site.path("log") },
      });
      const trace = site.path("trace");
      const bridge = [process.execPath, COMMAND, "serve", "-c", site.config];
      const child = spawn("strace", ["-f", "-qq", "-o", trace, ...bridge], { stdio: "ignore" });
      const ended = once(child, "exit");
      onTestFinished(() => void child.kill("SIGKILL"));
      const status = async () => JSON.parse((await run(["status", "-c", site.config, "--json"])).stdout);
      const { pid } = await vi.waitFor(status, { timeout: 30_000, interval: 200 });
      const { stdout } = await run(["try", "--to", `inet:127.0.0.1:${port}`, "sender=a@b.example"]);
      expect(stdout).toContain("action=");
      process.kill(pid, "SIGTERM");
      await ended;

      const calls = readFileSync(trace, "utf8").matchAll(/^\d+ +(?:<\.\.\. )?([a-z_0-9]+)[( ]/gm);
      const used = new Set([...calls].map(([, name]) => name));
      expect(used.size).toBeGreaterThan(50);
      const permitted = await permittedCalls();
      expect([...used].filter((name) => !permitted.has(name ?? ""))).toEqual([]);
    },
    60_000,
  );

  it("allow V8 to make machine code", () => {
    expect(values("pfxbridge.service", "MemoryDenyWriteExecute")).toEqual([]);
  });

  it("do not pull each other up and down", () => {
    for (const name of ["pfxbridge.service", "pfxbridge.socket"]) {
      for (const key of ["Requires", "BindsTo", "PartOf", "Requisite"]) expect(values(name, key)).toEqual([]);
    }
  });

  it("keep systemd's sockets out of the folder that goes with the service", () => {
    const sockets = values("pfxbridge.socket", "ListenStream");
    expect(sockets).not.toEqual([]);
    for (const folder of values("pfxbridge.service", "RuntimeDirectory")) {
      expect(sockets.filter((socket) => socket.startsWith(`/run/${folder}/`))).toEqual([]);
    }
  });
});
