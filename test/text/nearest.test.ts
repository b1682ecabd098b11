import { describe, expect, it } from "vitest";
import { nearest, suggestion } from "../../src/text/nearest.ts";

const known = ["url", "timeout", "max_in_flight", "on_failure", "REJECT"];

describe("nearest", () => {
  it.each([
    ["timout", "timeout"],
    ["tiemout", "timeout"],
    ["max-in-flight", "max_in_flight"],
    ["onfailure", "on_failure"],
    ["reject", "REJECT"],
    ["ulr", "url"],
    ["colour", undefined],
    ["x", undefined],
    ["", undefined],
  ])("%s → %s", (word, expected) => {
    expect(nearest(word, known)).toBe(expected);
  });

  it("ends a message with a suggestion, or with nothing", () => {
    expect(suggestion("timout", known)).toBe('; did you mean "timeout"?');
    expect(suggestion("colour", known)).toBe("");
  });
});
