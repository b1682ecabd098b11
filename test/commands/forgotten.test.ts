/** What is forgotten stays forgotten: through export and load, a restart, a store's loss, a clock set back. */
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import type { Status } from "../../src/control/controls.ts";
import { run } from "./program.ts";
import { Remembering, senderOf } from "./remembering.ts";

const LMDB = { store: "lmdb:./cache.lmdb", ttl: "1h" };
const REFUSED = { action: "REJECT 5.7.1 blocked", source: "upstream" };
const mallory = `sender=${senderOf("mallory")}`;

const block = ({ corp }: Remembering) => {
  corp.answering = () => ({ body: { allowed: false, reason: "blocked" } });
};

/** A bridge that has permits for both in its store, and whose service permits nobody any more. */
async function knowing(cache: object, names: readonly string[] = ["mallory", "alice"]): Promise<Remembering> {
  const bridge = await Remembering.start({ cache });
  for (const name of names) await bridge.decide(name);
  await bridge.holds(names.length);
  block(bridge);
  return bridge;
}

async function entries(bridge: Remembering): Promise<unknown> {
  const { stdout } = await bridge.command("status", "--json");
  return (JSON.parse(stdout) as Status).services[0]?.cache?.entries;
}

const load = (bridge: Remembering, input: string) =>
  run(["cache", "load", "-", "-c", bridge.site.config], { input });

describe.each([
  ["in memory", { ttl: "1h" }],
  ["on disk", LMDB],
])("forget, of what is %s", (_, cache) => {
  it("says how many it met, which the status no longer counts; --dry-run only says it", async () => {
    const bridge = await knowing(cache);
    const dry = await bridge.command("forget", "--dry-run", mallory);
    expect(dry.stdout).toBe(
      `would be forgotten: what every service said of ${mallory}\nremembered decisions met: 1\n`,
    );
    expect(await bridge.decide("mallory")).toMatchObject({ action: "DUNNO", source: "cache" });
    const { status, stdout } = await bridge.command("forget", mallory);
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: `forgotten: what every service said of ${mallory}\nremembered decisions met: 1\n`,
    });
    await expect.poll(() => entries(bridge)).toBe(1);
    expect((await bridge.command("forget", "--dry-run", mallory)).stdout).toContain("met: 0\n");
    expect((await bridge.command("forget", "--all")).stdout).toContain("met: 1\n");
    await expect.poll(() => entries(bridge)).toBe(0);
  });

  it("leaves nothing of it in an export, and the export makes others forget, whatever they load and when", async () => {
    const old = await knowing(cache);
    const before = (await old.command("cache", "export")).stdout;
    expect(before).toContain(senderOf("mallory"));
    await old.command("forget", mallory);
    const after = (await old.command("cache", "export")).stdout;
    const decisions = after.split("\n").filter((line) => line.includes('"stored_at"'));
    expect(decisions.map((line) => JSON.parse(line).attributes.sender)).toEqual([senderOf("alice")]);

    for (const order of [[after], [before, after], [after, before], [before + after]]) {
      const fresh = await Remembering.start({ cache, corp: old.corp });
      for (const file of order) await load(fresh, file);
      expect(await fresh.decide("mallory")).toMatchObject(REFUSED);
      expect(await fresh.decide("alice")).toMatchObject({ action: "DUNNO", source: "cache" });
    }
  });

  it("holds after a restart, though an export from before is loaded then", async () => {
    const bridge = await knowing(cache);
    const before = (await bridge.command("cache", "export")).stdout;
    await bridge.command("forget", mallory);
    await bridge.crash();
    const { stdout } = await load(bridge, before);
    expect(stdout).toMatch(/1: it has been forgotten/);
    expect(await bridge.decide("mallory")).toMatchObject(REFUSED);
    expect(await bridge.decide("alice")).toMatchObject({ action: "DUNNO", source: "cache" });
  });
});

describe("forget, of what is on a disk that cannot be used at the start", () => {
  const away = async ({ site }: Remembering) => {
    await rename(site.path("cache.lmdb"), site.path("away"));
    await mkdir(site.path("cache.lmdb"));
  };
  const back = async ({ site }: Remembering) => {
    await rm(site.path("cache.lmdb"), { recursive: true });
    await rename(site.path("away"), site.path("cache.lmdb"));
  };

  it("holds when it can be used again", async () => {
    const bridge = await knowing(LMDB);
    bridge.bridge.signal("SIGKILL");
    await bridge.bridge.ended;
    await away(bridge);
    await bridge.crash();
    expect((await bridge.command("forget", mallory)).status).toBe(0);
    bridge.bridge.signal("SIGKILL");
    await bridge.bridge.ended;
    await back(bridge);
    await bridge.crash();
    expect(await bridge.decide("mallory")).toMatchObject(REFUSED);
    expect(await bridge.decide("alice")).toMatchObject({ action: "DUNNO", source: "cache" });
  });

  it("is not acknowledged where it would not hold", async () => {
    const bridge = await knowing(LMDB);
    bridge.bridge.signal("SIGKILL");
    await bridge.bridge.ended;
    await away(bridge);
    await writeFile(bridge.site.path("cache.lmdb.forgotten"), "no folder");
    await bridge.crash();
    const { status, stderr } = await bridge.command("forget", mallory);
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /what it holds would come back with it: .*cache\.lmdb\.forgotten cannot be written/s,
    );
  });
});

it("an old copy of the file that is put back while the bridge is down revives nothing", async () => {
  const bridge = await knowing(LMDB);
  const file = bridge.site.path("cache.lmdb");
  bridge.bridge.signal("SIGTERM");
  await bridge.bridge.ended;
  const old = await readFile(file);
  await bridge.crash();
  await bridge.command("forget", mallory);
  await bridge.crash();
  bridge.bridge.signal("SIGKILL");
  await bridge.bridge.ended;
  await writeFile(file, old);
  await bridge.crash();
  expect(await bridge.decide("mallory")).toMatchObject(REFUSED);
  expect(await bridge.decide("alice")).toMatchObject({ action: "DUNNO", source: "cache" });
});
