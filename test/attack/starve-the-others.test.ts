/** One sender asks what takes long, on many connections, so that no slot is left for others, and fail-open lets the denied pass. */
import { describe, expect, it } from "vitest";
import { ATTACKER, SharedService } from "./shared-service.ts";

const TIGHT = { max_in_flight: 20 };

describe("questions that are slow", () => {
  it.each([
    ["a fixed max_in_flight", TIGHT],
    ["max_in_flight: auto", { max_in_flight: "auto" }],
  ])(
    "take no slots from others: %s",
    async (_name, more) => {
      const shared = await SharedService.start(more);
      // Others have asked before, as they do.
      expect(await shared.denied({ times: 1 })).toBe(1);
      await shared.attack("slow", { sasl_username: "mallory" });
      expect(await shared.denied()).toBeGreaterThanOrEqual(0.99);
    },
    40_000,
  );

  it("take none from other users, where all come from one address", async () => {
    const shared = await SharedService.start({ ...TIGHT, fair: "sasl_username" });
    const who = (n: number) => ({ client_address: ATTACKER, sasl_username: `user${n}` });
    expect(await shared.denied({ times: 1, who })).toBe(1);
    await shared.attack("slow", { sasl_username: "mallory" });
    expect(await shared.denied({ who })).toBeGreaterThanOrEqual(0.99);
  }, 40_000);

  it("take none either when they come first: a slot that becomes free is the next one's", async () => {
    const shared = await SharedService.start(TIGHT);
    await shared.attack("slow");
    expect(await shared.denied()).toBeGreaterThanOrEqual(0.99);
  }, 40_000);
});
