import { describe, expect, it } from "vitest";
import { EvaluationError, ExpressionError } from "../../src/expression/expression.ts";
import { createScope } from "../../src/expression/scope.ts";
import { compileTemplate } from "../../src/expression/template.ts";
import { toText } from "../../src/expression/text.ts";
import { responseVariables } from "../../src/expression/variables.ts";
import { policyRequest } from "../../src/model/request.ts";

const SCOPE = createScope("response", []);

const VARIABLES = responseVariables(
  policyRequest(
    new Map([
      ["sender", "a@example.net"],
      ["size", "5"],
    ]),
    { id: "id", time: 0, listener: "l", recipients: ["x", "y"] },
  ),
  new Map(),
  {
    status: 200,
    headers: new Map(),
    body: new Map<string, unknown>([
      ["reason", "no"],
      ["nothing", null],
      ["count", 5],
      ["map", new Map<string, unknown>([["a}", [1, 0.5, null]]])],
    ]),
    text: "",
    fault: null,
  },
);

describe("a template", () => {
  it.each([
    ["plain", "plain"],
    ["", ""],
    ["<${sender}>", "<a@example.net>"],
    ["${sender}${size}", "a@example.net5"],
    ["$${sender} costs $5 $", "${sender} costs $5 $"],
    ["$$${sender}", "$${sender}"],
    ["}{ ${'}'} }{", "}{ } }{"],
    ['${{"a": {"b": size}}.a.b}', "5"],
    ["${body.map['a}']}", "[1,0.5,null]"],
    ["${body.map}", '{"a}":[1,0.5,null]}'],
    ["[${body.nothing}]", "[]"],
    ["[${body.?gone}]", "[]"],
    ["${body.count}/${body.count * 0.5}/${status}", "5/2.5/200"],
    ["${recipients}", '["x","y"]'],
    [
      "${1u}|${b'hi'}|${duration('5s')}|${timestamp('2024-01-01T00:00:00Z')}",
      "1|aGk=|5s|2024-01-01T00:00:00.000Z",
    ],
    ["${true} ${ sender }", "true a@example.net"],
  ])("%j gives %j", (text, rendered) => {
    expect(compileTemplate(text, SCOPE).render(VARIABLES)).toBe(rendered);
  });

  it("escapes its values, not its text", () => {
    expect(compileTemplate("a${sender}a", SCOPE).render(VARIABLES, (value) => value.toUpperCase())).toBe(
      "aA@EXAMPLE.NETa",
    );
  });

  it("knows whether it is literal, one expression, or text with expressions", () => {
    expect(compileTemplate("a $${b}", SCOPE)).toMatchObject({ literal: "a ${b}", whole: null });
    expect(compileTemplate(" ${size}\n", SCOPE)).toMatchObject({
      literal: null,
      whole: { text: "size", type: "int" },
    });
    expect(compileTemplate("${size}${size}", SCOPE)).toMatchObject({ literal: null, whole: null });
    expect(compileTemplate("${size}.", SCOPE)).toMatchObject({ literal: null, whole: null });
    expect([...compileTemplate("${size} ${body.a}", SCOPE).names]).toEqual(["size", "body"]);
  });

  it("does not render what is missing", () => {
    expect(() => compileTemplate("a ${body.gone}", SCOPE).render(VARIABLES)).toThrow(EvaluationError);
  });

  it.each<[string, RegExp, number]>([
    ["text ${sendr}", /did you mean "sender"/, 7],
    ["text ${sender", /not closed.*\$\$\{/, 5],
    ["${sender} ${}", /empty/, 12],
    ["ab ${sender + } cd", /the end/, 14],
    ["${'a} b", /[Uu]nterminated/, 2],
  ])("%j is a mistake", (text, message, offset) => {
    let caught: unknown;
    try {
      compileTemplate(text, SCOPE);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(ExpressionError);
    expect((caught as ExpressionError).message).toMatch(message);
    expect((caught as ExpressionError).offset).toBe(offset);
  });

  it("reads a text full of braces in bounded time", () => {
    const started = performance.now();
    expect(() => compileTemplate(`\${'${"}".repeat(50_000)}`, SCOPE)).toThrow(ExpressionError);
    expect(performance.now() - started).toBeLessThan(3_000);
  });
});

describe("a value as text", () => {
  it.each<[unknown, string]>([
    ["a", "a"],
    [null, ""],
    [undefined, ""],
    [5, "5"],
    [12345678901234567890n, "12345678901234567890"],
    [false, "false"],
    [[], "[]"],
    [new Map<string, unknown>([["constructor", 1n]]), '{"constructor":1}'],
    [{ a: "\ud800" }, '{"a":"\\ud800"}'],
  ])("%s", (value, text) => expect(toText(value)).toBe(text));

  it("refuses what JSON cannot hold", () => {
    expect(() => toText([Number.NaN])).toThrow(EvaluationError);
    let deep: unknown = [];
    for (let depth = 0; depth < 10_000; depth++) deep = [deep];
    expect(() => toText(deep)).toThrow(EvaluationError);
  });
});
