import { describe, expect, it } from "vitest";
import type { Remembered, Store } from "../../../src/cache/store.ts";
import { guard } from "../../../src/cache/stores/guarded.ts";
import { MemoryStore } from "../../../src/cache/stores/memory.ts";
import { bodyOf, options, recorder, remembered, until } from "./entries.ts";

type Get = Store["get"];

/** A store whose looks are as the test says. */
function storeWith(get: Get): Store {
  const store = new MemoryStore(options(recorder()));
  return Object.assign(Object.create(store), {
    get,
    set: (...entry: Parameters<Store["set"]>) => store.set(...entry),
  }) as Store;
}

const never: Get = () => new Promise<Remembered | undefined>(() => {});

describe("a guarded store", () => {
  it("passes through at once what comes at once", () => {
    const store = guard(
      storeWith(() => remembered("one")),
      { timeout: 50, log: recorder() },
    );
    expect(bodyOf(store.get("a") as Remembered)).toBe("one");
  });

  it("gives what comes in time", async () => {
    const store = guard(
      storeWith(async () => remembered("one")),
      { timeout: 50, log: recorder() },
    );
    expect(bodyOf(await store.get("a"))).toBe("one");
  });

  it.each<[string, Get]>([
    ["hangs", never],
    ["fails", async () => Promise.reject(new Error("boom"))],
    [
      "throws",
      () => {
        throw new Error("boom");
      },
    ],
  ])("finds nothing where the store %s, and leaves it alone after three times", async (_, get) => {
    const log = recorder();
    let looks = 0;
    const store = guard(
      storeWith((key) => {
        looks++;
        return get(key);
      }),
      { timeout: 30, log, pause: 60_000 },
    );
    const begun = performance.now();
    for (let n = 0; n < 100; n++) expect(await store.get("a")).toBeUndefined();
    expect(performance.now() - begun).toBeLessThan(2000);
    expect(looks).toBe(3);
    expect(log.at("warn")).toHaveLength(1);
  });

  it("tries again with one look after a pause, and says when it is well", async () => {
    const log = recorder();
    let get = never;
    let looks = 0;
    const store = guard(
      storeWith((key) => {
        looks++;
        return get(key);
      }),
      { timeout: 20, log, pause: 100 },
    );
    await Promise.all([1, 2, 3].map(() => store.get("a")));
    get = async () => remembered("back");
    expect(store.get("a")).toBeUndefined();
    await new Promise((resolve) => setTimeout(resolve, 150));
    looks = 0;
    const trial = store.get("a");
    expect(store.get("a")).toBeUndefined();
    expect(bodyOf(await trial)).toBe("back");
    expect(looks).toBe(1);
    await until(async () => bodyOf(await store.get("a")) === "back");
    expect(log.at("info")).toHaveLength(1);
  });
});
