/** What outlives a reload, by the built command. */
import { describe, expect, it } from "vitest";
import { judged, later, Remembering } from "./remembering.ts";

const LMDB = { store: "lmdb:./cache.lmdb", ttl: "1h" };

describe("a reload", () => {
  it("keeps what is in memory", async () => {
    const bridge = await Remembering.start({ cache: { ttl: "1h" } });
    await bridge.decide("alice");
    await bridge.corp.stop();
    await bridge.reload({
      cache: { ttl: "1h" },
      config: { routes: [{ service: "corp", on_failure: "WARN" }] },
    });
    expect(await bridge.decide("alice")).toMatchObject({ action: "DUNNO", source: "cache" });
    expect(await bridge.decide("bob")).toMatchObject({ action: "WARN", source: "default" });
  });

  it("with another mapping asks anew: what was said to another question is no answer", async () => {
    const bridge = await Remembering.start({ cache: { ttl: "1h" } });
    await bridge.decide("alice");
    await bridge.site.write("gate.yaml", {
      request: { method: "POST", path: "/check", json: { sender: "${sender}", recipient: "${recipient}" } },
      response: [{ when: "body.allowed == true", action: "PREPEND X-Gate: passed" }],
    });
    await bridge.reload({ cache: { ttl: "1h" } });
    expect(await bridge.decide("alice")).toMatchObject({
      action: "PREPEND X-Gate: passed",
      source: "upstream",
    });
    expect(bridge.corp.calls).toHaveLength(2);
  });

  it("with another size of the file keeps what is in it, and remembers on", async () => {
    const bridge = await Remembering.start({ cache: LMDB });
    await bridge.decide("alice");
    await bridge.holds(1);
    await bridge.reload({ cache: { ...LMDB, max_entries: 5000 } });
    expect(await bridge.decide("alice")).toMatchObject({ source: "cache" });
    await bridge.decide("bad-bob");
    await bridge.holds(2);
    await bridge.crash();
    expect(await bridge.decide("bad-bob")).toMatchObject({ action: judged("bad-bob"), source: "cache" });
  });

  it("with a smaller size of the file deletes what is too much, and with a larger one no more", async () => {
    const bridge = await Remembering.start({ cache: { ...LMDB, max_entries: 2 } });
    await bridge.reload({ cache: { ...LMDB, max_entries: 100 } });
    for (let i = 0; i < 10; i++) await bridge.decide(`s${i}`);
    await bridge.holds(10);
    await later(1_000);
    await bridge.holds(10);
  });
});
