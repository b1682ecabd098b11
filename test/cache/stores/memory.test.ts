import { describe, expect, it } from "vitest";
import { MemoryStore } from "../../../src/cache/stores/memory.ts";
import { bodyOf, options, recorder, remembered } from "./entries.ts";

describe("the store in memory", () => {
  it("gives back what it was given, at once", () => {
    const store = new MemoryStore(options(recorder()));
    store.set("a", remembered("one"));
    expect(bodyOf(store.get("a"))).toBe("one");
    store.delete("a");
    expect(store.get("a")).toBeUndefined();
  });

  it("keeps no more entries than it may, and those used last", async () => {
    const store = new MemoryStore(options(recorder(), { maxEntries: 10 }));
    for (let n = 0; n < 10; n++) store.set(`key${n}`, remembered(`${n}`));
    store.get("key0");
    store.set("another", remembered("another"));
    expect(await store.count()).toBe(10);
    expect(store.get("key0")).toBeDefined();
    expect(store.get("key1")).toBeUndefined();
  });

  it("keeps no more bytes than it may", async () => {
    const store = new MemoryStore(options(recorder()), 100_000);
    for (let n = 0; n < 100; n++)
      store.set(
        `key${n}`,
        remembered("x", { reply: { status: 200, headers: new Map(), body: Buffer.alloc(10_000) } }),
      );
    expect(await store.count()).toBeLessThanOrEqual(10);
    expect(await store.count()).toBeGreaterThan(5);
  });

  it("keeps nothing that is past its end already", () => {
    const store = new MemoryStore(options(recorder()));
    store.set("a", remembered("one", { freshUntil: 1, staleUntil: 2 }));
    expect(store.get("a")).toBeUndefined();
  });

  it("tells revocations, also to those who ask later", async () => {
    const store = new MemoryStore(options(recorder()));
    const heard: string[] = [];
    store.onRevocation(({ service }) => heard.push(`early ${service}`));
    await store.revoke({ at: Date.now(), service: "corp", attributes: {} });
    store.onRevocation(({ service }) => heard.push(`late ${service}`));
    expect(heard).toEqual(["early corp", "late corp"]);
  });
});
