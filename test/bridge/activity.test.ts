import { expect, it } from "vitest";
import { Activity } from "../../src/bridge/activity.ts";
import { ANSWERS } from "../../src/bridge/service-counts.ts";
import type { Decision, Source } from "../../src/model/decision.ts";
import { SOURCES } from "../../src/model/decision.ts";

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
  said: undefined,
  batchId: undefined,
  age: undefined,
  ...fields,
});

it("counts decisions by where their action came from", () => {
  const activity = new Activity();
  for (const source of ["upstream", "upstream", "cache", "default"] as const) {
    activity.record(decision({ source }), 1, 5);
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
  activity.record(made, 7, 5);
  expect(activity.of("corp")).toMatchObject({ answeredAt: null, failure: null, ...expected });
});

it("counts decisions by service, source and kind of answer, and how long they took", () => {
  const activity = new Activity();
  const actions = ["DUNNO", "REJECT no", "450 4.7.1 later", "550", "constructor", null];
  for (const action of actions) activity.record(decision({ action }), 1, 2);
  activity.record(decision({ source: "default", cause: "timeout" }), 1, 3000);
  activity.record(decision({ source: "route", service: undefined }), 1, 0.1);
  const { decisions, failures, durations } = activity.of("corp");
  const of = (source: Source, answer: string) =>
    decisions[SOURCES.indexOf(source) * ANSWERS.length + ANSWERS.indexOf(answer)];
  expect(["dunno", "reject", "4xx", "5xx", "other", "closed"].map((kind) => of("upstream", kind))).toEqual(
    actions.map(() => 1),
  );
  expect(of("default", "dunno")).toBe(1);
  expect(failures).toMatchObject({ timeout: 1, unreachable: 0 });
  expect(durations[SOURCES.indexOf("default")]?.buckets.sum).toBe(3);
  expect(activity.routes.decisions.reduce((sum, count) => sum + count)).toBe(1);
});
