import { chmod, mkdir, readdir, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { StateFile } from "../../src/control/state-file.ts";
import { temporaryFolder } from "../support/temporary.ts";

let folder: string;
let path: string;
beforeEach(async () => {
  const temporary = await temporaryFolder();
  folder = temporary.path;
  path = join(folder, "state.json");
  onTestFinished(() => temporary.remove());
});

const SNAPSHOT = {
  all: { since: 1, until: null, by: "alice", except: ["other"] },
  services: { corp: { since: 2, until: 3, by: "bob" } },
};

describe("a state file", () => {
  it("gives back what was saved, readable for its owner alone, and leaves nothing else", async () => {
    expect(await new StateFile(path).save(SNAPSHOT)).toBeUndefined();
    expect(await new StateFile(path).load()).toEqual(SNAPSHOT);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(["state.json"]);
  });

  it("holds the last of many saves", async () => {
    const file = new StateFile(path);
    const empty = { all: null, services: {} };
    await Promise.all([...Array(20)].map((_, n) => file.save(n === 19 ? SNAPSHOT : empty)));
    expect(await file.load()).toEqual(SNAPSHOT);
  });

  it("is nothing where there is none", async () => {
    expect(await new StateFile(path).load()).toBeUndefined();
    expect(await new StateFile(path).problem()).toBeUndefined();
  });

  it.each([
    ["is no JSON", () => writeFile(path, "{", { mode: 0o600 })],
    ["is empty", () => writeFile(path, "", { mode: 0o600 })],
    ["holds something else", () => writeFile(path, '{"version":2}', { mode: 0o600 })],
    [
      "could have been written by others",
      async () => {
        await new StateFile(path).save(SNAPSHOT);
        await chmod(path, 0o666);
      },
    ],
    [
      "is a link",
      async () => {
        await new StateFile(join(folder, "other")).save(SNAPSHOT);
        await symlink(join(folder, "other"), path);
      },
    ],
    ["is a folder", () => mkdir(path)],
  ])("that %s is not used, and says why", async (_, make) => {
    await make();
    expect(await new StateFile(path).load()).toEqual({ problem: expect.stringContaining(path) });
  });

  it("takes over what was kept elsewhere, once", async () => {
    const former = join(folder, "former.json");
    await new StateFile(former).save(SNAPSHOT);
    expect(await new StateFile(path, former).load()).toEqual(SNAPSHOT);
    expect(await new StateFile(path).load()).toEqual(SNAPSHOT);
    const empty = { all: null, services: {} };
    await new StateFile(path, former).save(empty);
    expect(await new StateFile(path, former).load()).toEqual(empty);
  });

  it("that cannot be written says so, and what to do", async () => {
    const file = new StateFile(join(folder, "missing", "state.json"));
    expect(await file.problem()).toContain("set control.state");
    expect(await file.save(SNAPSHOT)).toContain("ENOENT");
  });
});
