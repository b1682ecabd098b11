/** Whoever speaks for the service, for a minute, leaves a permit that asks to be remembered for ever. */
import { describe, expect, it } from "vitest";
import { until } from "../commands/program.ts";
import { Remembering } from "../commands/remembering.ts";

const FOR_EVER = "max-age=9999999999, stale-if-error=9999999999";
const TTL = 200;

describe("a permit that asks to be remembered for ever", () => {
  const start = async (cache: object) => {
    const bridge = await Remembering.start({ cache: { ttl: `${TTL}ms`, ...cache } });
    bridge.corp.answering = () => ({ headers: { "cache-control": FOR_EVER }, body: { allowed: true } });
    expect(await bridge.decide("mallory")).toMatchObject({ action: "DUNNO", source: "upstream" });
    return bridge;
  };

  it("is asked about again after ten times ttl", async () => {
    const bridge = await start({});
    bridge.corp.answering = () => ({ body: { allowed: false } });
    await until("a refusal", async () => {
      const { action } = await bridge.decide("mallory");
      return action !== "DUNNO" || undefined;
    });
  });

  it("is nothing in an outage beyond stale_if_error", async () => {
    const bridge = await start({ stale_if_error: `${TTL}ms` });
    await bridge.corp.stop();
    await until("what on_failure says", async () => {
      const { source } = await bridge.decide("mallory");
      return source === "default" || undefined;
    });
  });

  it("lasts as long as max_ttl lets it", async () => {
    const bridge = await start({ max_ttl: "1h", stale_if_error: "0s" });
    await bridge.corp.stop();
    await new Promise((resolve) => setTimeout(resolve, 12 * TTL));
    expect(await bridge.decide("mallory")).toMatchObject({ action: "DUNNO", source: "cache" });
  });
});
