import { describe, expect, it } from "vitest";
import { LATE, within } from "../../src/time/within.ts";

const later = <T>(milliseconds: number, value: T) =>
  new Promise<T>((resolve) => setTimeout(resolve, milliseconds, value));

describe("a promise against time", () => {
  it("gives what comes in time", async () => {
    expect(await within(5_000, later(1, "x"))).toBe("x");
    expect(await within(5_000, Promise.resolve(undefined))).toBeUndefined();
  });

  it("is late when it does not", async () => {
    expect(await within(1, later(5_000, "x"))).toBe(LATE);
  });

  it("fails as the promise does, in time", async () => {
    await expect(within(5_000, Promise.reject(new Error("no")))).rejects.toThrow("no");
  });

  it("says nothing of a failure that comes too late", async () => {
    const failing = new Promise((_, reject) => setTimeout(() => reject(new Error("late")), 10));
    expect(await within(1, failing)).toBe(LATE);
    await later(30, null);
  });
});
