import { describe, expect, it } from "vitest";
import { formatDuration, parseDuration } from "../../src/config/duration.ts";

describe("durations", () => {
  it.each([
    ["250ms", 250],
    ["3s", 3000],
    ["5m", 300_000],
    ["24h", 86_400_000],
    ["0s", 0],
  ])("%s", (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds);
  });

  it.each(["", "3", "s", "3 s", "1.5s", "-1s", "3S", "1d", "1s ", "600h", "99999999999s"])(
    "not %j",
    (text) => {
      expect(parseDuration(text)).toBeUndefined();
    },
  );

  it.each([
    [250, "250ms"],
    [1500, "1500ms"],
    [3000, "3s"],
    [90_000, "90s"],
    [86_400_000, "24h"],
    [0, "0ms"],
  ])("%d ms is written %s", (milliseconds, text) => {
    expect(formatDuration(milliseconds)).toBe(text);
  });
});
