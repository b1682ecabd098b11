import { expect, it } from "vitest";
import { Activity } from "../../src/bridge/activity.ts";
import type { Decision } from "../../src/model/decision.ts";

const decision = (fields: Partial<Decision>): Decision => ({
  action: "DUNNO",
  source: "upstream",
  service: "corp",
  mapping: "rest",
  cause: undefined,
  detail: undefined,
  rule: undefined,
  status: undefined,
  attempts: 1,
  batchId: undefined,
  age: undefined,
  ...fields,
});

it("counts decisions by where their action came from", () => {
  const activity = new Activity();
  for (const source of ["upstream", "upstream", "cache", "default"] as const) {
    activity.record(decision({ source }), 1);
  }
  expect(activity.decisions).toEqual({ upstream: 2, cache: 1, stale: 0, route: 0, default: 1 });
});

it.each([
  ["an answer", decision({}), { answeredAt: 7, failure: null }],
  ["a remembered answer, which says nothing of the service", decision({ source: "cache" }), {}],
  [
    "a default",
    decision({ source: "default", cause: "timeout", detail: "slow" }),
    { answeredAt: null, failure: { at: 7, cause: "timeout", detail: "slow" } },
  ],
  [
    "a stale answer",
    decision({ source: "stale", cause: "unreachable", detail: "refused" }),
    { answeredAt: null, failure: { at: 7, cause: "unreachable", detail: "refused" } },
  ],
  ["a switch by hand, which is no failure", decision({ source: "default", cause: "offline" }), {}],
  ["an open circuit, which is no news", decision({ source: "default", cause: "circuit_open" }), {}],
])("remembers how the service did: %s", (_, made, expected) => {
  const activity = new Activity();
  activity.record(made, 7);
  expect(activity.of("corp")).toEqual({ answeredAt: null, failure: null, ...expected });
});
