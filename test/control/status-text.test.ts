import { beforeEach, describe, expect, it } from "vitest";
import type { ServiceStatus } from "../../src/bridge/status.ts";
import type { Status } from "../../src/control/controls.ts";
import { statusText } from "../../src/control/status-text.ts";

const NOTHING = { accepted: 0, refused: 0, malformed: 0 };
const NOW = new Date(2026, 2, 1, 14, 25, 20).getTime();
const at = (hours: number, minutes: number) => new Date(2026, 2, 1, hours, minutes, 9).toISOString();
const DEFER = "DEFER 4.3.0 Authorization service unavailable, please try again later";

const up: ServiceStatus = {
  name: "corp",
  mode: "online",
  offline: null,
  mapping: "authzen",
  trouble: null,
  circuits: [{ url: "https://authz1.example.com", state: "closed", open_since: null, last_failure: null }],
  in_flight: 3,
  waiting: 0,
  max_in_flight: 256,
  answered: at(14, 25),
  failure: null,
  cache: null,
};

let storeComplaint: Status["store_complaint"];
beforeEach(() => {
  storeComplaint = null;
});

function text(...services: ServiceStatus[]): string {
  return statusText(statusOf(...services), NOW);
}

function statusOf(...services: ServiceStatus[]): Status {
  return {
    version: "1.2.3",
    pid: 4711,
    started: at(11, 0),
    uptime_s: 12_311,
    config: "/etc/pfxbridge/pfxbridge.yaml",
    reload: null,
    listeners: [
      {
        endpoint: "inet:127.0.0.1:9998",
        name: "inet:127.0.0.1:9998",
        connections: 12,
        requests: 1298,
        ...NOTHING,
      },
      {
        endpoint: "unix:/var/spool/postfix/private/pfxbridge",
        name: "submission",
        connections: 0,
        requests: 7,
        ...NOTHING,
      },
    ],
    services,
    store_complaint: storeComplaint,
    decisions: { upstream: 1203, cache: 55, stale: 12, route: 3, default: 20 },
  };
}

describe("the status for people", () => {
  it("is a few lines when all is well", () => {
    expect(text(up)).toBe(
      `pfxbridge 1.2.3, process 4711, up 3 h 25 min (since 11:00:09)
configuration /etc/pfxbridge/pfxbridge.yaml

corp      up
          https://authz1.example.com
          mapping authzen; calls in flight: 3 of 256

listener  inet:127.0.0.1:9998: 12 connections, 1298 requests
listener  unix:/var/spool/postfix/private/pfxbridge (submission): 0 connections,
            7 requests

decisions upstream 1203, cache 55, stale 12, route 3, default 20`,
    );
  });

  it("names the workers, and says how many of them see a circuit open", () => {
    const circuit = {
      url: "http://a",
      state: "open",
      open_since: at(14, 2),
      last_failure: "refused",
    } as const;
    const service = { ...up, circuits: [{ ...circuit, workers: 1, of_workers: 2 }] };
    const workers = [
      { pid: 4712, connections: 6, answers: true },
      { pid: 4713, connections: 6, answers: false },
    ];
    const shown = statusText({ ...statusOf(service), workers }, NOW);
    expect(shown).toContain("worker processes: 4712 (6 connections), 4713 (does not answer)");
    expect(shown).toContain("http://a: circuit open in 1 of 2 workers since 14:02:09");
  });

  it("says in an outage what is down, since when, what is answered, and what to do", () => {
    const down: ServiceStatus = {
      ...up,
      trouble: "circuits",
      circuits: [
        {
          url: "https://authz1.example.com",
          state: "open",
          open_since: at(14, 2),
          last_failure: "https://authz1.example.com: it refused the connection (ECONNREFUSED)",
        },
      ],
      answered: at(14, 1),
      failure: { at: at(14, 24), cause: "unreachable", detail: "it refused the connection" },
      default_action: DEFER,
      cache: { store: "lmdb", entries: 51_200, hits: 55, stale: 12, misses: 1300 },
    };
    const shown = text(down);
    expect(shown).toContain("corp      DOWN since 14:02:09 (23 min ago)");
    expect(shown).toContain("last answer of the service: 14:01:09 (24 min ago)");
    expect(shown).toContain("answered now: remembered decisions; for all else DEFER 4.3.0");
    expect(shown).toContain("remembered (lmdb): 51200 entries");
    expect(shown).toContain("to do: see to the service");
    expect(shown.split("\n").filter((line) => line.length > 80)).toEqual([]);
  });

  it("says once why calls fail, where the circuit's line has said it", () => {
    const detail = "https://authz1.example.com: it refused";
    const failure = { at: at(14, 24), cause: "unreachable", detail } as const;
    const [circuit] = up.circuits;
    const shown = text({
      ...up,
      trouble: "circuits",
      circuits: [{ ...circuit!, state: "open", open_since: at(14, 2), last_failure: detail }],
      failure,
      default_action: DEFER,
    });
    expect(shown.match(/it refused/g)).toHaveLength(1);
    expect(shown).toMatch(/^ +last failure: unreachable, [^:]+ ago$/m);
    expect(text({ ...up, trouble: "failing", failure, default_action: DEFER })).toMatch(
      /ago: https:[\s\S]*refused/,
    );
  });

  it.each([
    [
      "by hand for a time",
      { reason: "by_hand", since: at(14, 0), until: at(16, 0), by: "alice on pts/0" },
      ["OFFLINE until 16:00:09, by alice on pts/0 since 14:00:09", "to do: pfxbridge online corp"],
    ],
    [
      "by hand without end",
      { reason: "by_hand", since: at(14, 0), until: null, by: "alice" },
      ["OFFLINE until switched back, by alice", "to do: pfxbridge online corp"],
    ],
    ["by the configuration", { reason: "configuration" }, ["OFFLINE, as the configuration says"]],
    ["by the command line", { reason: "command_line" }, ["OFFLINE, by --offline", "to do: take --offline"]],
  ] as const)("says how a service is offline: %s", (_, offline, expected) => {
    const shown = text({ ...up, mode: "offline", offline, default_action: null });
    for (const part of expected) expect(shown).toContain(part);
    expect(shown).toContain("answered now: no reply, the connection is closed");
  });

  it("tells of a store that costs no decision anything, so that somebody sees to it", () => {
    storeComplaint = { at: at(14, 20), message: "the store does not answer in time" };
    expect(text(up)).toContain("store     5 min ago: the store does not answer in time\n");
  });

  it("lets nothing that came from elsewhere move the cursor", () => {
    const offline = { reason: "by_hand", since: at(14, 0), until: null, by: "\x1b[2Jmallory" } as const;
    expect(text({ ...up, mode: "offline", offline })).not.toContain("\x1b");
  });
});

describe("the token that calls show", () => {
  const token = {
    from: "https://login.example.com/token",
    until: at(14, 30),
    there: true,
    fetched: 3,
    failed: 1,
    failure: null,
  };

  it("is told with the time that is left", () => {
    expect(text({ ...up, token })).toContain(
      "token from https://login.example.com/token: good for 4 min; fetched",
    );
  });

  it("is told to be missing, and why", () => {
    const failure = { at: at(14, 25), cause: "timeout" as const, detail: "no reply" };
    const lines = text({ ...up, token: { ...token, there: false, until: null, failure } }).replace(
      /\s+/g,
      " ",
    );
    expect(lines).toContain("none now; fetched 3, failed 1; last failure: timeout, 11 s ago: no reply");
  });
});
