import { describe, expect, it } from "vitest";
import { call, failure, hostileValues, mistakes } from "./call.ts";

function body(
  json: unknown,
  attributes: Record<string, string> = {},
  omit_empty = false,
  recipients: string[] = [],
) {
  return call({ json, omit_empty }, attributes, recipients).body;
}

describe("json", () => {
  it.each<[string, unknown, string]>([
    ["text", { a: "x" }, '{"a":"x"}'],
    [
      "scalars",
      [1, -0.5, 1e21, true, false, null, 12345678901234567890n],
      "[1,-0.5,1e+21,true,false,null,12345678901234567890]",
    ],
    ["a lone value", "${size}", "7"],
    ["an int", { size: "${size}" }, '{"size":7}'],
    ["white space around an expression", { size: " ${size}\n" }, '{"size":7}'],
    ["a number inside text", { size: "${size} bytes" }, '{"size":"7 bytes"}'],
    ["a bool", { big: "${size > 5}" }, '{"big":true}'],
    ["a double", { half: "${param.limit}" }, '{"half":5}'],
    ["null", { n: "${null}" }, '{"n":null}'],
    ["an optional without value", { n: "${attributes.?gone}" }, '{"n":null}'],
    ["a list", { to: "${recipients}" }, '{"to":["x","y"]}'],
    ["a map", { m: "${param.nested}" }, '{"m":{"a":[1,true,null]}}'],
    ["a map of its own", { m: '${{"s": sender, "n": size}}' }, '{"m":{"s":"s@x","n":7}}'],
    ["a list inside text", { to: "to ${recipients}" }, '{"to":"to [\\"x\\",\\"y\\"]"}'],
    ["a literal ${", { a: "$${sender}", "$${k}": 1 }, '{"a":"${sender}","${k}":1}'],
    [
      "keys of JavaScript",
      JSON.parse('{"__proto__":1,"constructor":"${sender}"}'),
      '{"__proto__":1,"constructor":"s@x"}',
    ],
    ["nothing", {}, "{}"],
    ["nested values", { a: { b: [{ c: "${sender}" }, "d"] } }, '{"a":{"b":[{"c":"s@x"},"d"]}}'],
  ])("%s", (_name, json, text) => {
    expect(body(json, { sender: "s@x", size: "7" }, false, ["x", "y"])).toBe(text);
  });

  it("is sent as application/json", () => {
    expect(call({ json: {} })).toMatchObject({
      method: "POST",
      headers: { "content-type": "application/json" },
    });
  });

  it("carries any value unchanged", () => {
    for (const value of hostileValues()) {
      const text = body({ whole: "${sender}", part: "a${sender}b", list: ["${sender}"] }, { sender: value });
      expect(JSON.parse(String(text))).toEqual({ whole: value, part: `a${value}b`, list: [value] });
    }
  });

  it.each<[string, unknown, string]>([
    ["a member", { a: "${sender}", b: "${size}" }, '{"b":7}'],
    ["an item", ["${sender}", "x"], '["x"]'],
    ["text with expressions", { a: "${sender}${helo_name}", b: " ${sender}." }, '{"b":" ."}'],
    ["an object left with nothing", { a: { b: { c: "${sender}" } }, d: 1 }, '{"d":1}'],
    ["an array left with nothing", { a: ["${sender}", ["${helo_name}"]], d: 1 }, '{"d":1}'],
    ["everything but the outermost", { a: "${sender}" }, "{}"],
    ["not what the mapping wrote empty", { a: "", b: {}, c: [], d: null }, '{"a":"","b":{},"c":[],"d":null}'],
    [
      "not null, zero or false",
      { a: "${null}", b: "${recipient_count}", c: "${false}" },
      '{"a":null,"b":0,"c":false}',
    ],
    ["not an empty list", { a: "${recipients}" }, '{"a":[]}'],
  ])("omit_empty leaves out %s", (_name, json, text) => expect(body(json, { size: "7" }, true)).toBe(text));

  it("names the place of a value that cannot be had", () => {
    expect(failure({ json: { a: [{ from: "${attributes.gone}" }] } })).toEqual({
      cause: "mapping_error",
      detail: "request.json.a[0].from: attributes.gone is missing; first(…) gives it a default",
    });
  });

  it("reports every mistake with its place", () => {
    expect(
      mistakes({ json: { from: "to ${sendr}", list: ["${size + }"], "a${sender}": 1, n: Number.NaN } }),
    ).toEqual([
      { path: "request.json.a${sender}", message: expect.stringContaining("a JSON key"), offset: 1 },
      { path: "request.json.from", message: expect.stringContaining('"sender"'), offset: 5 },
      { path: "request.json.list.0", message: expect.stringContaining("the end"), offset: 9 },
      { path: "request.json.n", message: expect.stringContaining("in quotes"), offset: undefined },
    ]);
  });

  it("refuses bottomless nesting", () => {
    let deep: unknown = [];
    for (let depth = 0; depth < 5_000; depth++) deep = [deep];
    for (const omit_empty of [false, true]) {
      expect(mistakes({ json: deep, omit_empty })[0]?.message).toMatch(/levels deep/);
    }
  });
});
