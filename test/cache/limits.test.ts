import { describe, expect, it } from "vitest";
import { isKey, isRememberable } from "../../src/cache/limits.ts";
import type { Remembered } from "../../src/cache/store.ts";
import { remembered } from "./stores/entries.ts";

const NOW = 1_800_000_000_000;
const DAY = 24 * 3600 * 1000;
const times = { storedAt: NOW, freshUntil: NOW + DAY, staleUntil: NOW + 2 * DAY };

describe("what an entry may hold", () => {
  it.each<[string, Partial<Remembered>, boolean]>([
    ["the times of a decision", {}, true],
    ["the longest life that there is", { staleUntil: NOW + 60 * DAY }, true],
    ["a longer one, which would outlive its revocation", { staleUntil: NOW + 60 * DAY + 1 }, false],
    ["an end before it is no longer fresh", { freshUntil: NOW + 3 * DAY }, false],
    ["a time that is none", { storedAt: Number.NaN }, false],
    ["a time before 1970", { storedAt: -1 }, false],
  ])("%s", (_, change, possible) => {
    expect(isRememberable(remembered("a", { ...times, ...change }))).toBe(possible);
  });

  it.each([
    ["k", true],
    ["", false],
    ["k".repeat(501), false],
    ["k\n", false],
  ])("%j as a key", (key, possible) => {
    expect(isKey(key)).toBe(possible);
  });
});
