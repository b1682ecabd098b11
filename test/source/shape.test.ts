import { describe, expect, it } from "vitest";
import { z } from "zod";
import { readYaml } from "../../src/source/document.ts";
import { formatProblem, ProblemError } from "../../src/source/problem.ts";
import { checkShape } from "../../src/source/shape.ts";

const schema = z.strictObject({
  name: z.string().min(1).optional(),
  count: z.int().min(1).max(10).default(3),
  format: z.enum(["json", "pretty"]).optional(),
  on: z.boolean().optional(),
  items: z
    .array(z.union([z.string(), z.strictObject({ endpoint: z.string(), mode: z.string().optional() })]))
    .optional(),
  services: z
    .record(z.string(), z.strictObject({ url: z.string(), timeout: z.string().optional() }))
    .optional(),
  password: z.string().optional(),
});

function problemsOf(text: string): string[] {
  try {
    checkShape(readYaml("f", text), schema);
    return [];
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    return error.problems.map(formatProblem);
  }
}

describe("checkShape", () => {
  it("gives the data as the schema has it, defaults filled in", () => {
    expect(checkShape(readYaml("f", "name: a"), schema)).toEqual({ name: "a", count: 3 });
  });

  it.each([
    ["an unknown key", "nmae: a", '1:1: error: unknown key "nmae"; did you mean "name"?'],
    [
      "an unknown key further in",
      "services:\n  corp:\n    url: x\n    timout: 1s",
      '4:5: error: unknown key "timout"; did you mean "timeout"?',
    ],
    [
      "an unknown key like no other",
      "services: { corp: { url: x, colour: red } }",
      '1:29: error: unknown key "colour"; expected "url" or "timeout"',
    ],
    ["a number for text", "name: 550", "1:7: error: expected text, got the number 550; put it in quotes"],
    ["a boolean for text", "name: true", "1:7: error: expected text, got true; put it in quotes"],
    ["nothing for text", "name:", "1:1: error: expected text, got nothing"],
    ["an empty text", 'name: ""', "1:7: error: expected text, got an empty one"],
    [
      "a text that became a table",
      "name:\n  PREPEND X-A: ok",
      "1:1: error: expected text, got a table; `: ` in a text needs the whole of it in quotes",
    ],
    ["text for a number", "count: many", '1:8: error: expected a number, got "many"'],
    [
      "a fraction for a whole number",
      "count: 1.5",
      "1:8: error: expected a whole number, got the number 1.5",
    ],
    ["too small a number", "count: 0", "1:8: error: expected at least 1, got the number 0"],
    ["too large a number", "count: 11", "1:8: error: expected at most 10, got the number 11"],
    ["yes for true", "on: yes", '1:5: error: expected true or false, got "yes"'],
    [
      "another word",
      "format: jsn",
      '1:9: error: expected "json" or "pretty", got "jsn"; did you mean "json"?',
    ],
    ["no list", "items: a", '1:8: error: expected a list, got "a"'],
    [
      "an item of no allowed form",
      "items: [[a]]",
      "1:9: error: expected text or a table (`key: value`), got a list",
    ],
    [
      "an unknown key in one of several forms",
      "items:\n  - endpont: a",
      '2:5: error: unknown key "endpont"; did you mean "endpoint"?',
    ],
    ["a missing key", "services:\n  corp: { timeout: 1s }", '2:3: error: "url" is missing; expected text'],
    ["no table at all", "foo", '1:1: error: expected a table (`key: value`), got "foo"'],
    ["an empty file", "", "1:1: error: expected a table (`key: value`), got nothing"],
    ["a secret of the wrong type, unseen", "password: 12345", "1:11: error: expected text; put it in quotes"],
  ])("says what is wrong with %s", (_, text, message) => {
    expect(problemsOf(text)).toContain(`f:${message}`);
  });

  it("names everything at once, in the order of the lines", () => {
    expect(problemsOf("services:\n  a: {}\non: 1\nx: 1\ncount: 007").map((line) => line.slice(0, 5))).toEqual(
      ["f:2:3", "f:3:5", "f:4:1", "f:5:8"],
    );
  });

  it("says nothing twice: a value that is a trap has no wrong type besides", () => {
    expect(problemsOf("name: 007")).toEqual(["f:1:7: error: `007` would be sent as 7; quote it, or write 7"]);
  });
});
