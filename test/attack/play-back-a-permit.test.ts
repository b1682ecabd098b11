/** A writer of Redis, who cannot sign, keeps what was signed and puts it back when it has been revoked. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Remembering, senderOf } from "../commands/remembering.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { isMissing } from "../support/requirement.ts";

const STREAM = "pfxbridge:revocations";
const REFUSED = { action: "REJECT 5.7.1 blocked", source: "upstream" };

describe.skipIf(isMissing("redis", "the attack by playing back"))("a permit that was revoked", () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis?.stop());

  it("is none when it is played back, with the revocations gone, before a restart and after it", {
    timeout: 60_000,
  }, async () => {
    const cache = { store: `redis://127.0.0.1:${redis.port}`, ttl: "1h", timeout: "1s", secret: "s3cret" };
    const bridge = await Remembering.start({ cache, more: { timeout: "5s", deadline: "10s" } });
    expect(await bridge.decide("mallory")).toMatchObject({ action: "DUNNO" });
    await bridge.holds(1);
    const key = redis.cli("KEYS", "pfxbridge:entry:*");
    redis.cli("COPY", key, "stolen");
    bridge.corp.answering = () => ({ body: { allowed: false, reason: "blocked" } });
    expect(await bridge.command("forget", `sender=${senderOf("mallory")}`)).toMatchObject({ status: 0 });
    const playBack = () => {
      redis.cli("DEL", STREAM);
      redis.cli("COPY", "stolen", key, "REPLACE");
    };
    const warned = () => bridge.bridge.log.some(({ msg }) => /^Redis lacks revocations/.test(String(msg)));
    playBack();
    expect(await bridge.decide("mallory")).toMatchObject(REFUSED);
    await expect.poll(warned, { timeout: 10_000 }).toBe(true);
    bridge.bridge.signal("SIGKILL");
    await bridge.bridge.ended;
    playBack();
    await bridge.crash();
    expect(await bridge.decide("mallory")).toMatchObject(REFUSED);
    await expect.poll(warned, { timeout: 10_000 }).toBe(true);
  });

  it("cannot be forged, nor made another's", { timeout: 60_000 }, async () => {
    redis.cli("FLUSHALL");
    const cache = { store: `redis://127.0.0.1:${redis.port}`, ttl: "1h", timeout: "1s", secret: "s3cret" };
    const bridge = await Remembering.start({ cache, more: { timeout: "5s", deadline: "10s" } });
    bridge.corp.answering = ({ json }) => ({ body: { allowed: json?.sender === senderOf("alice") } });
    await bridge.decide("alice");
    await bridge.holds(1);
    const permit = redis.cli("KEYS", "pfxbridge:entry:*");
    await bridge.decide("mallory");
    await bridge.holds(2);
    const denial =
      redis
        .cli("KEYS", "pfxbridge:entry:*")
        .split("\n")
        .find((name) => name !== permit) ?? "";
    expect(await bridge.decide("mallory")).toMatchObject({ action: "REJECT 5.7.1 no", source: "cache" });
    redis.cli("COPY", permit, denial, "REPLACE");
    expect(await bridge.decide("mallory")).toMatchObject({ action: "REJECT 5.7.1 no", source: "upstream" });
    await bridge.bridge.logged({ msg: "a remembered decision was not used: it cannot be trusted" });
  });
});
