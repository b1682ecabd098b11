import { describe, expect, it } from "vitest";
import { decode, encode, staleUntilOf } from "../../src/cache/codec.ts";
import { fromLine, toLine } from "../../src/cache/line.ts";
import type { Remembered } from "../../src/cache/store.ts";
import { remembered } from "./stores/entries.ts";

const SECRET = "a secret";

const odd: Remembered = remembered("odd", {
  reply: {
    status: 403,
    headers: new Map([
      ["x-a", ""],
      ["__proto__", "ü"],
    ]),
    body: Buffer.from([0, 255, 10, 0]),
  },
  asked: {
    attributes: new Map([
      ["sender", ""],
      ["x_own", "päss = ${x}"],
      ["\ue000", "looks like a code"],
      ["\ue0ff", "looks like an escape"],
      ["constructor", "🙂"],
    ]),
    listener: "unix:/a",
    recipients: [],
  },
});

describe("an entry as bytes", () => {
  it.each([
    ["plain", remembered("hello"), undefined],
    ["signed", remembered("hello"), SECRET],
    ["with everything odd", odd, SECRET],
    ["with an empty body", remembered(""), undefined],
  ])("comes back the same: %s", (_, entry, secret) => {
    const bytes = encode("key", entry, secret);
    expect(decode("key", bytes, secret)).toEqual(entry);
    expect(staleUntilOf(bytes)).toBe(entry.staleUntil);
  });

  it.each([
    ["signed", SECRET],
    ["unsigned", undefined],
  ])("is not used when any byte has changed: %s", (_, secret) => {
    const bytes = encode("key", remembered("hello"), secret);
    for (let at = 0; at < bytes.length; at++) {
      for (const flipped of [1, 2, 3, 128, 255]) {
        const damaged = Buffer.from(bytes);
        damaged[at] = (damaged[at] ?? 0) ^ flipped;
        expect(decode("key", damaged, secret), `byte ${at}`).toHaveProperty("problem");
      }
    }
  });

  it("never throws, whatever the bytes, also without a secret", () => {
    const bytes = encode("key", odd);
    for (let at = 0; at < bytes.length; at++) {
      for (const value of [0, 1, 127, 255]) {
        const damaged = Buffer.from(bytes);
        damaged[at] = value;
        expect(decode("key", damaged)).toBeDefined();
      }
      expect(decode("key", bytes.subarray(0, at))).toHaveProperty("problem");
    }
  });

  it.each([[SECRET], [undefined]])("cannot be moved to another key, secret %s", (secret) => {
    expect(decode("other", encode("key", remembered("hello"), secret), secret)).toHaveProperty("problem");
  });

  it.each([
    ["unsigned", encode("key", remembered("hello"))],
    ["signed with another secret", encode("key", remembered("hello"), "another")],
  ])("is none with a secret when it is %s", (_, bytes) => {
    expect(decode("key", bytes, SECRET)).toHaveProperty("problem");
  });
});

describe("an entry as a line", () => {
  it.each([
    ["plain", remembered("hello"), undefined],
    ["signed", remembered("hello"), SECRET],
    ["with a body that is no text", remembered("", { reply: odd.reply }), SECRET],
  ])("comes back the same: %s", (_, entry, secret) => {
    const line = toLine("key", entry, secret);
    expect(line).not.toContain("\n");
    expect(fromLine(line, secret)).toEqual({ key: "key", entry });
  });

  it("may have been written anew by a JSON tool", () => {
    const { mac, ...rest } = JSON.parse(toLine("key", remembered("hello"), SECRET));
    expect(fromLine(` ${JSON.stringify({ mac, ...rest }, null, 1)}`, SECRET)).toHaveProperty("entry");
  });

  it.each<[string, (line: Record<string, unknown>) => unknown]>([
    ["another key", (line) => ({ ...line, key: "other" })],
    ["another body", (line) => ({ ...line, body: "bye" })],
    ["another sender", (line) => ({ ...line, attributes: { sender: "x" } })],
    ["a longer life", (line) => ({ ...line, stale_until: "2999-01-01T00:00:00Z" })],
    ["no signature", ({ mac: _, ...line }) => line],
    ["a signature of another kind", (line) => ({ ...line, mac: "" })],
  ])("is refused with %s", (_, change) => {
    const line = JSON.stringify(change(JSON.parse(toLine("key", remembered("hello"), SECRET))));
    expect(fromLine(line, SECRET)).toHaveProperty("problem");
  });

  it.each(["", "{", "[]", "null", '{"version":2}', "x".repeat(2_000_000)])(
    "is refused when it is none: %.20s",
    (line) => {
      expect(fromLine(line)).toHaveProperty("problem");
    },
  );
});
