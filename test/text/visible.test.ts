import { describe, expect, it } from "vitest";
import { visible } from "../../src/text/visible.ts";

describe("text for a terminal", () => {
  it.each([
    ["an escape sequence", "a\x1b[31mb", "a\\x1b[31mb"],
    ["a line break and a tab", "a\r\n\tb", "a\\x0d\\x0a\\x09b"],
    ["NUL and DEL", "\0\x7f", "\\x00\\x7f"],
    ["C1, which some terminals obey", "\u009b2J\u0085", "\\x9b2J\\x85"],
    ["line separators", "\u2028\u2029", "\\u2028\\u2029"],
    ["what turns the reading order", "a\u202eb\u2066c", "a\\u202eb\\u2066c"],
    ["what is not seen", "a\u200b\u200f\u2060\ufeff\u00adb", "a\\u200b\\u200f\\u2060\\ufeff\\xadb"],
    ["tags and fillers", "a\u{e0041}\u3164b", "a\\u{e0041}\\u3164b"],
    ["half a surrogate pair", "a\ud800b", "a\\ud800b"],
    ["letters of any script", "дом 🙂 é", "дом 🙂 é"],
  ])("%s", (_name, text, shown) => {
    expect(visible(text)).toBe(shown);
  });
});
