import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type CachePolicy, DecisionCache } from "../../src/cache/cache.ts";
import { countMet, deleteMet } from "../../src/cache/forget.ts";
import type { Remembered, Revocation, Store } from "../../src/cache/store.ts";
import type { Cause } from "../../src/model/failure.ts";
import { type PolicyRequest, policyRequest } from "../../src/model/request.ts";

/** A store in the test's hands. */
class HeldStore implements Store {
  readonly kind = "memory";
  readonly held = new Map<string, Remembered>();
  revoked: (revocation: Revocation) => void = () => {};
  get(key: string) {
    return this.held.get(key);
  }
  set(key: string, entry: Remembered) {
    this.held.set(key, entry);
  }
  delete(key: string) {
    this.held.delete(key);
  }
  async count() {
    return this.held.size;
  }
  async *entries() {
    yield* this.held;
  }
  async revoke(revocation: Revocation) {
    this.revoked(revocation);
  }
  onRevocation(listener: (revocation: Revocation) => void) {
    this.revoked = listener;
  }
  async close() {}
}

const HOUR = 3_600_000;
const NOW = 1_800_000_000_000;
const POLICY: CachePolicy = {
  ttl: 60_000,
  maxTtl: 600_000,
  staleIfError: 600_000,
  staleCauses: new Set<Cause>(["timeout", "offline"]),
  only: new Set(["permit", "deny"]),
  markStale: null,
  signature: undefined,
  keepsVerdicts: false,
};
const REPLY = { status: 200, headers: new Map<string, string>(), body: Buffer.from('{"ok":true}') };

function requestOf(attributes: Record<string, string> = { sender: "a@example.net" }): PolicyRequest {
  return policyRequest(new Map(Object.entries(attributes)), { listener: "l", recipients: [] });
}

function cacheWith(policy: Partial<CachePolicy> = {}) {
  const store = new HeldStore();
  return { store, cache: new DecisionCache("corp", { ...POLICY, ...policy }, store, () => "key") };
}

const keep = (cache: DecisionCache, action = "DUNNO", of = requestOf()) =>
  cache.keep("key", REPLY, { action, rule: 1 }, of);

async function lines(cache: DecisionCache): Promise<string[]> {
  const exported: string[] = [];
  for await (const line of cache.export()) exported.push(line);
  return exported;
}

beforeEach(() => {
  vi.useFakeTimers({ now: NOW, toFake: ["Date"] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe("remembered decisions", () => {
  it("are found fresh until the ttl ends, then stale until stale_if_error ends, then not at all", () => {
    const { cache } = cacheWith();
    keep(cache);
    vi.setSystemTime(NOW + 59_999);
    expect(cache.find("key", requestOf())).toMatchObject({ fresh: true, age: 59, reply: REPLY });
    vi.setSystemTime(NOW + 60_000);
    expect(cache.find("key", requestOf())).toMatchObject({ fresh: false, age: 60 });
    vi.setSystemTime(NOW + 659_999);
    expect(cache.find("key", requestOf())).toMatchObject({ fresh: false });
    vi.setSystemTime(NOW + 660_000);
    expect(cache.find("key", requestOf())).toBeUndefined();
  });

  it("are due to be asked again in the last tenth of their ttl", () => {
    const { cache } = cacheWith();
    keep(cache);
    vi.setSystemTime(NOW + 53_000);
    expect(cache.find("key", requestOf())).toMatchObject({ due: false });
    vi.setSystemTime(NOW + 55_000);
    expect(cache.find("key", requestOf())).toMatchObject({ due: true });
    vi.setSystemTime(NOW + 61_000);
    expect(cache.find("key", requestOf())).toMatchObject({ due: false });
  });

  it("from the future, because a clock has jumped, count as expired", () => {
    const { cache } = cacheWith();
    keep(cache);
    vi.setSystemTime(NOW - 1);
    expect(cache.find("key", requestOf())).toBeUndefined();
  });

  it("of another service under the same key are not used", () => {
    const { cache, store } = cacheWith();
    keep(cache);
    store.held.set("key", { ...store.held.get("key")!, service: "other" });
    expect(cache.find("key", requestOf())).toBeUndefined();
  });

  it.each<[string, readonly string[], string, boolean]>([
    ["a permit", ["permit", "deny"], "DUNNO", true],
    ["a grant", ["permit", "deny"], "OK", true],
    ["a header for the message", ["permit", "deny"], "PREPEND X-A: b", true],
    ["a denial", ["permit", "deny"], "REJECT 5.7.1 no", true],
    ["a denial by code", ["permit", "deny"], "550 no", true],
    ["a deferral, never unless asked for", ["permit", "deny"], "DEFER later", false],
    ["a deferral if permitted, never unless asked for", ["permit", "deny"], "DEFER_IF_PERMIT later", false],
    ["a 4xx, never unless asked for", ["permit", "deny"], "450 later", false],
    ["a deferral that is asked for", ["permit", "DEFER"], "DEFER later", true],
    ["a denial where only permits are kept", ["permit"], "REJECT", false],
    ["a permit where only denials are kept", ["deny"], "DUNNO", false],
    ["discarding is a denial", ["permit"], "DISCARD", false],
    ["a verb by name", ["REJECT"], "REJECT 5.7.1 no", true],
    ["another verb than the one named", ["REJECT"], "550 no", false],
  ])("%s", (_, only, action, kept) => {
    const { cache, store } = cacheWith({ only: new Set(only) });
    keep(cache, action);
    expect(store.held.size).toBe(kept ? 1 : 0);
  });

  it("are not kept where the reply forbids it, and then what was kept before is gone", () => {
    const { cache, store } = cacheWith();
    keep(cache);
    const reply = { ...REPLY, headers: new Map([["cache-control", "no-store"]]) };
    expect(cache.keep("key", reply, { action: "DUNNO", rule: 1 }, requestOf())).toBeNull();
    expect(store.held.size).toBe(0);
  });

  it.each<[string, readonly string[], string, boolean]>([
    ["a denial where only permits are kept", ["permit"], "REJECT no", false],
    ["a permit where only denials are kept", ["deny"], "DUNNO", false],
    ["a deferral, which says nothing of afterwards", ["permit", "deny"], "DEFER later", true],
    ["a 4xx, which says nothing of afterwards", ["permit"], "450 later", true],
  ])("after another answer are no longer what the service says: %s", (_, only, action, remains) => {
    const { cache, store } = cacheWith({ only: new Set(only) });
    keep(cache, only[0] === "deny" ? "REJECT" : "DUNNO");
    keep(cache, action);
    expect(store.held.size).toBe(remains ? 1 : 0);
  });

  it("are gone when the reply that takes their place is too large", () => {
    const { cache, store } = cacheWith();
    keep(cache);
    const reply = { ...REPLY, body: Buffer.alloc(64 * 1024 + 1) };
    cache.keep("key", reply, { action: "DUNNO", rule: 1 }, requestOf());
    expect(store.held.size).toBe(0);
  });

  it("are not replaced by older ones of an export", async () => {
    const { cache, store } = cacheWith();
    keep(cache);
    const [old = ""] = await lines(cache);
    vi.setSystemTime(NOW + 1000);
    keep(cache, "REJECT");
    expect(await cache.load(old)).toBe("a younger one is remembered already");
    store.held.clear();
    expect(await cache.load(old)).toBeUndefined();
    expect(cache.find("key", requestOf())).toMatchObject({ age: 1 });
  });

  it("past their end are in no export, though the store has not deleted them yet", async () => {
    const { cache } = cacheWith();
    keep(cache);
    vi.setSystemTime(NOW + 659_999);
    expect(await lines(cache)).toHaveLength(1);
    vi.setSystemTime(NOW + 660_000);
    expect(await lines(cache)).toEqual([]);
  });

  it("are not kept where the reply is larger than 64 KiB", () => {
    const { cache, store } = cacheWith();
    const reply = { ...REPLY, body: Buffer.alloc(64 * 1024 + 1) };
    cache.keep("key", reply, { action: "DUNNO", rule: 1 }, requestOf());
    expect(store.held.size).toBe(0);
  });

  it("answer only the causes that they may answer", () => {
    const { cache } = cacheWith();
    expect(cache.covers("timeout")).toBe(true);
    expect(cache.covers("http_4xx")).toBe(false);
  });

  it.each([true, false])(
    "keep what the rules made of the reply where they look at nothing else: %s",
    (keepsVerdicts) => {
      const { cache, store } = cacheWith({ keepsVerdicts });
      keep(cache, "REJECT no");
      expect(store.held.get("key")?.verdict).toEqual(
        keepsVerdicts ? { action: "REJECT no", rule: 1 } : undefined,
      );
    },
  );

  it("bear the operator's mark when they are stale, instead of a DUNNO only", () => {
    const { cache } = cacheWith({ markStale: "PREPEND X-Policy: stale" });
    expect(cache.marked("DUNNO")).toBe("PREPEND X-Policy: stale");
    expect(cache.marked("OK")).toBe("OK");
    expect(cache.marked("REJECT no")).toBe("REJECT no");
  });
});

describe("revoked decisions", () => {
  it.each<[string, Omit<Revocation, "at">, boolean]>([
    ["of that sender", { attributes: { sender: "a@example.net" } }, true],
    ["of another sender", { attributes: { sender: "b@example.net" } }, false],
    [
      "of that sender and that client",
      { attributes: { sender: "a@example.net", client_address: "1.2.3.4" } },
      false,
    ],
    ["of that service", { service: "corp", attributes: {} }, true],
    ["of another service", { service: "other", attributes: {} }, false],
    ["of all", { attributes: {} }, true],
  ])("%s", async (_, revocation, forgotten) => {
    const { cache, store } = cacheWith();
    keep(cache);
    vi.setSystemTime(NOW + 1000);
    await store.revoke({ at: NOW + 500, ...revocation });
    expect(cache.find("key", requestOf()) === undefined).toBe(forgotten);
  });

  it("cover the request that would be answered, though another one was asked for", async () => {
    const { cache, store } = cacheWith();
    keep(cache, "DUNNO", requestOf({ sasl_username: "alice" }));
    await store.revoke({ at: NOW + 500, attributes: { sasl_username: "bob" } });
    vi.setSystemTime(NOW + 1000);
    expect(cache.find("key", requestOf({ sasl_username: "bob" }))).toBeUndefined();
    expect(cache.find("key", requestOf({ sasl_username: "carol" }))).toBeDefined();
  });

  it("do not cover what was asked for afterwards", async () => {
    const { cache, store } = cacheWith();
    await store.revoke({ at: NOW, attributes: {} });
    vi.setSystemTime(NOW + 1);
    keep(cache);
    expect(cache.find("key", requestOf())).toBeDefined();
  });

  it("cover what was found before they came", async () => {
    const { cache, store } = cacheWith();
    keep(cache);
    const found = cache.find("key", requestOf());
    if (found === undefined || found instanceof Promise) throw new Error("not found");
    expect(cache.isStillUsable(found, requestOf())).toBe(true);
    await store.revoke({ at: NOW, attributes: {} });
    expect(cache.isStillUsable(found, requestOf())).toBe(false);
  });

  it("begin another epoch, each of them once", async () => {
    const { cache, store } = cacheWith();
    const before = cache.epoch;
    for (let time = 0; time < 2; time++) await store.revoke({ at: NOW, attributes: { sender: "a" } });
    expect(cache.epoch).toBe(before + 1);
  });

  it("are known to all who use the store, now and later", async () => {
    const { store, cache } = cacheWith();
    keep(cache);
    await store.revoke({ at: NOW, attributes: {} });
    const another = new DecisionCache("corp", POLICY, store, () => "key");
    expect(another.find("key", requestOf())).toBeUndefined();
  });

  it("cover what the service was still thinking about when they came", async () => {
    const { cache, store } = cacheWith();
    const asked = requestOf();
    vi.setSystemTime(NOW + 10);
    await store.revoke({ at: NOW + 10, attributes: {} });
    vi.setSystemTime(NOW + 20);
    keep(cache, "DUNNO", asked);
    expect(cache.find("key", requestOf())).toBeUndefined();
  });

  it("that a fast clock has remembered stay forgotten when the clock has been put right and the time comes", async () => {
    const { cache, store } = cacheWith({ ttl: 3 * HOUR });
    vi.setSystemTime(NOW + HOUR);
    keep(cache);
    const fromTheFuture = store.held.get("key")!;
    vi.setSystemTime(NOW);
    const revocation = { at: NOW, attributes: { sender: "a@example.net" } };
    await store.revoke(revocation);
    expect(await deleteMet(store, revocation)).toEqual({ met: 1, complete: true });
    expect(store.held.size).toBe(0);
    // Another process, or a copy of the store, may have it still.
    store.held.set("key", fromTheFuture);
    vi.setSystemTime(NOW + 2 * HOUR);
    expect(cache.find("key", requestOf())).toBeUndefined();
    keep(cache);
    expect(cache.find("key", requestOf())).toBeDefined();
  });

  it("of one stay so when the time of a fast clock comes, though what it has remembered was asked for another", async () => {
    const { cache, store } = cacheWith({ ttl: 3 * HOUR });
    const [alice, mallory] = ["alice", "mallory"].map((sasl_username) => requestOf({ sasl_username }));
    vi.setSystemTime(NOW + HOUR);
    keep(cache, "DUNNO", { ...alice!, time: Date.now() });
    vi.setSystemTime(NOW);
    const revocation = { at: NOW, attributes: { sasl_username: "mallory" } };
    await store.revoke(revocation);
    expect(await deleteMet(store, revocation)).toEqual({ met: 0, complete: true });
    vi.setSystemTime(NOW + 2 * HOUR);
    expect(cache.find("key", alice!)).toBeDefined();
    expect(cache.find("key", mallory!)).toBeUndefined();
  });

  it("stay so when the clock is put right while the service is asked", async () => {
    const { cache, store } = cacheWith({ ttl: 3 * HOUR });
    vi.setSystemTime(NOW + HOUR);
    const asked = requestOf();
    vi.setSystemTime(NOW);
    const revocation = { at: NOW, attributes: { sender: "a@example.net" } };
    await store.revoke(revocation);
    await deleteMet(store, revocation);
    expect(keep(cache, "DUNNO", asked)).toBeNull();
    vi.setSystemTime(NOW + 2 * HOUR);
    expect(cache.find("key", requestOf())).toBeUndefined();
  });

  it("are met only where they are from before, of that service, and not over", async () => {
    const { cache, store } = cacheWith();
    const revocation = { at: NOW, service: "corp", attributes: { sender: "a@example.net" } };
    keep(cache);
    const entry = store.held.get("key")!;
    store.held.set("other sender", { ...entry, asked: { ...entry.asked, attributes: new Map() } });
    store.held.set("other service", { ...entry, service: "other" });
    store.held.set("over", {
      ...entry,
      storedAt: NOW - 2 * HOUR,
      freshUntil: NOW - HOUR,
      staleUntil: NOW - 1,
    });
    store.held.set("asked since", { ...entry, storedAt: NOW + 5 });
    vi.setSystemTime(NOW + 10);
    expect(await countMet(store, { ...revocation, at: NOW })).toMatchObject({ complete: true });
    await store.revoke(revocation);
    expect(await deleteMet(store, revocation)).toEqual({ met: 1, complete: true });
    expect([...store.held.keys()].sort()).toEqual(["asked since", "other sender", "other service", "over"]);
  });

  it("are in no export, which says that they are; and loading it forgets them elsewhere", async () => {
    const { cache, store } = cacheWith({ signature: "s" });
    keep(cache);
    const before = await lines(cache);
    vi.setSystemTime(NOW + 1000);
    await store.revoke({ at: NOW + 500, attributes: { sender: "a@example.net" } });
    const after = await lines(cache);
    expect(after.map((line) => JSON.parse(line))).toEqual([
      {
        version: 1,
        service: "corp",
        forgotten_at: new Date(NOW + 500).toISOString(),
        attributes: { sender: "a@example.net" },
        mac: expect.any(String),
      },
    ]);
    const other = cacheWith({ signature: "s" });
    for (const line of [...before, ...after]) expect(await other.cache.load(line)).toBeUndefined();
    expect(other.cache.find("key", requestOf())).toBeUndefined();
    expect(await other.cache.load(before[0] ?? "")).toBe("it has been forgotten");
    expect(await other.cache.load(after[0]!.replace("a@example.net", "b@example.net"))).toMatch(/signature/);
  });
});
