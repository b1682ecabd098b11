import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Refusal, remedyFor } from "../../../src/cache/stores/refusal.ts";

const READONLY = new Error("READONLY You can't write against a read only replica.");
const lines: [string, object][] = [];
const note = (level: string) => (fields: object, message: string) =>
  void lines.push([`${level} ${message}`, fields]);
const log = { debug: note("debug"), info: note("info"), warn: note("warn"), error: note("error") };
let refusal: Refusal;

beforeEach(() => {
  vi.useFakeTimers();
  lines.length = 0;
  refusal = new Refusal(log, "127.0.0.1:6379", { begins: "begins", ends: "ends" });
});
afterEach(() => void vi.useRealTimers());

describe("what Redis refuses", () => {
  it("is said once when it begins, with Redis' word and what to do, and once when it is over", () => {
    for (let n = 0; n < 50; n++) refusal.failed(READONLY);
    vi.advanceTimersByTime(7000);
    refusal.succeeded();
    refusal.succeeded();
    expect(lines).toEqual([
      [
        "warn begins",
        expect.objectContaining({ reason: READONLY.message, advice: expect.stringContaining("master") }),
      ],
      ["info ends", expect.objectContaining({ after_s: 7, refused: 50 })],
    ]);
  });

  it("is tried again after growing pauses, up to five seconds", () => {
    refusal.failed(READONLY);
    const tried: number[] = [];
    for (let ms = 0; ms < 30_000; ms += 50) {
      if (refusal.admits()) {
        tried.push(ms);
        refusal.failed(READONLY);
      }
      vi.advanceTimersByTime(50);
    }
    const pauses = tried.map((at, n) => at - (tried[n - 1] ?? 0));
    expect(pauses.slice(0, 6)).toEqual([250, 500, 1000, 2000, 4000, 5000]);
    expect(tried.length).toBeLessThan(12);
  });

  it("by turns refused and taken does not flood the log", () => {
    for (let ms = 0; ms < 600_000; ms += 100) {
      if (refusal.admits()) {
        if (refusal.isRefused) refusal.succeeded();
        else refusal.failed(READONLY);
      }
      vi.advanceTimersByTime(100);
    }
    expect(lines.length).toBeLessThan(50);
  });

  it("of one key or one command is somebody else's to tell", () => {
    expect(
      refusal.failed(new Error("WRONGTYPE Operation against a key holding the wrong kind of value")),
    ).toBe(false);
    expect(refusal.admits()).toBe(true);
    expect(lines).toEqual([]);
  });
});

it.each([
  "OOM command not allowed when used memory > 'maxmemory'.",
  "MISCONF Redis is configured to save RDB snapshots",
  "LOADING Redis is loading the dataset in memory",
  "NOAUTH Authentication required.",
  "WRONGPASS invalid username-password pair or user is disabled.",
  "NOPERM User bridge has no permissions to run the 'set' command",
  "CLUSTERDOWN Hash slot not served",
  "MASTERDOWN Link with MASTER is down",
  "NOREPLICAS Not enough good replicas to write.",
  "ERR max number of clients reached",
])("there is something to do about %s", (word) => {
  expect(remedyFor(word)).toMatch(/\w/);
});
