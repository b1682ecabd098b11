import { describe, expect, it } from "vitest";
import { parseConfig } from "../../src/config/load.ts";
import { policyRequest } from "../../src/model/request.ts";
import { shareOf } from "../../src/workers/share.ts";

/** What each of so many workers makes of these keys of a service. */
async function shares(service: string, of: number) {
  const config = await parseConfig(
    `services: { corp: { url: "http://127.0.0.1:1", ${service} } }`,
    "/c.yaml",
  );
  const warm = [policyRequest(new Map([["sender", "a"]]), { listener: "warm" })];
  const corp = { ...config.services.get("corp")!, warm };
  return Array.from(
    { length: of },
    (_, place) =>
      shareOf({ ...config, services: new Map([["corp", corp]]) }, { place, of }).services.get("corp")!,
  );
}

describe("of max_in_flight", () => {
  it.each([
    [256, 2, [128, 128]],
    [10, 4, [3, 3, 2, 2]],
    [1, 3, [1, 1, 1]],
  ])("%i among %i workers is %j", async (whole, of, parts) => {
    const found = await shares(`max_in_flight: ${whole}`, of);
    expect(found.map(({ maxInFlight }) => maxInFlight)).toEqual(parts);
  });

  it("auto is each worker's own", async () => {
    const found = await shares("max_in_flight: auto", 2);
    expect(found.map(({ maxInFlight }) => maxInFlight)).toEqual(["auto", "auto"]);
  });
});

describe("the requests of warm", () => {
  it.each([
    ["memory", [1, 1]],
    ["lmdb:/tmp/store", [1, 0]],
    ["redis://127.0.0.1", [1, 0]],
  ])("are asked with store: %s by workers %j", async (store, asked) => {
    const found = await shares(`cache: { store: "${store}" }`, 2);
    expect(found.map(({ warm }) => warm.length)).toEqual(asked);
  });
});
