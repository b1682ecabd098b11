/** What a running bridge remembers, from outside: answered while offline, forgotten, exported, loaded. */
import { readFile, stat } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import type { Status } from "../../src/control/controls.ts";
import { Program, run, Site } from "./program.ts";
import { ANY_PORT, GATE, service } from "./services.ts";

const ALICE = { sasl_username: "alice", sender: "alice@example.org", recipient: "b@example.net" };
const MALLORY = { sasl_username: "mallory", sender: "mallory@example.org", recipient: "b@example.net" };
const DEFER = "DEFER 4.3.0 Authorization service unavailable, please try again later";

/** A service that permits all but those who are blocked, and a bridge that remembers. */
async function start(url?: string) {
  const blocked = new Set<unknown>();
  const corp = await service(({ json }) => ({ body: { allowed: !blocked.has(json?.sender) } }));
  const site = await Site.create({ "gate.yaml": GATE });
  await site.write("pfxbridge.yaml", {
    listen: ANY_PORT,
    control: `unix:${site.path("control")}`,
    services: { corp: { url: url ?? corp.url, mapping: "./gate.yaml", cache: { ttl: "1h" } } },
  });
  const bridge = await Program.serve(site);
  const command = (name: string, ...args: string[]) => run([name, "-c", site.config, ...args]);
  return { corp, blocked, site, bridge, command };
}

describe("while offline", () => {
  it("remembered decisions answer, and on_failure for all else", async () => {
    const { corp, bridge, command } = await start();
    expect(await bridge.ask(ALICE)).toBe("DUNNO");
    await command("offline", "corp");
    expect(await bridge.ask(ALICE)).toBe("DUNNO");
    expect(await bridge.ask(MALLORY)).toBe(DEFER);
    expect(corp.calls.length).toBe(1);
    const status = JSON.parse((await command("status", "--json")).stdout) as Status;
    expect(status.services[0]?.cache).toMatchObject({ store: "memory", entries: 1, hits: 1 });
    expect((await command("status")).stdout).toContain(
      "answered now: remembered decisions; for all else DEFER",
    );
  });
});

describe("forget", () => {
  it("makes a blocked account be blocked although its permit is remembered, and nobody else", async () => {
    const { corp, blocked, bridge, command } = await start();
    for (const request of [ALICE, MALLORY]) expect(await bridge.ask(request)).toBe("DUNNO");
    blocked.add(MALLORY.sender);
    expect(await bridge.ask(MALLORY)).toBe("DUNNO");
    const { status, stdout } = await command("forget", "sasl_username=mallory");
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: "forgotten: what every service said of sasl_username=mallory\nremembered decisions met: 1\n",
    });
    expect(await bridge.ask(MALLORY)).toBe("REJECT 5.7.1 no");
    expect(await bridge.ask(ALICE)).toBe("DUNNO");
    expect(corp.calls.length).toBe(3);
    expect(await bridge.logged({ msg: "remembered decisions forgotten by hand" })).toMatchObject({
      attributes: { sasl_username: "mallory" },
      by: expect.stringMatching(/^\w/),
    });
  });

  it.each([["--all"], ["--service", "corp"]])("with %s forgets everything", async (...args) => {
    const { corp, bridge, command } = await start();
    await bridge.ask(ALICE);
    expect((await command("forget", ...args)).status).toBe(0);
    await bridge.ask(ALICE);
    expect(corp.calls.length).toBe(2);
  });

  it("without a word forgets nothing", async () => {
    const { corp, bridge, command } = await start();
    await bridge.ask(ALICE);
    expect((await command("forget")).status).toBe(2);
    await bridge.ask(ALICE);
    expect(corp.calls.length).toBe(1);
  });
});

describe("cache export and load", () => {
  it("take what one bridge knows to another, in a file for its owner alone", async () => {
    const old = await start();
    for (const request of [ALICE, MALLORY]) await old.bridge.ask(request);
    const file = old.site.path("export.ndjson");
    expect(await old.command("cache", "export", "-o", file)).toEqual({ status: 0, stdout: "", stderr: "" });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await readFile(file, "utf8")).trimEnd().split("\n").length).toBe(2);

    const fresh = await start(old.corp.url);
    const loaded = await fresh.command("cache", "load", file);
    expect({ status: loaded.status, stdout: loaded.stdout }).toEqual({
      status: 0,
      stdout: "2 loaded, 0 refused\n",
    });
    await fresh.command("offline");
    expect(await fresh.bridge.ask(ALICE)).toBe("DUNNO");
    expect(old.corp.calls.length).toBe(2);
  });

  it("work through a pipe, and say how many lines were refused and why", async () => {
    const { site, bridge, command } = await start();
    await bridge.ask(ALICE);
    const { stdout } = await command("cache", "export");
    const { status, stdout: said } = await run(["cache", "load", "-", "-c", site.config], {
      input: `${stdout}nonsense\n{}\n`,
    });
    expect(status).toBe(0);
    expect(said).toMatch(/^1 loaded, 2 refused\n {2}1: .+\n {2}1: .+\n$/);
  });

  it("fail where nothing of it could be loaded", async () => {
    const { site } = await start();
    const { status, stdout } = await run(["cache", "load", "-", "-c", site.config], { input: "nonsense\n" });
    expect(status).toBe(1);
    expect(stdout).toMatch(/^0 loaded, 1 refused/);
  });
});
