import { describe, expect, it } from "vitest";
import { freshness } from "../../src/cache/freshness.ts";

const NOW = 1_800_000_000_000;
const OPERATOR = { ttl: 60_000, maxTtl: 600_000, staleIfError: 3_600_000 };
const headers = (cacheControl: string, more: Record<string, string> = {}) =>
  new Map(Object.entries({ "cache-control": cacheControl, ...more }));

/** Fresh and stale life in seconds; null: not to be remembered. */
function lives(of: ReadonlyMap<string, string>): [fresh: number, stale: number] | null {
  const times = freshness(of, NOW, OPERATOR);
  if (times === null) return null;
  return [(times.freshUntil - NOW) / 1000, (times.staleUntil - times.freshUntil) / 1000];
}

describe("how long a reply may be used", () => {
  it.each<[string, ReadonlyMap<string, string>, [number, number] | null]>([
    ["as the operator says, without Cache-Control", new Map(), [60, 3600]],
    ["as the operator says, with directives that don't concern it", headers("private"), [60, 3600]],
    ["not at all: no-store", headers("no-store, max-age=60"), null],
    ["max-age", headers("max-age=10"), [10, 3600]],
    ["max-age in quotes, other case, blanks", headers('Public , MAX-AGE="10"'), [10, 3600]],
    ["less the age it had already", headers("max-age=10", { age: "4" }), [6, 3600]],
    ["never less than nothing", headers("max-age=10", { age: "40" }), [0, 3600]],
    ["s-maxage before max-age, for a shared cache", headers("max-age=10, s-maxage=20"), [20, 3600]],
    ["stale-if-error", headers("max-age=10, stale-if-error=5"), [10, 5]],
    ["only for outages: no-cache", headers("no-cache"), [0, 3600]],
    ["never when old: must-revalidate", headers("max-age=10, must-revalidate, stale-if-error=5"), [10, 0]],
    ["the first of repeated directives", headers("max-age=10, max-age=99"), [10, 3600]],
    ["only for outages where max-age is no number", headers("max-age=soon"), [0, 3600]],
    ["only for outages where max-age is negative", headers("max-age=-1"), [0, 3600]],
    ["never when old where stale-if-error is no number", headers("max-age=10, stale-if-error=a"), [10, 0]],
    ["longer than ttl, up to max_ttl", headers("max-age=600"), [600, 3600]],
    ["no longer than max_ttl: max-age", headers("max-age=601"), [600, 3600]],
    ["no longer than max_ttl: s-maxage", headers("max-age=10, s-maxage=9999999999"), [600, 3600]],
    ["no longer than max_ttl, also where it overflows", headers(`max-age=${"9".repeat(400)}`), [600, 3600]],
    ["no longer than stale_if_error past its time", headers("stale-if-error=3601"), [60, 3600]],
    [
      "no longer past its time, also where it overflows",
      headers(`stale-if-error=${"9".repeat(400)}`),
      [60, 3600],
    ],
  ])("%s", (_, of, expected) => {
    expect(lives(of)).toEqual(expected);
  });

  it("is never more than 30 days, whatever the operator lets a reply ask for", () => {
    const { freshUntil } = freshness(headers("max-age=9999999999"), NOW, { ...OPERATOR, maxTtl: 9e9 })!;
    expect((freshUntil - NOW) / 86_400_000).toBe(30);
  });

  it("is never past its time where the operator wants none of that", () => {
    const times = freshness(headers("max-age=10, stale-if-error=60"), NOW, { ...OPERATOR, staleIfError: 0 })!;
    expect(times.staleUntil).toBe(times.freshUntil);
  });
});
