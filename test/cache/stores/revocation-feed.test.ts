import { describe, expect, it } from "vitest";
import type { Revocation } from "../../../src/cache/store.ts";
import { decodeRevocation, encodeRevocation } from "../../../src/cache/stores/revocation-codec.ts";
import { RevocationFeed } from "../../../src/cache/stores/revocation-feed.ts";
import { HOUR, recorder } from "./entries.ts";

describe("revocations", () => {
  it("beyond 10,000 become one that forgets everything from before the oldest", () => {
    const log = recorder();
    const feed = new RevocationFeed(log, () => HOUR);
    const first = Date.now();
    for (let n = 0; n <= 10_000; n++) feed.announce({ at: first + n, attributes: { sender: `${n}` } });
    const known: Revocation[] = [];
    feed.subscribe((revocation) => known.push(revocation));
    expect(known.length).toBe(5001);
    expect(known[0]).toEqual({ at: first + 5000, attributes: {} });
    expect(known[1]?.at).toBe(first + 5001);
    expect(log.at("warn")).toHaveLength(1);
  });

  it("are dropped when no entry from before them can live any more", () => {
    const feed = new RevocationFeed(recorder(), () => HOUR);
    feed.announce({ at: Date.now() - HOUR - 1, attributes: {} });
    feed.subscribe(() => expect.unreachable());
  });

  it("come back from text the same", () => {
    const revocation = { at: 17, service: "corp", attributes: { sender: "a b@example.org" } };
    for (const secret of [undefined, "s"]) {
      expect(decodeRevocation(encodeRevocation(revocation, secret), secret)).toEqual(revocation);
    }
  });

  it.each([
    ["unsigned", encodeRevocation({ at: 1, attributes: {} })],
    ["signed with another secret", encodeRevocation({ at: 1, attributes: {} }, "other")],
    ["changed", encodeRevocation({ at: 1, attributes: {} }, "s").replace('"at":1', '"at":2')],
    ["none", "x"],
  ])("are none with a secret when they are %s", (_, text) => {
    expect(decodeRevocation(text, "s")).toHaveProperty("problem");
  });
});
