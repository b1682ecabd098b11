import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Outages } from "../../src/bridge/outages.ts";
import type { Decision } from "../../src/model/decision.ts";

const URL = "http://a.example.com";
let lines: { level: string; msg: string; fields: Record<string, unknown> }[];
const note = (level: string) => (fields: object, msg: string) =>
  void lines.push({ level, msg, fields: fields as Record<string, unknown> });
const log = { debug: note("debug"), info: note("info"), warn: note("warn"), error: note("error") };
let outages: Outages;

const decision = (more: Partial<Decision>): Decision => ({
  action: "DUNNO",
  source: "upstream",
  service: "corp",
  mapping: "m",
  cause: undefined,
  detail: undefined,
  rule: 1,
  status: 200,
  attempts: 1,
  said: undefined,
  batchId: undefined,
  age: undefined,
  ...more,
});
const failed = (cause: Decision["cause"] = "timeout") =>
  decision({ source: "default", cause, detail: "late" });
const told = () => lines.filter(({ level }) => level !== "debug").map(({ msg }) => msg.split(":")[0]);

beforeEach(() => {
  vi.useFakeTimers();
  lines = [];
  outages = new Outages(log);
  outages.of("corp");
});
afterEach(() => void vi.useRealTimers());

describe("a circuit that stays open", () => {
  it("is told of now and then, with growing pauses, and at its end with what was answered meanwhile", () => {
    const outage = outages.of("corp");
    outage.onCircuit(URL, "open", "3 of 3 failed");
    for (let at = 0; at < 3_600_000; at += 5000) {
      vi.advanceTimersByTime(5000);
      outages.note(failed("circuit_open"));
      outage.onCircuit(URL, "half-open", "the next call is a trial");
      outage.onCircuit(URL, "open", "the trial failed");
    }
    outages.note(decision({ source: "stale", cause: "circuit_open" }));
    outage.onCircuit(URL, "closed", "the trial succeeded");
    expect(told()).toEqual([
      "circuit opened",
      "circuit half-open",
      ...Array<string>(6).fill("the circuit is still open"),
      "circuit closed",
    ]);
    expect(lines.filter(({ msg }) => msg.includes("still")).map(({ fields }) => fields.open_s)).toEqual([
      30, 90, 210, 450, 930, 1890,
    ]);
    expect(lines.at(-1)).toMatchObject({
      level: "info",
      fields: { open_s: 3600, trials: 720, answered: { default: 720, stale: 1 } },
    });
  });
});

describe("a short outage, in which no circuit opened", () => {
  it("is told of once, when the service answers again", () => {
    for (let n = 0; n < 7; n++) outages.note(failed());
    outages.note(decision({ source: "cache" }));
    expect(lines).toEqual([]);
    vi.advanceTimersByTime(4000);
    for (let n = 0; n < 5; n++) outages.note(decision({}));
    expect(lines).toEqual([
      {
        level: "info",
        msg: "the service answers again, after calls that failed",
        fields: { service: "corp", failed: 7, within_s: 4, last: "timeout", detail: "late" },
      },
    ]);
  });

  it("is nothing where one call failed, or by what a sender asked", () => {
    for (const each of [failed(), decision({}), failed("bad_reply"), failed("bad_reply"), decision({})]) {
      outages.note(each);
    }
    expect(lines).toEqual([]);
  });

  it("among successes is told of once a minute at most", () => {
    for (let second = 0; second < 180; second++) {
      outages.note(failed());
      outages.note(failed());
      outages.note(decision({}));
      vi.advanceTimersByTime(1000);
    }
    expect(lines.map(({ fields }) => fields.failed)).toEqual([2, 120, 120]);
  });

  it("is the circuit's to tell where that opened", () => {
    outages.note(failed());
    outages.note(failed());
    const outage = outages.of("corp");
    outage.onCircuit(URL, "open", "2 of 2 failed");
    outage.onCircuit(URL, "closed", "the trial succeeded");
    outages.note(decision({}));
    expect(told()).toEqual(["circuit opened", "circuit closed"]);
  });
});
