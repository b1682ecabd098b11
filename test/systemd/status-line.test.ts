import { describe, expect, it } from "vitest";
import type { EngineStatus, ServiceStatus } from "../../src/bridge/status.ts";
import { statusLine } from "../../src/systemd/status-line.ts";

const NOW = new Date(2026, 2, 3, 15, 0, 0).getTime();
const AT = new Date(2026, 2, 3, 14, 2, 31).toISOString();

function service(name: string, more: Partial<ServiceStatus> = {}): ServiceStatus {
  return {
    name,
    mode: "online",
    offline: null,
    mapping: "authzen",
    trouble: null,
    circuits: [{ url: "http://a/", state: "closed", open_since: null, last_failure: null }],
    in_flight: 0,
    waiting: 0,
    max_in_flight: 256,
    answered: null,
    failure: null,
    cache: null,
    ...more,
  };
}

function lineOf(services: readonly ServiceStatus[], workers?: EngineStatus["workers"]): string {
  const status = {
    listeners: [],
    services,
    store_complaint: null,
    decisions: {},
    ...(workers && { workers }),
  };
  return statusLine(status, NOW);
}

const open = { url: "http://b/", state: "open", open_since: AT, last_failure: "refused" } as const;

describe("the line for systemctl status", () => {
  it.each<[string, readonly ServiceStatus[]]>([
    ["0 services", []],
    ["1 service", [service("corp")]],
    [
      "2 services, corp: circuit open since 14:02:31",
      [service("corp", { trouble: "circuits", circuits: [open] }), service("b")],
    ],
    [
      "1 service, corp: 1 of 2 circuits open since 14:02:31",
      [service("corp", { trouble: "some_circuits", circuits: [...service("a").circuits, open] })],
    ],
    [
      "1 service, corp: failing since 14:02:31 (timeout)",
      [service("corp", { trouble: "failing", failure: { at: AT, cause: "timeout", detail: "" } })],
    ],
    [
      "1 service, corp: offline by hand since 14:02:31",
      [
        service("corp", {
          mode: "offline",
          offline: { reason: "by_hand", since: AT, until: null, by: "root" },
        }),
      ],
    ],
    [
      "1 service, corp: offline",
      [service("corp", { mode: "offline", offline: { reason: "configuration" } })],
    ],
  ])("%s", (line, services) => {
    expect(lineOf(services)).toBe(line);
  });

  it("counts workers, and services beyond five in trouble", () => {
    const services = Array.from({ length: 7 }, (_, at) =>
      service(`s${at}`, { mode: "offline", offline: { reason: "configuration" } }),
    );
    const workers = [true, false].map((answers, pid) => ({ pid, connections: 0, answers }));
    expect(lineOf(services, workers)).toBe(
      "7 services, 2 workers, 1 of them not answering, s0: offline, s1: offline, s2: offline, s3: offline, s4: offline, 2 more in trouble",
    );
  });
});
