/** A real Redis that refuses: the log says once what it says and what to do, once when it is over, and decisions go on. */
import { mkdir, rm } from "node:fs/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { until } from "../commands/program.ts";
import { later, Remembering } from "../commands/remembering.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { isMissing } from "../support/requirement.ts";

const WRITES = /^Redis refuses to write/;
const AGAIN = "Redis has taken a write again: decisions are remembered";

async function redisWith(...parameters: string[]): Promise<RedisServer> {
  const redis = await startRedis("--enable-protected-configs", "yes", ...parameters);
  onTestFinished(() => redis.stop());
  return redis;
}

/** Redis cannot write its dump any more, and says so to who writes; gives what lets it. */
async function withoutFolder(redis: RedisServer): Promise<() => Promise<void>> {
  const folder = redis.cli("CONFIG", "GET", "dir").split("\n").at(-1)!;
  redis.cli("CONFIG", "SET", "save", "3600 1");
  await rm(folder, { recursive: true });
  redis.cli("BGSAVE");
  await until("a failed save", () => redis.cli("INFO").includes("rdb_last_bgsave_status:err") || undefined);
  return async () => {
    await mkdir(folder);
    redis.cli("CONFIG", "SET", "dir", folder);
    redis.cli("BGSAVE");
    await until("a save", () => redis.cli("INFO").includes("rdb_last_bgsave_status:ok") || undefined);
  };
}

const bridgeOn = (redis: RedisServer, user = "") =>
  Remembering.start({
    cache: { store: `redis://${user}127.0.0.1:${redis.port}`, ttl: "1h", timeout: "1s", secret: "s3cret" },
  });

/** Warnings and what ends them, about Redis. */
const about = ({ bridge }: Remembering) =>
  bridge.log.filter(({ msg }) => typeof msg === "string" && msg.startsWith("Redis "));

describe.skipIf(isMissing("redis", "tests of a Redis that refuses"))("a Redis that refuses to write", () => {
  it.each([
    [
      "as a replica after a failover",
      ["REPLICAOF", "127.0.0.1", "1"],
      ["REPLICAOF", "NO", "ONE"],
      "READONLY",
    ],
    ["as it is full", ["CONFIG", "SET", "maxmemory", "1"], ["CONFIG", "SET", "maxmemory", "0"], "OOM"],
  ])("%s costs two lines, and `forget` says what it is", async (_name, refuse, permit, word) => {
    const redis = await redisWith();
    const bridge = await bridgeOn(redis);
    await bridge.decide("alice");
    await bridge.holds(1);
    redis.cli(...refuse);
    for (let n = 0; n < 20; n++) expect((await bridge.decide(`b${n}`)).action).toBe("DUNNO");
    const forgotten = await bridge.command("forget", "sender=x@example.org");
    expect(forgotten.status).toBe(1);
    expect(forgotten.stderr).toContain(`Redis has not taken it (${word} `);
    expect(forgotten.stderr).not.toContain("cannot be reached");
    // A revocation waits to be written: that is tried again and again.
    await later(3000);
    expect((await bridge.decide("alice")).source).toBe("cache");
    expect(about(bridge)).toEqual([
      expect.objectContaining({
        level: "warn",
        msg: expect.stringMatching(WRITES),
        reason: expect.stringContaining(word),
        advice: expect.any(String),
      }),
    ]);
    redis.cli(...permit);
    await bridge.bridge.logged({ msg: AGAIN });
    await until("the revocation", () => redis.cli("XLEN", "pfxbridge:revocations") !== "0" || undefined);
    expect(about(bridge)).toHaveLength(2);
  });

  it("as its user may not", async () => {
    const redis = await redisWith();
    redis.cli("ACL", "SETUSER", "bridge", "on", ">pw", "~*", "&*", "+@all", "-@write");
    const bridge = await bridgeOn(redis, "bridge:pw@");
    for (const name of ["a", "b", "c"]) expect((await bridge.decide(name)).action).toBe("DUNNO");
    const line = await until("the line", () => about(bridge)[0]);
    expect(line).toMatchObject({
      reason: expect.stringContaining("NOPERM"),
      advice: expect.stringContaining("+@write"),
    });
    redis.cli("ACL", "SETUSER", "bridge", "+@all");
    await until("a write", async () => {
      await bridge.decide(`d${Math.random()}`);
      return about(bridge).find(({ msg }) => msg === AGAIN);
    });
  });

  it.each([
    ["another password", "bridge:sw0rdfish@", "WRONGPASS"],
    ["no password", "", "NOAUTH"],
  ])("lets nobody in: %s", async (_name, user, word) => {
    const redis = await redisWith();
    redis.cli("ACL", "SETUSER", "bridge", "on", ">pw", "~*", "&*", "+@all");
    redis.cli("CONFIG", "SET", "requirepass", "secret");
    const bridge = await bridgeOn(redis, user);
    for (const name of ["a", "b"]) expect((await bridge.decide(name)).action).toBe("DUNNO");
    const line = await until("the line", () => about(bridge)[0]);
    expect(line).toMatchObject({
      level: "warn",
      msg: expect.stringMatching(/^Redis refuses/),
      reason: expect.stringContaining(word),
      advice: expect.stringContaining("cache.store"),
    });
    await later(2000);
    expect(about(bridge)).toHaveLength(1);
    // All that the bridge says is JSON: `log` would have thrown.
    expect(bridge.bridge.stderr).toBe("");
  });

  it("belongs to a cluster without its slots", async () => {
    const redis = await redisWith("--cluster-enabled", "yes");
    const bridge = await bridgeOn(redis);
    for (const name of ["a", "b", "c", "d"]) expect((await bridge.decide(name)).action).toBe("DUNNO");
    const line = await until("the line", () => about(bridge)[0]);
    expect(line).toMatchObject({ reason: expect.stringContaining("CLUSTERDOWN") });
    await later(2000);
    expect(about(bridge).length).toBeLessThanOrEqual(2);
  });

  it("as it cannot save (MISCONF) is told of in its word, and when it is over", async () => {
    const redis = await redisWith();
    const bridge = await bridgeOn(redis);
    await bridge.decide("alice");
    await bridge.holds(1);
    const permit = await withoutFolder(redis);
    for (let n = 0; n < 5; n++) expect((await bridge.decide(`m${n}`)).action).toBe("DUNNO");
    await until("the complaint", () => about(bridge).length > 0 || undefined);
    expect(about(bridge)).toEqual([
      expect.objectContaining({
        msg: expect.stringMatching(WRITES),
        reason: expect.stringContaining("MISCONF"),
      }),
    ]);
    const told = async () => JSON.parse((await bridge.command("status", "--json")).stdout).store_complaint;
    expect(await told()).toMatchObject({ message: expect.stringMatching(WRITES) });
    await permit();
    await until("a write", async () => {
      await bridge.decide(`again${Math.random()}`);
      return bridge.bridge.log.find(({ msg }) => msg === AGAIN);
    });
    // What is over is no complaint any more.
    expect(await told()).toBe(null);
  });

  it("what ioredis prints by itself is a line like others, without a stack", async () => {
    const bridge = await bridgeOn(await redisWith(), ":s3cret@");
    const line = await until("the line", () => bridge.bridge.log.find(({ from }) => from === "ioredis"));
    expect(line).toMatchObject({
      level: "warn",
      msg: expect.stringContaining("does not require a password"),
    });
    expect(bridge.bridge.stderr).toBe("");
  });
});
