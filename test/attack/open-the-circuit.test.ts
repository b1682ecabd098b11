/** One sender brings about failures, so that the circuit opens for everybody, and fail-open lets the denied pass. */
import { describe, expect, it } from "vitest";
import { until } from "../commands/program.ts";
import { DENIED, SharedService } from "./shared-service.ts";

describe("failures that one sender brings about", () => {
  it.each([
    ["429, as for one user", "much"],
    ["500, as for what the service chokes on", "choke"],
  ])(
    "open the circuit for nobody: %s",
    async (_name, sender) => {
      const shared = await SharedService.start();
      await shared.attack(sender);
      expect(await shared.denied()).toBeGreaterThanOrEqual(0.99);
      expect(shared.bridge.log.filter(({ state }) => state === "open")).toEqual([]);
    },
    40_000,
  );

  it("keep it open for nobody after an outage", async () => {
    const shared = await SharedService.start({ breaker: { open_for: "1s" } });
    await shared.service.stop();
    await shared.attack("choke");
    await shared.bridge.logged({ state: "open" });
    await shared.service.start();
    await until("the service to be asked again", async () => {
      return (await shared.ask({ client_address: "198.51.100.1" })) === DENIED || undefined;
    });
    expect(await shared.denied()).toBeGreaterThanOrEqual(0.99);
  }, 40_000);
});
