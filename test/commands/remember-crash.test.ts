/** What outlives a crash: decisions remembered on disk, by the built command. */
import { stat } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { DEFER, judged, later, Remembering, senderOf } from "./remembering.ts";

const LMDB = { store: "lmdb:./cache.lmdb", ttl: "1s", stale_if_error: "1h" };
const KNOWN = ["alice", "bad-bob", "carol"];

describe("the service is gone and the bridge was killed: after its next start", () => {
  it.each([
    ["unreachable", (corp: Remembering["corp"]) => corp.stop()],
    [
      "timeout",
      async (corp: Remembering["corp"]) => {
        corp.answering = () => new Promise(() => {});
      },
    ],
  ])("known senders get their own action, unknown ones the default, in time (%s)", async (cause, down) => {
    const bridge = await Remembering.start({ cache: LMDB });
    for (const name of KNOWN) expect(await bridge.decide(name)).toMatchObject({ source: "upstream" });
    await bridge.holds(KNOWN.length);
    await later(1_000);
    await down(bridge.corp);
    await bridge.crash();
    for (const name of KNOWN) {
      const line = await bridge.decide(name);
      expect(line).toMatchObject({ action: judged(name), source: "stale", cause, rule: expect.any(Number) });
      expect(line.age).toBeGreaterThanOrEqual(1);
      expect(line.age).toBeLessThan(60);
      expect(line.ms).toBeLessThan(1_000);
    }
    const unknown = await bridge.decide("dave");
    expect(unknown).toMatchObject({ action: DEFER, source: "default", cause });
    expect(unknown).not.toHaveProperty("age");
    expect(unknown.ms).toBeLessThan(1_000);
    expect((await stat(bridge.site.path("cache.lmdb"))).mode & 0o777).toBe(0o600);
  });
});

describe("killed while it writes", () => {
  it("it starts again, time after time, with what it had written and nothing that is wrong", async () => {
    const bridge = await Remembering.start({ cache: { ...LMDB, ttl: "1h" }, more: { deadline: "5s" } });
    const settled: string[] = [];
    for (let crash = 0; crash < 2; crash++) {
      const answered: string[] = [];
      const clients = await Promise.all(Array.from({ length: 10 }, () => bridge.bridge.connect()));
      const ask = async (worker: number) => {
        for (let i = 0; i < 400; i++) {
          const name = `${i % 2 === 0 ? "bad-" : ""}${crash}-${worker}-${i}`;
          const request = {
            request: "smtpd_access_policy",
            protocol_state: "RCPT",
            recipient: "r@example.net",
          };
          const action = await clients[worker]?.ask({ ...request, sender: senderOf(name) });
          expect(action).toBe(judged(name));
          answered.push(name);
        }
      };
      const load = Promise.allSettled(clients.map((_, worker) => ask(worker)));
      await later(600);
      settled.push(...answered.slice(0, 20));
      await bridge.holds(settled.length);
      await bridge.crash();
      await load;
      expect(answered.length).toBeGreaterThan(20);
      expect(bridge.bridge.log.filter(({ level }) => level === "error")).toEqual([]);
    }
    bridge.corp.answering = () => ({ status: 500 });
    for (const name of settled) {
      expect(await bridge.decide(name)).toMatchObject({ action: judged(name), source: "cache" });
    }
  });
});
