/** What is known before it is asked for, and what an operator is told of it: by the built command. */
import { describe, expect, it } from "vitest";
import { run, Site, until } from "./program.ts";
import { DEFER, judged, later, Remembering, senderOf } from "./remembering.ts";
import { ANY_PORT, GATE } from "./services.ts";

describe("an entry in use", () => {
  it("is asked again shortly before its ttl ends, so that nobody waits; not hammered in an outage", async () => {
    const bridge = await Remembering.start({ cache: { ttl: "4s" } });
    const client = await bridge.bridge.connect();
    const request = { request: "smtpd_access_policy", sender: senderOf("alice"), recipient: "r@example.net" };
    const ask = async (until: number) => {
      while (performance.now() < until) {
        expect(await client.ask(request)).toBe("DUNNO");
        await later(10);
      }
    };
    const start = performance.now();
    await ask(start + 5_000);
    expect(bridge.corp.calls).toHaveLength(2);
    bridge.corp.answering = () => ({ status: 503 });
    await ask(start + 7_500);
    await until("the log", () => bridge.bridge.decisions.length > 300 || undefined);
    const [first, ...others] = bridge.bridge.decisions;
    expect(first).toMatchObject({ source: "upstream" });
    expect(new Set(others.map(({ source }) => source))).toEqual(new Set(["cache"]));
    // One in the last tenth of the ttl, and after it failed none for five seconds.
    expect(bridge.corp.calls).toHaveLength(3);
  });
});

describe("warm", () => {
  it("asks for senders who were never seen, so that they are known when the outage comes", async () => {
    const lines = ["alice", "bad-bob"].map((name) =>
      JSON.stringify({ sender: senderOf(name), recipient: "r@example.net" }),
    );
    const bridge = await Remembering.start({
      cache: { ttl: "0s", stale_if_error: "1h" },
      more: { warm: "./warm.ndjson" },
      files: { "warm.ndjson": `${lines.join("\n")}\n\n` },
    });
    await until("the calls", () => bridge.corp.calls.length === 2 || undefined);
    await later(200);
    expect(bridge.bridge.decisions).toEqual([]);
    bridge.corp.answering = () => ({ status: 503 });
    for (const name of ["alice", "bad-bob"]) {
      expect(await bridge.decide(name)).toMatchObject({ action: judged(name), source: "stale" });
    }
    expect(await bridge.decide("carol")).toMatchObject({ action: DEFER, source: "default" });
  });
});

describe("offline by hand", () => {
  it("answers from memory, also past the ttl, then by on_failure; no call is made", async () => {
    const bridge = await Remembering.start({ cache: { ttl: "0s" } });
    for (const name of ["alice", "bad-bob"]) await bridge.decide(name);
    await bridge.command("offline", "corp", "--for", "1h");
    for (const name of ["alice", "bad-bob"]) {
      const remembered = { action: judged(name), source: "stale", cause: "offline", attempts: 0 };
      expect(await bridge.decide(name)).toMatchObject(remembered);
    }
    expect(await bridge.decide("carol")).toMatchObject({
      action: DEFER,
      source: "default",
      cause: "offline",
    });
    expect(bridge.corp.calls).toHaveLength(2);
    await bridge.command("online", "corp");
    expect(await bridge.decide("carol")).toMatchObject({ action: "DUNNO", source: "upstream" });
  });
});

describe("check", () => {
  it.each([
    ["queue_id", "in the call", {}, /the call contains queue_id, which changes with every message/],
    ["instance", "in the call", {}, /the call contains instance/],
    ["client_port", "in the call", {}, /the call contains client_port/],
    ["queue_id", "not in cache.key", { key: "${sender}" }, null],
    ["sender", "in cache.key", { key: "${queue_id}" }, /cache\.key contains queue_id/],
    ["request_id", "in the call, which is no part of the key", {}, null],
  ])("of %s %s", async (name, _, cache, warning) => {
    const site = await Site.create({
      "gate.yaml": { ...GATE, request: { ...GATE.request, json: { value: `\${${name}}` } } },
      "pfxbridge.yaml": {
        listen: ANY_PORT,
        services: { corp: { url: "http://127.0.0.1:1", mapping: "./gate.yaml", cache } },
      },
    });
    const { status, stdout, stderr } = await run(["check", "-c", site.config]);
    expect(status).toBe(0);
    const said = `${stdout}${stderr}`.replace(/\s+/g, " ");
    if (warning === null) expect(said).not.toMatch(/changes with every message/);
    else expect(said).toMatch(warning);
  });
});

describe("try", () => {
  it("shows what is remembered and how old it is", async () => {
    const bridge = await Remembering.start({ cache: { store: "lmdb:./cache.lmdb", ttl: "1h" } });
    await bridge.decide("bad-bob");
    await bridge.holds(1);
    const attributes = [`sender=${senderOf("bad-bob")}`, "recipient=r@example.net"];
    const { stdout } = await bridge.command("try", ...attributes);
    expect(stdout).toMatch(/\nRemembered {2}status 200, of \d+ s ago, fresh\n/);
    expect(stdout).toContain(judged("bad-bob"));
    const json = JSON.parse((await bridge.command("try", "--json", ...attributes)).stdout);
    expect(json).toMatchObject({
      remembered: { fresh: true, age: expect.any(Number) },
      attempts: [],
      decision: { source: "cache", action: judged("bad-bob") },
    });
    expect(bridge.corp.calls).toHaveLength(1);
  });
});
