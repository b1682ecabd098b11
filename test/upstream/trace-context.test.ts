import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { samplingOf, spanId, traceId, traceparent } from "../../src/upstream/trace-context.ts";

const ID = "01234567-89ab-4def-8012-3456789abcde";

describe("a trace", () => {
  it("is a message: all of its requests share it, and no other's do", () => {
    const one = traceId("1a2b.65f0c1d2.e3f4a.0", randomUUID());
    expect(one).toMatch(/^[0-9a-f]{32}$/);
    expect(traceId("1a2b.65f0c1d2.e3f4b.0", randomUUID())).not.toBe(one);
    expect(traceId("1a2b.65f0c1d2.e3f4a.0", randomUUID())).toBe(one);
  });

  it("is a decision where there is no message", () => {
    expect(traceId("", ID)).toBe("0123456789ab4def80123456789abcde");
  });

  it("differs for a hundred thousand messages of one host, in each half of its id", () => {
    const ids = Array.from({ length: 100_000 }, (_, at) =>
      traceId(`${(4000 + (at % 97)).toString(16)}.65f0c1d2.${at.toString(16)}.0`, ID),
    );
    expect(new Set(ids).size).toBe(ids.length);
    expect(new Set(ids.map((id) => id.slice(0, 16))).size).toBeGreaterThan(ids.length - 5);
    expect(new Set(ids.map((id) => id.slice(16))).size).toBeGreaterThan(ids.length - 5);
  });
});

it("has spans for the decision and its attempts, in the form that services read", () => {
  expect([0, 1, 2].map((attempt) => spanId(ID, attempt))).toEqual([
    "0123456789ab3400",
    "0123456789ab3401",
    "0123456789ab3402",
  ]);
  expect(traceparent("a".repeat(32), spanId(ID, 1), true)).toBe(`00-${"a".repeat(32)}-0123456789ab3401-01`);
});

describe("sampling", () => {
  const share = (env: Record<string, string>) => {
    const sampling = samplingOf(env);
    const ids = Array.from({ length: 10_000 }, (_, at) => traceId(`instance.${at}`, ID));
    return ids.filter(sampling).length / ids.length;
  };

  it.each([
    ["nothing said", {}, 1],
    ["always_off", { OTEL_TRACES_SAMPLER: "always_off" }, 0],
    ["parentbased_always_off", { OTEL_TRACES_SAMPLER: "parentbased_always_off" }, 0],
    ["a word that nobody knows", { OTEL_TRACES_SAMPLER: "xray" }, 1],
    ["a ratio without a number", { OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "few" }, 1],
    ["none of them", { OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "0" }, 0],
  ])("is what the environment asks for: %s", (_, env, expected) => {
    expect(share(env)).toBe(expected);
  });

  it("takes about its share", () => {
    const env = { OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.1" };
    expect(share(env)).toBeGreaterThan(0.08);
    expect(share(env)).toBeLessThan(0.12);
  });
});
