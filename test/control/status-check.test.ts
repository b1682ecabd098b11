import { describe, expect, it } from "vitest";
import type { ServiceStatus } from "../../src/bridge/status.ts";
import type { Status } from "../../src/control/controls.ts";
import { checkStatus, MONITORING, verdict } from "../../src/control/status-check.ts";

const NOW = new Date(2026, 2, 1, 14, 25, 20).getTime();
const at = (hours: number, minutes: number) => new Date(2026, 2, 1, hours, minutes, 9).toISOString();

const up: ServiceStatus = {
  name: "corp",
  mode: "online",
  offline: null,
  mapping: "authzen",
  trouble: null,
  circuits: [{ url: "https://a.example.com", state: "closed", open_since: null, last_failure: null }],
  in_flight: 0,
  waiting: 0,
  max_in_flight: 256,
  answered: at(14, 25),
  failure: null,
  cache: null,
};
const open = { ...up.circuits[0]!, state: "open" as const, open_since: at(14, 2) };
const down: ServiceStatus = { ...up, trouble: "circuits", circuits: [open] };

function check(services: readonly ServiceStatus[], more: Partial<Status> = {}) {
  const status: Status = {
    version: "1.2.3",
    pid: 1,
    started: at(11, 0),
    uptime_s: 1,
    config: "/etc/pfxbridge/pfxbridge.yaml",
    reload: null,
    listeners: [],
    services,
    store_complaint: null,
    decisions: { upstream: 10, default: 2 },
    ...more,
  };
  return checkStatus(status, NOW);
}

describe("what monitoring is told", () => {
  it.each([
    ["all is well", [up], {}, "OK - 1 service up"],
    ["a service is down", [down, { ...up, name: "b" }], {}, "CRITICAL - corp is down since 14:02:09"],
    [
      "the last call failed",
      [
        {
          ...up,
          trouble: "failing" as const,
          failure: { at: at(14, 25), cause: "timeout" as const, detail: "" },
        },
      ],
      {},
      "WARNING - the last call of corp failed (timeout)",
    ],
    [
      "one URL of two",
      [{ ...up, trouble: "some_circuits" as const }],
      {},
      "WARNING - not all URLs of corp answer",
    ],
    [
      "switched offline, and down",
      [{ ...down, mode: "offline" as const, offline: { reason: "by_hand" as const } }],
      {},
      "WARNING - corp is offline by hand",
    ],
    [
      "a reload was refused",
      [up],
      { reload: { loaded: false, at: at(14, 20), refused_since: at(14, 3), problems: ["x"] } },
      "WARNING - the configuration was refused since 14:03:09",
    ],
    [
      "a store complained a moment ago",
      [up],
      { store_complaint: { at: at(14, 24), message: "Redis\ncannot be reached" } },
      "WARNING - Redis\\x0acannot be reached",
    ],
    ["… an hour ago", [up], { store_complaint: { at: at(13, 24), message: "x" } }, "OK - 1 service up"],
    [
      "a worker is silent",
      [up],
      { workers: [{ pid: 7, connections: 0, answers: false }] },
      "WARNING - worker process 7 does not answer",
    ],
  ])("%s", (_name, services, more, expected) => {
    const { line } = check(services, more);
    expect(line).toBe(`PFXBRIDGE ${expected} | upstream=10c default=2c`);
    expect(line).not.toContain("\n");
  });

  it("has the exit statuses of Nagios' plugins", () => {
    expect(MONITORING).toEqual({ OK: 0, WARNING: 1, CRITICAL: 2, UNKNOWN: 3 });
    expect(verdict("UNKNOWN", "no token").line).toBe("PFXBRIDGE UNKNOWN - no token");
  });
});
