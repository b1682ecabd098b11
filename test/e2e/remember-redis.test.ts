/**
 * Two mail servers whose bridges share what they remember in one Redis: known to one is known to both, forgotten by
 * one is forgotten by both, and a Redis that hangs, dies or lies costs no decision.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { until } from "../commands/program.ts";
import { DEFER, judged, later, Remembering, senderOf } from "../commands/remembering.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { isMissing } from "../support/requirement.ts";

describe.skipIf(isMissing("redis", "tests of bridges that share a Redis"))("two bridges on one Redis", () => {
  let redis: RedisServer;

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterEach(() => redis.cli("FLUSHALL"));
  afterAll(() => redis?.stop());

  const store = () => `redis://127.0.0.1:${redis.port}`;

  async function pair(cache: object = {}): Promise<readonly [Remembering, Remembering]> {
    const options = { cache: { store: store(), ttl: "1h", timeout: "1s", secret: "s3cret", ...cache } };
    const a = await Remembering.start(options);
    return [a, await Remembering.start({ ...options, corp: a.corp })];
  }

  /** Decides by the second bridge until it knows, since nobody waits for the first one's writing. */
  const known = (bridge: Remembering, name: string) =>
    until(`${name} to be known`, async () => {
      const decision = await bridge.decide(name);
      return decision.source === "cache" ? decision : undefined;
    });

  it("know what the other has asked", async () => {
    const [a, b] = await pair();
    for (const name of ["alice", "bad-bob"]) {
      await a.decide(name);
      await until("the entry", () => redis.cli("KEYS", "pfxbridge:entry:*") !== "" || undefined);
      expect(await known(b, name)).toMatchObject({ action: judged(name), attempts: 0 });
    }
    await a.corp.stop();
    expect(await b.decide("alice")).toMatchObject({ action: "DUNNO", source: "cache" });
    expect(await b.decide("carol")).toMatchObject({ action: DEFER, source: "default" });
  });

  it("forget within a second what the other was told to forget", async () => {
    const [a, b] = await pair();
    for (const name of ["mallory", "alice"]) {
      await a.decide(name);
      await known(b, name);
    }
    a.corp.answering = () => ({ body: { allowed: false, reason: "blocked" } });
    expect((await a.command("forget", `sender=${senderOf("mallory")}`)).status).toBe(0);
    await later(1_000);
    for (const bridge of [b, a]) {
      expect(await bridge.decide("mallory")).toMatchObject({ action: "REJECT 5.7.1 blocked" });
      expect(await bridge.decide("alice")).toMatchObject({ action: "DUNNO", source: "cache" });
    }
  });

  it("use no entry that somebody else wrote, and say so, where they have a secret", async () => {
    const [a, b] = await pair();
    await a.decide("alice");
    await known(b, "alice");
    const [permit = ""] = redis.cli("KEYS", "pfxbridge:entry:*").split("\n");
    await a.decide("bad-bob");
    const denial = await until("another entry", () =>
      redis
        .cli("KEYS", "pfxbridge:entry:*")
        .split("\n")
        .find((key) => key !== permit),
    );
    // The permit, genuine and signed, but moved to where the denial is.
    expect(redis.cli("COPY", permit, denial, "REPLACE")).toBe("1");
    expect(await b.decide("bad-bob")).toMatchObject({ action: judged("bad-bob"), source: "upstream" });
    await b.bridge.logged({
      level: "warn",
      msg: "a remembered decision was not used: it cannot be trusted",
    });
    // One bit of what the service said.
    await known(b, "bad-bob");
    redis.cli("SETRANGE", denial, "60", "X");
    expect(await b.decide("bad-bob")).toMatchObject({ action: judged("bad-bob"), source: "upstream" });
    // What an older or other program left.
    redis.cli("SET", permit, "nonsense");
    expect(await b.decide("alice")).toMatchObject({ action: "DUNNO", source: "upstream" });
  });

  it("one's export is what the other begins with", async () => {
    const [a] = await pair();
    for (const name of ["alice", "bad-bob"]) await a.decide(name);
    await a.holds(2);
    const file = a.site.path("known.ndjson");
    await a.command("cache", "export", "-o", file);
    redis.cli("FLUSHALL");
    const b = await Remembering.start({ corp: a.corp, cache: { ttl: "1h", secret: "s3cret" } });
    const stranger = await Remembering.start({ corp: a.corp, cache: { ttl: "1h", secret: "other" } });
    expect((await b.command("cache", "load", file)).stdout).toBe("2 loaded, 0 refused\n");
    expect((await stranger.command("cache", "load", file)).stdout).toMatch(/^0 loaded, 2 refused/);
    await a.corp.stop();
    for (const name of ["alice", "bad-bob"]) {
      expect(await b.decide(name)).toMatchObject({ action: judged(name), source: "cache" });
      expect(await stranger.decide(name)).toMatchObject({ action: DEFER, source: "default" });
    }
  });

  it.each(["killed", "stopped, so that it hangs"])(
    "lose no decision and give none late when Redis is %s in the middle of the load",
    async (what) => {
      const bridge = await Remembering.start({
        cache: { store: store(), ttl: "1h", secret: "s3cret" },
        more: { deadline: "2s", timeout: "2s" },
      });
      const clients = await Promise.all(Array.from({ length: 20 }, () => bridge.bridge.connect()));
      let asked = 0;
      const load = clients.map(async (client, index) => {
        for (let i = 0; i < 60; i++) {
          const name = `${index % 2 === 0 ? "bad-" : ""}${index}-${i % 5}`;
          const request = { request: "smtpd_access_policy", recipient: "r@example.net" };
          expect(await client.ask({ ...request, sender: senderOf(name) })).toBe(judged(name));
          asked++;
          await later(10);
        }
      });
      await until("the middle", () => asked > 300 || undefined);
      if (what === "killed") await redis.kill();
      else redis.signal("SIGSTOP");
      try {
        await Promise.all(load);
        await until("the log", () => bridge.bridge.decisions.length === 1200 || undefined);
      } finally {
        if (what === "killed") await redis.start();
        else redis.signal("SIGCONT");
      }
      const { decisions } = bridge.bridge;
      expect(decisions.filter(({ source }) => source !== "upstream" && source !== "cache")).toEqual([]);
      expect(decisions.filter(({ source }) => source === "cache").length).toBeGreaterThan(0);
      expect(Math.max(...decisions.map(({ ms }) => Number(ms)))).toBeLessThan(2_050);
      expect(
        bridge.bridge.log.some(({ level, msg }) => level === "warn" && /Redis|store/.test(String(msg))),
      ).toBe(true);
      expect(await known(bridge, "alice")).toMatchObject({ action: "DUNNO" });
    },
  );

  it("a time limit of the store that is longer than the deadline makes no decision late", async () => {
    const bridge = await Remembering.start({
      cache: { store: store(), timeout: "10s", secret: "s3cret" },
      config: { routes: [{ service: "corp", on_failure: "WARN late" }] },
    });
    await bridge.decide("alice");
    redis.signal("SIGSTOP");
    try {
      const decision = await bridge.decide("bad-bob");
      expect(decision).toMatchObject({ action: "WARN late", source: "default", cause: "timeout" });
      expect(decision.ms).toBeLessThan(1_500);
    } finally {
      redis.signal("SIGCONT");
    }
  });
});
