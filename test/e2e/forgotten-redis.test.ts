/** What is forgotten stays forgotten though Redis loses it: killed before it saved, emptied, robbed of its revocations. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { later, Remembering, senderOf } from "../commands/remembering.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { isMissing } from "../support/requirement.ts";

const REFUSED = { action: "REJECT 5.7.1 blocked", source: "upstream" };
const mallory = `sender=${senderOf("mallory")}`;
const WARNING = /^Redis lacks revocations that this host knows/;

describe.skipIf(isMissing("redis", "tests of what Redis loses"))(
  "two bridges on one Redis that loses",
  () => {
    let redis: RedisServer;

    beforeAll(async () => {
      redis = await startRedis();
    });
    // Not after a test: its bridges run until then, and write what Redis lacks.
    beforeEach(() => redis.cli("FLUSHALL"));
    afterAll(() => redis?.stop());

    /** Both know a permit of mallory, which is on Redis' disk; then the service denies, and one is told to forget. */
    async function forgetting(): Promise<readonly [Remembering, Remembering]> {
      const cache = { store: `redis://127.0.0.1:${redis.port}`, ttl: "1h", timeout: "1s", secret: "s3cret" };
      const a = await Remembering.start({ cache });
      const b = await Remembering.start({ cache, corp: a.corp });
      await a.decide("mallory");
      await b.holds(1);
      redis.cli("SAVE");
      a.corp.answering = () => ({ body: { allowed: false, reason: "blocked" } });
      const { status, stdout } = await a.command("forget", mallory);
      expect({ status, stdout }).toMatchObject({ status: 0, stdout: expect.stringMatching(/met: 1\n$/) });
      await later(1_000);
      return [a, b];
    }

    const revocations = () => redis.cli("XRANGE", "pfxbridge:revocations", "-", "+");
    const restored = () => redis.cli("KEYS", "pfxbridge:entry:*");
    const warned = ({ bridge }: Remembering) => bridge.log.some(({ msg }) => WARNING.test(String(msg)));

    async function killRedis(): Promise<void> {
      await redis.kill();
      await redis.start();
    }

    it("its last writes: whoever runs on writes them again, and a third hears of it", async () => {
      const [a, b] = await forgetting();
      await killRedis();
      expect(restored()).not.toBe("");
      await expect.poll(revocations, { timeout: 10_000 }).toContain(senderOf("mallory"));
      await later(700);
      expect(await a.decide("mallory")).toMatchObject(REFUSED);
      expect(await b.decide("mallory")).toMatchObject(REFUSED);
      expect([a, b].some(warned)).toBe(true);
    });

    it("its last writes while no bridge runs: each knows it from its own disk", async () => {
      const bridges = await forgetting();
      for (const { bridge } of bridges) {
        bridge.signal("SIGKILL");
        await bridge.ended;
      }
      await killRedis();
      expect(restored()).not.toBe("");
      expect(revocations()).toBe("");
      for (const bridge of bridges) {
        await bridge.crash();
        expect(await bridge.decide("mallory")).toMatchObject(REFUSED);
      }
      await expect.poll(revocations, { timeout: 10_000 }).toContain(senderOf("mallory"));
    });

    it("its revocations to somebody who then plays back an old signed permit", async () => {
      const cache = { store: `redis://127.0.0.1:${redis.port}`, ttl: "1h", timeout: "1s", secret: "s3cret" };
      const a = await Remembering.start({ cache });
      await a.decide("mallory");
      await a.holds(1);
      const key = restored();
      redis.cli("COPY", key, "stolen");
      a.corp.answering = () => ({ body: { allowed: false, reason: "blocked" } });
      await a.command("forget", mallory);
      redis.cli("DEL", "pfxbridge:revocations");
      redis.cli("COPY", "stolen", key, "REPLACE");
      expect(await a.decide("mallory")).toMatchObject(REFUSED);
      await expect.poll(() => warned(a), { timeout: 5_000 }).toBe(true);
      await expect.poll(revocations, { timeout: 10_000 }).toContain(senderOf("mallory"));
      a.bridge.signal("SIGKILL");
      await a.bridge.ended;
      redis.cli("DEL", "pfxbridge:revocations");
      redis.cli("COPY", "stolen", key, "REPLACE");
      await a.crash();
      expect(await a.decide("mallory")).toMatchObject(REFUSED);
      await expect.poll(() => warned(a), { timeout: 5_000 }).toBe(true);
    });
  },
);
