import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { OfflineSwitch } from "../../src/bridge/offline.ts";

const NOW = Date.parse("2026-03-01T12:00:00Z");
const HOUR = 3_600_000;

beforeEach(() => vi.useFakeTimers({ now: NOW, toFake: ["Date"] }));
afterEach(() => vi.useRealTimers());

describe("what the configuration and the command line say", () => {
  it.each([
    ["nothing", false, false, { corp: false, other: false }],
    ["offline: true", true, false, { corp: true, other: true }],
    ["offline: [corp]", ["corp"], false, { corp: true, other: false }],
    ["--offline", false, true, { corp: true, other: true }],
  ])("%s", (_, configured, commandLine, expected) => {
    const offline = new OfflineSwitch(configured, commandLine);
    const actual = Object.fromEntries(Object.keys(expected).map((name) => [name, offline.isOffline(name)]));
    expect(actual).toEqual(expected);
  });

  it("is not overruled by hand", () => {
    const offline = new OfflineSwitch(["corp"]);
    offline.online("all");
    expect(offline.isOffline("corp")).toBe(true);
    expect(offline.state("corp")).toEqual({ reason: "configuration" });
  });

  it("changes with the next configuration, while switches by hand stay", () => {
    const offline = new OfflineSwitch(["corp"]);
    offline.offline(["other"], null, "alice");
    offline.configure(false);
    expect(offline.isOffline("corp")).toBe(false);
    expect(offline.isOffline("other")).toBe(true);
  });
});

describe("a switch by hand", () => {
  it("takes one service offline, and says since when and by whom", () => {
    const offline = new OfflineSwitch(false);
    offline.offline(["corp"], NOW + 2 * HOUR, "alice on pts/0");
    expect(offline.isOffline("other")).toBe(false);
    expect(offline.state("corp")).toEqual({
      reason: "by_hand",
      since: NOW,
      until: NOW + 2 * HOUR,
      by: "alice on pts/0",
    });
  });

  it("ends by itself, to the millisecond", () => {
    const offline = new OfflineSwitch(false);
    offline.offline(["corp"], NOW + HOUR, "alice");
    expect(offline.nextEnd).toBe(NOW + HOUR);
    vi.setSystemTime(NOW + HOUR - 1);
    expect(offline.isOffline("corp")).toBe(true);
    vi.setSystemTime(NOW + HOUR);
    expect(offline.isOffline("corp")).toBe(false);
    expect(offline.snapshot()).toEqual({ all: null, services: {} });
    expect(offline.nextEnd).toBeUndefined();
  });

  it("for all takes services offline that nobody has heard of yet", () => {
    const offline = new OfflineSwitch(false);
    offline.offline("all", null, "alice");
    expect(offline.isOffline("comes with the next reload")).toBe(true);
  });

  it("for all can be taken back for one service", () => {
    const offline = new OfflineSwitch(false);
    offline.offline("all", null, "alice");
    offline.online(["corp"]);
    expect(offline.isOffline("corp")).toBe(false);
    expect(offline.isOffline("other")).toBe(true);
    offline.offline("all", null, "bob");
    expect(offline.isOffline("corp")).toBe(true);
  });

  it("that lasts longest counts, whichever came last", () => {
    const offline = new OfflineSwitch(false);
    offline.offline(["corp"], null, "alice");
    offline.offline("all", NOW + HOUR, "bob");
    expect(offline.state("corp")).toMatchObject({ by: "alice", until: null });
    vi.setSystemTime(NOW + HOUR);
    expect(offline.isOffline("corp")).toBe(true);
    expect(offline.isOffline("other")).toBe(false);
  });

  it("is gone for every service when all go online", () => {
    const offline = new OfflineSwitch(false);
    offline.offline("all", null, "alice");
    offline.offline(["corp"], null, "alice");
    offline.online("all");
    expect([offline.isOffline("corp"), offline.isOffline("other")]).toEqual([false, false]);
  });

  it("comes back from its snapshot, without what has ended since", () => {
    const before = new OfflineSwitch(false);
    before.offline("all", NOW + HOUR, "alice");
    before.offline(["corp"], null, "bob");
    before.online(["other"]);
    const snapshot = JSON.parse(JSON.stringify(before.snapshot()));
    const after = new OfflineSwitch(false);
    after.restore(snapshot);
    expect(after.snapshot()).toEqual(before.snapshot());
    expect(after.isOffline("other")).toBe(false);
    vi.setSystemTime(NOW + HOUR);
    const later = new OfflineSwitch(false);
    later.restore(snapshot);
    expect(later.snapshot()).toEqual({
      all: null,
      services: { corp: { since: NOW, until: null, by: "bob" } },
    });
  });
});
