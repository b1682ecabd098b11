import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Found } from "../../src/cache/cache.ts";
import { Refresher } from "../../src/decision/refresher.ts";
import { type PolicyRequest, policyRequest } from "../../src/model/request.ts";

const NOW = 1_800_000_000_000;
const request = (sender: string) => policyRequest(new Map([["sender", sender]]), { id: "old", time: 0 });
const reply = { status: 200, headers: new Map<string, string>(), body: Buffer.alloc(0) };
const fresh = (seconds: number): Found => {
  const storedAt = Date.now();
  const freshUntil = storedAt + seconds * 1000;
  const asked = { attributes: new Map(), listener: "l", recipients: [] };
  const entry = { service: "corp", reply, storedAt, freshUntil, staleUntil: freshUntil, asked };
  return { entry, reply, fresh: true, freshUntil, age: 0, due: false };
};
/** Lets promises settle. */
const settle = () => vi.advanceTimersByTimeAsync(0);

beforeEach(() => {
  vi.useFakeTimers({ now: NOW });
});
afterEach(() => {
  vi.useRealTimers();
});

describe("an entry in use that is due", () => {
  it("is asked again once, as a decision of its own", async () => {
    const asked: PolicyRequest[] = [];
    const refresher = new Refresher(
      async (request) => {
        asked.push(request);
        return fresh(60);
      },
      () => true,
      [],
    );
    refresher.refresh("k", request("a"));
    refresher.refresh("k", request("a"));
    await settle();
    expect(asked.map(({ attributes }) => attributes.get("sender"))).toEqual(["a"]);
    expect(asked[0]?.id).not.toBe("old");
    expect(asked[0]?.time).toBe(NOW);
  });

  it("is not asked again while no calls are made", async () => {
    const renew = vi.fn(async () => fresh(60));
    new Refresher(renew, () => false, []).refresh("k", request("a"));
    await settle();
    expect(renew).not.toHaveBeenCalled();
  });

  it("leaves a service in trouble alone for five seconds, whatever else is due", async () => {
    const renew = vi.fn(async (): Promise<Found> => Promise.reject(new Error("down")));
    const refresher = new Refresher(renew, () => true, []);
    refresher.refresh("a", request("a"));
    await settle();
    refresher.refresh("b", request("b"));
    await vi.advanceTimersByTimeAsync(4_900);
    refresher.refresh("c", request("c"));
    expect(renew).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(200);
    refresher.refresh("d", request("d"));
    expect(renew).toHaveBeenCalledTimes(2);
  });

  it("waits where sixteen are being asked", async () => {
    const renew = vi.fn(() => new Promise<Found>(() => {}));
    const refresher = new Refresher(renew, () => true, []);
    for (let i = 0; i < 40; i++) refresher.refresh(`k${i}`, request("a"));
    expect(renew).toHaveBeenCalledTimes(16);
  });
});

describe("the requests of warm", () => {
  it("are asked at the start and again before what is remembered grows old", async () => {
    const asked: string[] = [];
    const refresher = new Refresher(
      async ({ attributes }) => {
        asked.push(`${attributes.get("sender")} at ${(Date.now() - NOW) / 1000}`);
        return fresh(100);
      },
      () => true,
      [request("a"), request("b")],
    );
    await vi.advanceTimersByTimeAsync(1_000);
    expect(asked).toEqual(["a at 1", "b at 1"]);
    await vi.advanceTimersByTimeAsync(79_000);
    expect(asked).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(3_000);
    expect(asked).toHaveLength(4);
    refresher.close();
    await vi.advanceTimersByTimeAsync(200_000);
    expect(asked).toHaveLength(4);
  });

  it("are all asked, also where there are more than can be asked at once", async () => {
    const asked = new Set<string>();
    const list = Array.from({ length: 1000 }, (_, i) => request(`s${i}`));
    const refresher = new Refresher(
      async ({ attributes }) => {
        asked.add(attributes.get("sender") ?? "");
        return fresh(1000);
      },
      () => true,
      list,
    );
    await vi.advanceTimersByTimeAsync(2_000);
    expect(asked.size).toBe(1000);
    refresher.close();
  });

  it("are asked in time also when the clock is set back by a day", async () => {
    const renew = vi.fn(async () => fresh(100));
    const refresher = new Refresher(renew, () => true, [request("a")]);
    await vi.advanceTimersByTimeAsync(1_000);
    vi.setSystemTime(NOW - 86_400_000);
    await vi.advanceTimersByTimeAsync(82_000);
    expect(renew).toHaveBeenCalledTimes(2);
    refresher.close();
  });

  it("are left alone while the service is down, and asked when it is back", async () => {
    let down = true;
    const renew = vi.fn(async (): Promise<Found> => (down ? Promise.reject(new Error("down")) : fresh(100)));
    const refresher = new Refresher(
      renew,
      () => true,
      Array.from({ length: 100 }, (_, i) => request(`s${i}`)),
    );
    await vi.advanceTimersByTimeAsync(20_000);
    expect(renew.mock.calls.length).toBeLessThanOrEqual(16 * 4);
    down = false;
    await vi.advanceTimersByTimeAsync(40_000);
    expect(renew.mock.calls.length).toBeGreaterThanOrEqual(100);
    refresher.close();
  });
});
