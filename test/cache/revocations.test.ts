import { describe, expect, it } from "vitest";
import { Revocations } from "../../src/cache/revocations.ts";
import type { Remembered, Revocation } from "../../src/cache/store.ts";

const NOW = Date.now();
const DAY = 24 * 3600 * 1000;
const NOBODY: ReadonlyMap<string, string> = new Map();

function entryOf(sender: string, storedAt: number): Remembered {
  const asked = { attributes: new Map([["sender", sender]]), listener: "l", recipients: [] };
  const reply = { status: 200, headers: new Map(), body: Buffer.alloc(0) };
  return { service: "corp", reply, storedAt, freshUntil: NOW + DAY, staleUntil: NOW + DAY, asked };
}

function all(revocations: readonly Revocation[], skew = 0): Revocations {
  const known = new Revocations(skew);
  for (const revocation of revocations) known.add(revocation, DAY);
  return known;
}

describe("revocations", () => {
  it("cover what they name whatever the order in which they come", () => {
    const list = [3000, 1000, 2000].map((ago) => ({
      at: NOW - ago,
      attributes: { sender: `a${ago}@example.org` },
    }));
    for (const known of [all(list), all([...list].reverse())]) {
      for (const ago of [1000, 2000, 3000]) {
        const sender = `a${ago}@example.org`;
        expect(known.cover(entryOf(sender, NOW - ago), NOBODY)).toBe(true);
        expect(known.cover(entryOf(sender, NOW - ago + 1), NOBODY)).toBe(false);
        expect(known.cover(entryOf("b@example.org", NOW - 4000), NOBODY)).toBe(false);
      }
    }
  });

  it("are no longer kept where a later one covers as much, nor when they come again", () => {
    const known = all([
      { at: NOW - 3000, attributes: { sender: "a@example.org" } },
      { at: NOW - 2000, service: "corp", attributes: {} },
    ]);
    const { count } = known;
    known.add({ at: NOW - 1000, attributes: {} }, DAY);
    expect(known.count).toBe(count + 1);
    known.add({ at: NOW - 3000, attributes: { sender: "a@example.org" } }, DAY);
    known.add({ at: NOW - 2000, service: "corp", attributes: {} }, DAY);
    expect(known.count).toBe(count + 1);
    expect(known.cover(entryOf("a@example.org", NOW - 1000), NOBODY)).toBe(true);
  });

  it("of one service do not stand for those of all", () => {
    const known = all([
      { at: NOW - 1000, service: "other", attributes: {} },
      { at: NOW - 2000, attributes: {} },
    ]);
    expect(known.cover(entryOf("a@example.org", NOW - 2000), NOBODY)).toBe(true);
    expect(known.cover(entryOf("a@example.org", NOW - 1500), NOBODY)).toBe(false);
  });

  it("between hosts cover also what another clock has put a little later", () => {
    const known = all([{ at: NOW - 5000, attributes: {} }], 2000);
    expect(known.cover(entryOf("a@example.org", NOW - 3000), NOBODY)).toBe(true);
    expect(known.cover(entryOf("a@example.org", NOW - 2999), NOBODY)).toBe(false);
  });
});
