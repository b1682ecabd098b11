/** The systemd units: what systemd itself says of them, and what they must not say. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { isMissing } from "../support/requirement.ts";

const FOLDER = resolve(import.meta.dirname, "../../deploy/systemd");
const NEEDS = isMissing("systemd", "tests of the units");
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
