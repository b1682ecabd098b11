/** Commands to a bridge with workers: what all of them do is shown, and what is asked for happens in all of them. */
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { askControl, openControl } from "../../src/control/client.ts";
import { Program, run, Site, until } from "./program.ts";
import { ANY_PORT, GATE, service } from "./services.ts";
import { gone, REQUEST, supervised, supervisedAt } from "./workers.ts";

const DEFER = "DEFER 4.3.0 Authorization service unavailable, please try again later";
const ALICE = { ...REQUEST, protocol_state: "RCPT", sasl_username: "alice" };

/** A service that permits until it blocks, and two workers that remember. */
async function remembering(cache: (site: Site) => object = () => ({ ttl: "1h" })) {
  let allowed = true;
  const corp = await service(() => ({ body: { allowed } }));
  const site = await Site.create({ "gate.yaml": GATE });
  await site.write("pfxbridge.yaml", {
    listen: ANY_PORT,
    workers: 2,
    control: `unix:${site.path("control")}`,
    services: { corp: { url: corp.url, mapping: "./gate.yaml", cache: cache(site) } },
  });
  const bridge = await Program.serve(site);
  const block = () => {
    allowed = false;
  };
  return { ...supervisedAt(site, bridge), corp, block };
}

/** One connection to each of the two workers: they take turns. */
async function eachWorker(bridge: Program) {
  return [await bridge.connect(), await bridge.connect()] as const;
}

async function askEach(bridge: Program, request: Readonly<Record<string, string>> = ALICE) {
  const clients = await eachWorker(bridge);
  const answers: string[] = [];
  for (const client of clients) answers.push(await client.ask(request));
  return answers;
}

describe("status", () => {
  it("adds up what the workers say, and names them", async () => {
    const { bridge, status, command, workers } = await remembering();
    const clients = [...(await eachWorker(bridge)), ...(await eachWorker(bridge))];
    for (const client of clients) for (let count = 0; count < 5; count++) await client.ask(ALICE);
    expect(await status()).toMatchObject({
      pid: bridge.child.pid,
      listeners: [{ connections: 4, requests: 20 }],
      decisions: { upstream: 2, cache: 18 },
      services: [{ max_in_flight: 256, cache: { store: "memory", hits: 18, misses: 2, entries: 2 } }],
    });
    const shown = (await command("status")).stdout;
    for (const pid of await workers()) expect(shown).toContain(`${pid} (2 connections)`);
  });
});

describe("offline and online", () => {
  it("reach all workers, those that are replaced, and outlast a restart", async () => {
    const { bridge, site, command, status, workers } = await remembering();
    await command("offline", "corp");
    expect(await askEach(bridge)).toEqual([DEFER, DEFER]);
    expect((await status()).services).toMatchObject([{ mode: "offline", offline: { reason: "by_hand" } }]);
    expect(bridge.log.filter(({ msg }) => String(msg).startsWith("switched offline by hand"))).toHaveLength(
      1,
    );

    const before = await workers();
    for (const pid of before) process.kill(pid, "SIGKILL");
    await until("both replacements", async () => {
      const now = await workers();
      return now.length === 2 && now.every((pid) => !before.includes(pid));
    });
    expect(await askEach(bridge)).toEqual([DEFER, DEFER]);

    bridge.signal("SIGTERM");
    expect(await bridge.ended).toBe(0);
    const again = await Program.serve(site);
    expect(await askEach(again)).toEqual([DEFER, DEFER]);
    await command("online");
    expect(await askEach(again)).toEqual(["DUNNO", "DUNNO"]);
  });

  it("serve --offline makes no call in any worker", async () => {
    const { site, bridge } = await supervised();
    bridge.signal("SIGTERM");
    await bridge.ended;
    const offline = await Program.serve(site, ["--offline"]);
    expect(await askEach(offline)).toEqual([DEFER, DEFER]);
    const { status } = supervisedAt(site, offline);
    expect((await status()).services).toMatchObject([{ offline: { reason: "command_line" } }]);
  });
});

describe("forget", () => {
  it("reaches what each worker remembers", async () => {
    const { bridge, command, block } = await remembering();
    expect(await askEach(bridge)).toEqual(["DUNNO", "DUNNO"]);
    block();
    expect(await askEach(bridge)).toEqual(["DUNNO", "DUNNO"]);
    expect((await command("forget", "sasl_username=alice")).status).toBe(0);
    expect(await askEach(bridge)).toEqual(["REJECT 5.7.1 no", "REJECT 5.7.1 no"]);
  });

  it("is only confirmed by workers that have done it: while all are being replaced it waits for one", async () => {
    const { bridge, site, workers, block } = await remembering((site) => ({
      ttl: "1h",
      store: `lmdb:${site.path("store")}`,
    }));
    expect(await askEach(bridge)).toEqual(["DUNNO", "DUNNO"]);
    block();
    const pids = await workers();
    for (const pid of pids) process.kill(pid, "SIGKILL");
    await gone(...pids);
    const forgotten = await askControl(
      { endpoint: { kind: "unix", path: site.path("control") } },
      { method: "POST", path: "/v1/forget", body: { attributes: { sasl_username: "alice" }, by: "bob" } },
    );
    expect(forgotten).toEqual({ met: 1, complete: true });
    expect(await askEach(bridge)).toEqual(["REJECT 5.7.1 no", "REJECT 5.7.1 no"]);
  });
});

describe("cache export and load", () => {
  it("take what each worker has in memory, and give it to all of them", async () => {
    const old = await remembering();
    const [one, two] = await eachWorker(old.bridge);
    for (let count = 0; count < 300; count++) {
      await (count % 2 === 0 ? one : two).ask({ ...ALICE, sender: `${count}@example.net` });
    }
    const exported = (await old.command("cache", "export")).stdout;
    const keys = exported
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).key);
    expect(new Set(keys).size).toBe(300);

    // What is remembered belongs to the service by its URL.
    old.bridge.signal("SIGTERM");
    await old.bridge.ended;
    const fresh = await Program.serve(old.site);
    const loaded = await run(["cache", "load", "-", "-c", old.site.config], {
      input: `${exported}nonsense\n`,
    });
    expect(loaded).toMatchObject({ status: 0, stdout: expect.stringMatching(/^300 loaded, 1 refused/) });
    old.block();
    expect(await askEach(fresh, { ...ALICE, sender: "7@example.net" })).toEqual(["DUNNO", "DUNNO"]);
  });

  it("do not take an end of all workers for a store that is empty", async () => {
    const { bridge, site, command, workers } = await remembering((site) => ({
      ttl: "1h",
      store: `lmdb:${site.path("store")}`,
    }));
    await askEach(bridge);
    const before = (await command("cache", "export")).stdout;
    const pids = await workers();
    for (const pid of pids) process.kill(pid, "SIGKILL");
    await gone(...pids);
    const target = { endpoint: { kind: "unix", path: site.path("control") } } as const;
    const exported = await until("an export that is whole", async () => {
      const reply = await openControl(target, { method: "GET", path: "/v1/cache" });
      // Their end may not be known yet.
      return "problem" in reply ? undefined : text(reply);
    });
    expect(exported).toBe(before);
  });

  it("take what workers share in a store once", async () => {
    const { bridge, command, status, corp } = await remembering((site) => ({
      ttl: "1h",
      store: `lmdb:${site.path("store")}`,
    }));
    const [one, two] = await eachWorker(bridge);
    expect(await one.ask(ALICE)).toBe("DUNNO");
    await until("the other worker to know", async () => {
      await two.ask(ALICE);
      return corp.calls.length < 3 && (await status()).decisions.cache! > 0;
    });
    const lines = (await command("cache", "export")).stdout.trimEnd().split("\n");
    expect(lines).toHaveLength(1);
    expect((await status()).services[0]?.cache).toMatchObject({ store: "lmdb", entries: 1 });
  });
});
