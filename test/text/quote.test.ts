import { describe, expect, it } from "vitest";
import { oneLine } from "../../src/text/one-line.ts";
import { quoted, safeJson } from "../../src/text/quote.ts";
import { UNSAFE } from "../../src/text/unsafe.ts";

/** Every character of the planes that have any, and what may not be in a line raw. */
const EACH = Array.from({ length: 0xf0000 }, (_, code) => String.fromCodePoint(code));
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

describe("quoted", () => {
  it("gives every character back, and none that is unsafe raw", () => {
    for (const character of EACH) {
      const json = quoted(character);
      if (JSON.parse(`"${json}"`) !== character || HIDDEN.test(json)) throw new Error(json);
    }
  });
});

describe("JSON for a terminal", () => {
  it("means the same, with the line ends between its members", () => {
    const value = { "a\u200b": ["\u009b2J", "\u{e0041}", "é дом 🙂"], b: "\u202e" };
    const json = safeJson(JSON.stringify(value, null, 2));
    expect(JSON.parse(json)).toEqual(value);
    expect(json.split("\n")).toHaveLength(8);
    expect(json.replaceAll("\n", "")).not.toMatch(UNSAFE);
    expect(json).toContain("é дом 🙂");
  });
});

it("a message is one line, and no longer than a line may be", () => {
  expect(oneLine("a\r\n\u200bb\u2028c")).toBe("a b c");
  expect(oneLine("x".repeat(400))).toBe(`${"x".repeat(300)}…`);
});
