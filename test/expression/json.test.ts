import { isDeepStrictEqual } from "node:util";
import { describe, expect, it } from "vitest";
import { JsonError, parseJson, parseJsonForExpressions } from "../../src/expression/json.ts";
import { toJson } from "../../src/expression/text.ts";

/** Read both ways: by JSON.parse alone where that will do, and member by member. */
const BOTH = [
  ["", (text: string) => parseJson(text)],
  ["beside a large number", (text: string) => (parseJson(`[${text},9007199254740993]`) as unknown[])[0]],
] as const;

describe.each(BOTH)("JSON %s", (_, read) => {
  it.each([
    "null",
    "true",
    "false",
    '""',
    "0",
    "-0",
    "-1.5e-7",
    "1E3",
    "0.1234567890123456789",
    "9007199254740991",
    "-9007199254740991",
    "[]",
    "{}",
    ' [ 1 , "a" , [ ] , { } , null ] ',
    '{ "a" : { "b" : [ true , false ] } , "c" : "d" }',
    '{"a":1,"b":{"a":1},"c":[{"a":1},{"a":1}]}',
    '"\\u0061\\ud83d\\ude00\\n\\"\\\\"',
    '"[{,:\\"}]\\\\"',
    '{"":1," ":2,"a\\"b":3,"10":4,"9":5}',
    '{"__proto__":{"x":1},"toString":2}',
    '"é😀"',
  ])("%s is what it says", (text) => {
    expect(read(text)).toStrictEqual(JSON.parse(text));
  });

  it.each([
    ['{"allowed":false,"allowed":true}', "allowed"],
    ['{"allowed":true,"allowed":true}', "allowed"],
    ['{"allowed":false,"\\u0061llowed":true}', "allowed"],
    ['{"a":{"b":[1,{"c":1,"d":2,"c":3}]}}', "c"],
    ['[[{"":1,"":2}]]', ""],
    ['{"__proto__":1,"__proto__":2}', "__proto__"],
    ['{"constructor":1,"constructor":2}', "constructor"],
    ['{"1":1,"1":2}', "1"],
    ['{"a\\nb":1,"a\\nb":2}', "a\\x0ab"],
    ['{"a":{},"a":{}}', "a"],
  ])("%s says two things and is refused", (text, name) => {
    expect(() => read(text)).toThrow(new JsonError(`the member "${name}" stands twice in one object`));
    expect(() => parseJsonForExpressions(text)).toThrow(JsonError);
  });

  it.each<[string, unknown]>([
    ["9007199254740992", 9007199254740992n],
    ["9007199254740993", 9007199254740993n],
    ["-9007199254740993", -9007199254740993n],
    ["9223372036854775807", 9223372036854775807n],
    ["-9223372036854775808", -9223372036854775808n],
    ["9223372036854775808", "9223372036854775808"],
    ["-9223372036854775809", "-9223372036854775809"],
    ["12345678901234567890123", "12345678901234567890123"],
    ["1e400", "1e400"],
    ["-1e400", "-1e400"],
    [`1${"0".repeat(400)}`, `1${"0".repeat(400)}`],
    ["1e21", 1e21],
    ["9007199254740993.0", 9007199254740993n],
    ["-9007199254740993.000", -9007199254740993n],
    ["9.007199254740993e15", 9007199254740993n],
    ["-90071992547409930E-1", -9007199254740993n],
    ["90071992547409930E0", 90071992547409930n],
    ["50e-3", 0.05],
    ["9.2233720368547758070e18", 9223372036854775807n],
    ["9007199254740993.5", 9007199254740994],
    ["9007199254740992.0", 9007199254740992],
    ["12345678901234567.8e-10", 1234567.8901234567],
    ["1e300", 1e300],
    ["1000000000000000000000.5", 1e21],
  ])("the number %s keeps its value", (text, value) => {
    expect(read(text)).toBe(value);
    expect(read(`{"a":[${text}]}`)).toEqual({ a: [value] });
  });

  it.each([
    "",
    "{",
    '{"a":1',
    "[1,]",
    "{'a':1}",
    "01",
    "1.",
    "NaN",
    "/* */1",
    '"\t"',
    "{}x",
    '{"a" 1}',
    "[1 2]",
  ])("%j is none", (text) => {
    expect(() => read(text)).toThrow("it is cut off or no JSON");
  });
});

describe("JSON for expressions", () => {
  it("is made of Maps where a member is named constructor, and where numbers need it", () => {
    expect(parseJsonForExpressions('{"a":[{"constructor":1}]}')).toEqual(
      new Map([["a", [new Map([["constructor", 1]])]]]),
    );
    expect(parseJsonForExpressions('{"a":{"n":9007199254740993}}')).toEqual(
      new Map([["a", new Map([["n", 9007199254740993n]])]]),
    );
  });
});

describe("JSON that holds too much", () => {
  it("is refused, in depth and in number", () => {
    expect(parseJson(`${"[".repeat(100)}${"]".repeat(100)}`)).toEqual(expect.anything());
    expect(() => parseJson(`${"[".repeat(101)}${"]".repeat(101)}`)).toThrow(/nested deeper than 100/);
    expect(parseJson(`[${"1,".repeat(32_766)}1]`)).toHaveLength(32_767);
    expect(() => parseJson(`[${"1,".repeat(32_767)}1]`)).toThrow(/more than 32768 values/);
    expect(parseJson(`[${"1,".repeat(32_767)}1]`, 512 * 1024)).toHaveLength(32_768);
    expect(() => parseJson(`[${"[],".repeat(30_000)}1]`)).toThrow(/more than 32768 values/);
  });
});

/** The same numbers on each run (mulberry32). */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

describe("any JSON", () => {
  const next = numbers(7);
  // Not "\n" beside "\\": JSON.parse of Node 24.21, the measure here, takes one for the other in an object of a shape that it knows.
  const NAMES = ["a", "b", "constructor", "__proto__", "1", "", "é", 'q"', "\\"];
  const SCALARS = [null, true, false, 0, -1, 1.5, "", "x", 'a"b\\', 9007199254740993n, -(2n ** 60n), 1e300];
  function value(depth: number): unknown {
    const kind = depth > 4 ? 0 : next(3);
    if (kind === 0) return SCALARS[next(SCALARS.length)];
    if (kind === 1) return Array.from({ length: next(4) }, () => value(depth + 1));
    return new Map(
      Array.from({ length: next(5) }, () => [NAMES[next(NAMES.length)] ?? "", value(depth + 1)]),
    );
  }

  it("comes back as it went", () => {
    for (let i = 0; i < 3_000; i++) {
      const text = toJson(value(0));
      expect(toJson(parseJson(text)).length).toBe(text.length);
      expect(toJson(parseJsonForExpressions(text)).length).toBe(text.length);
      if (!/\d{16}/.test(text)) expect(isDeepStrictEqual(parseJson(text), JSON.parse(text))).toBe(true);
    }
  });

  it("with anything done to it is what JSON.parse says, or refused", () => {
    const pieces = [
      '"',
      ",",
      ":",
      "{",
      "}",
      "[",
      "]",
      "1",
      "e",
      "-",
      ".",
      " ",
      "\\",
      "\\u0061",
      "a",
      "9".repeat(17),
    ];
    for (let i = 0; i < 20_000; i++) {
      let text = toJson(value(1));
      const at = next(text.length + 1);
      text = text.slice(0, at) + (pieces[next(pieces.length)] ?? "") + text.slice(at + next(3));
      let expected: unknown;
      try {
        expected = JSON.parse(text);
      } catch {
        expect(() => parseJson(text)).toThrow(JsonError);
        continue;
      }
      try {
        const got = parseJson(text);
        // Numbers that a double may not hold are none of these.
        if (!/\d{16}|\de[+\d]/.test(text)) expect(isDeepStrictEqual(got, expected), text).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(JsonError);
        expect(String(error)).toMatch(/twice/);
      }
    }
  });
});
