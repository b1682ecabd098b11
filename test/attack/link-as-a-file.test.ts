/** Whoever owns the folder of a log, a state file or a store has put links there, so that root writes to other files. */
import { linkSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Program, run, Site } from "../commands/program.ts";
import { ANY_PORT, permitting } from "../commands/services.ts";
import { giveToAttacker, mustSkip } from "./attacker.ts";

const PRECIOUS = "root's own\n";

describe.skipIf(mustSkip("links in place of files"))("a file of root's that a link leads to", () => {
  /** A folder that is the attacker's, in a site of root's, beside a file of root's. */
  async function place(): Promise<{ site: Site; folder: string; precious: string }> {
    const site = await Site.create({}, 0o755);
    const folder = site.path("theirs");
    mkdirSync(folder);
    const precious = site.path("precious");
    writeFileSync(precious, PRECIOUS);
    giveToAttacker(folder);
    return { site, folder, precious };
  }

  it.each([
    ["a link", symlinkSync],
    ["a second name", linkSync],
  ])("is not written to by way of %s in place of log.file", async (_, link) => {
    const { site, folder, precious } = await place();
    link(precious, `${folder}/log`);
    await site.write("pfxbridge.yaml", {
      listen: ANY_PORT,
      routes: [{ action: "DUNNO" }],
      log: { file: `${folder}/log` },
    });
    const { status, stderr } = await run(["serve", "-c", site.config]);
    expect(status).toBe(1);
    expect(stderr).toContain(`log.file: ${folder}/log cannot be opened for writing`);
    expect(readFileSync(precious, "utf8")).toBe(PRECIOUS);
  });

  it("is not replaced by the state file", async () => {
    const { site, folder } = await place();
    mkdirSync(site.path("roots"));
    const precious = site.path("roots/state.json");
    writeFileSync(precious, PRECIOUS);
    symlinkSync("../roots", `${folder}/link`);
    await site.write("pfxbridge.yaml", {
      listen: ANY_PORT,
      services: { corp: { url: (await permitting()).url } },
      control: { endpoint: `unix:${site.path("control")}`, state: `${folder}/link/state.json` },
    });
    await Program.serve(site);
    const { stdout, stderr } = await run(["offline", "-c", site.config]);
    expect(stdout + stderr).toContain("is a link that others than root can change");
    expect(readFileSync(precious, "utf8")).toBe(PRECIOUS);
  });

  it("gets no files beside it, by way of a link in place of the folder of what was to be forgotten", async () => {
    const { site, folder } = await place();
    mkdirSync(site.path("roots"));
    await site.write("pfxbridge.yaml", {
      listen: ANY_PORT,
      services: { corp: { url: (await permitting()).url, cache: { store: "memory" } } },
      control: { endpoint: `unix:${site.path("control")}`, state: `${folder}/state.json` },
    });
    symlinkSync("../roots", `${folder}/state.forgotten-corp`);
    const bridge = await Program.serve(site);
    const { status, stdout, stderr } = await run(["forget", "-c", site.config, "sender=a@example.net"]);
    expect(`${status} ${stdout}${stderr}${bridge.stdout}`).toMatch(
      /state\.forgotten-corp.*(?:so root does not use it|others can put files)/,
    );
    expect(readdirSync(site.path("roots"))).toEqual([]);
  });

  it.each(["cache.lmdb", "cache.lmdb-lock"])("is not taken for %s", async (name) => {
    const { site, folder, precious } = await place();
    symlinkSync(precious, `${folder}/${name}`);
    await site.write("pfxbridge.yaml", {
      listen: ANY_PORT,
      services: { corp: { url: (await permitting()).url, cache: { store: `lmdb:${folder}/cache.lmdb` } } },
    });
    const bridge = await Program.serve(site);
    expect(bridge.log).toContainEqual(
      expect.objectContaining({ level: "error", reason: expect.stringContaining("set user:") }),
    );
    expect(readFileSync(precious, "utf8")).toBe(PRECIOUS);
  });
});
