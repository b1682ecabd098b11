/** What is remembered, for how long, and what it answers: by the built command, with what is kept in memory. */
import { describe, expect, it } from "vitest";
import { until } from "./program.ts";
import { DEFER, judged, later, Remembering, senderOf } from "./remembering.ts";

/** Causes of failure, as the service brings them about. */
const FORBIDDING = () => ({ status: 403, body: "blocked by a firewall" });
const FAILING = () => ({ status: 503 });

describe("ttl", () => {
  it("is how long a reply answers without a call; the decision line tells source and age", async () => {
    const bridge = await Remembering.start({ cache: { ttl: "2s" } });
    const first = await bridge.decide("bad-bob");
    expect(first).toMatchObject({ action: judged("bad-bob"), source: "upstream", attempts: 1, status: 200 });
    expect(first).not.toHaveProperty("age");
    await later(1_000);
    const second = await bridge.decide("bad-bob");
    expect(second).toMatchObject({ source: "cache", attempts: 0, status: 200, rule: 2, age: 1 });
    expect(second.action).toBe(first.action);
    expect(second).not.toHaveProperty("cause");
    await later(1_200);
    expect(await bridge.decide("bad-bob")).toMatchObject({ source: "upstream" });
    expect(bridge.corp.calls).toHaveLength(2);
  });
});

describe("Cache-Control of the service", () => {
  it("has the last word: what comes next, and what in an outage", async () => {
    const said: Readonly<Record<string, readonly [value: string, next: string, inOutage: string]>> = {
      silent: ["private", "upstream", "stale"],
      secretive: ["no-store", "upstream", "default"],
      lasting: ["max-age=3600", "cache", "cache"],
      shared: ["max-age=0, s-maxage=3600", "cache", "cache"],
      passing: ["max-age=0", "upstream", "stale"],
      senseless: ["max-age=-1, stale-if-error=never", "upstream", "default"],
      everlasting: ["max-age=0, stale-if-error=9999999999", "upstream", "stale"],
      brief: ["max-age=0, stale-if-error=0", "upstream", "default"],
      patient: ["max-age=0, stale-if-error=60", "upstream", "stale"],
      strict: ["max-age=0, must-revalidate", "upstream", "default"],
    };
    const bridge = await Remembering.start({ cache: { ttl: "0s", max_ttl: "2h", stale_if_error: "1h" } });
    bridge.corp.answering = ({ json }) => {
      const [value = ""] = said[String(json?.sender).split("@")[0] ?? ""] ?? [];
      return { headers: { "cache-control": value }, body: { allowed: true } };
    };
    const sources = async () => {
      const lines: [string, unknown][] = [];
      for (const name of Object.keys(said)) lines.push([name, (await bridge.decide(name)).source]);
      return Object.fromEntries(lines);
    };
    const expected = (column: 1 | 2) =>
      Object.fromEntries(Object.entries(said).map(([name, row]) => [name, row[column]]));
    await sources();
    expect(await sources()).toEqual(expected(1));
    await bridge.corp.stop();
    expect(await sources()).toEqual(expected(2));
  });
});

describe("only", () => {
  it("keeps what it names; a permit that was taken back since is forgotten", async () => {
    const bridge = await Remembering.start({ cache: { ttl: "0s", only: ["permit"] } });
    for (const name of ["alice", "bob", "bad-carol"]) await bridge.decide(name);
    bridge.corp.answering = ({ json }) => ({ body: { allowed: json?.sender !== senderOf("alice") } });
    expect(await bridge.decide("alice")).toMatchObject({ action: "REJECT 5.7.1 no", source: "upstream" });
    bridge.corp.answering = FAILING;
    expect(await bridge.decide("alice")).toMatchObject({ action: DEFER, source: "default" });
    expect(await bridge.decide("bad-carol")).toMatchObject({ action: DEFER, source: "default" });
    expect(await bridge.decide("bob")).toMatchObject({ action: "DUNNO", source: "stale" });
  });
});

describe("past its ttl a reply answers", () => {
  const troubles = [
    ["http_5xx", FAILING],
    ["http_4xx", FORBIDDING],
    ["bad_reply", () => ({ body: "<html>" })],
  ] as const;

  it.each<[string, readonly string[], readonly string[]]>([
    ["what no sender can provoke", [], ["stale", "default", "default"]],
    ["and what stale_causes names", ["http_4xx"], ["stale", "stale", "default"]],
    ["and all that it names", ["http_4xx", "bad_reply"], ["stale", "stale", "stale"]],
  ])("%s", async (_, causes, sources) => {
    const bridge = await Remembering.start({ cache: { ttl: "0s", stale_causes: causes } });
    await bridge.decide("bad-bob");
    for (const [index, [cause, answering]] of troubles.entries()) {
      bridge.corp.answering = answering;
      const source = sources[index];
      const action = source === "stale" ? judged("bad-bob") : DEFER;
      expect(await bridge.decide("bad-bob")).toMatchObject({ action, source, cause, attempts: 1 });
    }
  });

  it("with the operator's mark in place of a DUNNO, and of nothing else", async () => {
    const mark = "PREPEND X-Policy: stale";
    const bridge = await Remembering.start({ cache: { ttl: "0s", mark_stale: mark } });
    for (const name of ["alice", "bad-bob"]) await bridge.decide(name);
    expect(await bridge.decide("alice")).toMatchObject({ action: "DUNNO", source: "upstream" });
    bridge.corp.answering = FAILING;
    expect(await bridge.decide("alice")).toMatchObject({ action: mark, source: "stale" });
    expect(await bridge.decide("bad-bob")).toMatchObject({ action: judged("bad-bob"), source: "stale" });
  });

  it("not where it was revoked while the service was asked", async () => {
    const bridge = await Remembering.start({ cache: { ttl: "0s" }, more: { timeout: "4s", deadline: "4s" } });
    await bridge.decide("alice");
    let fail: () => void = () => {};
    const failed = new Promise<void>((resolve) => {
      fail = resolve;
    });
    bridge.corp.answering = () => failed.then(FAILING);
    const decision = bridge.decide("alice");
    await until("the call", () => bridge.corp.calls.length === 2 || undefined);
    await bridge.command("forget", `sender=${senderOf("alice")}`);
    fail();
    expect(await decision).toMatchObject({ action: DEFER, source: "default", cause: "http_5xx" });
  });
});
