/** Whoever owns the folder of a socket puts a link in its place, so that root gives him the file that it leads to. */
import { chmodSync, lstatSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Program, Site } from "../commands/program.ts";
import { ANY_PORT } from "../commands/services.ts";
import { ATTACKER, attack, attackerId, giveToAttacker, mustSkip } from "./attacker.ts";

const STARTS = 6;

describe.skipIf(mustSkip("swaps of a socket"))("a link in place of a socket that root has just made", () => {
  it.each(["listen", "control"])("gets the attacker nothing under %s", async (key) => {
    const site = await Site.create({}, 0o755);
    const folder = site.path("private");
    const loot = site.path("loot");
    mkdirSync(folder, { mode: 0o700 });
    giveToAttacker(folder);
    writeFileSync(loot, "root's", { mode: 0o600 });
    const rights = { endpoint: `unix:${folder}/policy`, mode: "0666", owner: ATTACKER };
    await site.write("pfxbridge.yaml", {
      listen: key === "listen" ? [rights] : ANY_PORT,
      ...(key === "control" && { control: { ...rights, state: site.path("state.json") } }),
      routes: [{ action: "DUNNO" }],
    });
    // Whatever appears, the socket or what it is made in, is taken away and a link put there.
    await attack(`
      const fs = require("node:fs"), folder = ${JSON.stringify(folder)}, loot = ${JSON.stringify(loot)};
      const quietly = (act) => { try { act(); } catch {} };
      for (let n = 0; ; n++) for (const name of fs.readdirSync(folder)) quietly(() => {
        const path = folder + "/" + name;
        const there = fs.lstatSync(path);
        if (there.isSocket()) { fs.unlinkSync(path); fs.symlinkSync(loot, path); }
        if (name.startsWith(".pfxbridge-") && there.isDirectory() && there.uid === 0) {
          fs.renameSync(path, folder + "/taken-" + n);
          fs.mkdirSync(path);
          for (const link of ["policy", "socket"]) fs.symlinkSync(loot, path + "/" + link);
        }
      });
    `);
    for (let start = 0; start < STARTS; start++) {
      const bridge = new Program(["serve", "-c", site.config]);
      await Promise.race([bridge.logged({ msg: "started" }), bridge.ended]);
      bridge.child.kill("SIGKILL");
      await bridge.ended;
      const { uid, mode } = statSync(loot);
      expect({ uid, mode: mode & 0o777 }).toEqual({ uid: 0, mode: 0o600 });
    }
  });

  it("leaves a socket with its rights, and nothing else, where nobody attacks", async () => {
    const site = await Site.create({}, 0o755);
    const folder = site.path("private");
    mkdirSync(folder, { mode: 0o700 });
    giveToAttacker(folder);
    const endpoint = `unix:${folder}/policy`;
    await site.write("pfxbridge.yaml", {
      listen: [{ endpoint, mode: "0660", owner: ATTACKER }],
      routes: [{ action: "DUNNO" }],
      user: ATTACKER,
    });
    const bridge = new Program(["serve", "-c", site.config]);
    await bridge.logged({ msg: "started" });
    expect(readdirSync(folder)).toEqual(["policy"]);
    const { uid, mode } = lstatSync(`${folder}/policy`);
    expect({ uid, mode: mode & 0o777 }).toEqual({ uid: attackerId(), mode: 0o660 });
    expect(await bridge.ask({ sender: "a" })).toBe("DUNNO");
    bridge.signal("SIGTERM");
    await bridge.ended;
    expect(readdirSync(folder)).toEqual([]);
  });

  it("makes no socket where a link that is the attacker's leads", async () => {
    const site = await Site.create({}, 0o755);
    const folder = site.path("theirs");
    mkdirSync(folder);
    mkdirSync(site.path("roots"));
    chmodSync(site.path("roots"), 0o755);
    await site.write("pfxbridge.yaml", {
      listen: [`unix:${folder}/link/policy`],
      routes: [{ action: "DUNNO" }],
    });
    giveToAttacker(folder);
    await attack(`require("node:fs").symlinkSync("../roots", ${JSON.stringify(`${folder}/link`)});
      console.log("done"); setInterval(() => {}, 1000)`);
    await expect.poll(() => readdirSync(folder)).toEqual(["link"]);
    const bridge = new Program(["serve", "-c", site.config]);
    expect(await bridge.ended).toBe(1);
    expect(bridge.stderr).toContain("is a link that others than root can change");
    expect(readdirSync(site.path("roots"))).toEqual([]);
  });
});
