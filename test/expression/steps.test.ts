import { describe, expect, it } from "vitest";
import { compileCondition, compileExpression, EvaluationError } from "../../src/expression/expression.ts";
import { createScope } from "../../src/expression/scope.ts";
import { responseVariables } from "../../src/expression/variables.ts";
import { policyRequest } from "../../src/model/request.ts";

const SCOPE = createScope("response", []);
const TOO_MANY = /take more than 100000 steps/;
const many = (count: number, item: (n: number) => unknown) =>
  Array.from({ length: count }, (_, n) => item(n));

function variables(body: unknown, { text = "", recipients = [] as string[] } = {}) {
  const reply = { status: 200, headers: new Map<string, string>(), body, text, fault: null };
  return responseVariables(policyRequest(new Map(), { recipients }), new Map(), reply);
}

function run(expression: string, given: ReturnType<typeof variables>): unknown {
  return compileExpression(expression, SCOPE).evaluate(given);
}

const BODY = {
  items: many(2_000, (n) => `user${n}@example.com`),
  others: many(2_000, (n) => `user${n}@example.org`),
  objects: many(2_000, (n) => ({ name: `user${n}`, n })),
  object: Object.fromEntries(many(2_000, (n) => [`user${n}`, n]) as [string, number][]),
  nested: many(200, () => many(200, () => [1])),
  text: "x".repeat(200_000),
};

describe("an expression", () => {
  it.each([
    ["one list in another", "body.items.exists(i, body.others.exists(o, o == i))"],
    ["written otherwise", "body.items.all(i, !body.others.exists_one(o, o == i))"],
    ["that makes lists of lists", "size(body.items.map(i, body.others.filter(o, o != i))) > 0"],
    ["over members of an object", "body.object.exists(k, body.object.exists(l, l == k + l))"],
    ["of optional lists", "body.?items.orValue([]).exists(i, list(body.?others).exists(o, o == i))"],
    [
      "with the inner list bound before",
      "cel.bind(o, body.others, body.items.exists(i, o.exists(p, p == i)))",
    ],
    ["that looks for each in a list", 'body.items.all(i, !(i in body.others) && !("x" in body.others))'],
    ["that compares lists", "body.items.all(i, body.nested == body.nested)"],
    ["that compares objects", "body.items.exists(i, body.objects != body.objects)"],
    ["that writes JSON again and again", "body.items.exists(i, json(body) == i)"],
    ["that looks through a long text for each", "body.items.exists(i, body.text.contains(i))"],
    ["that matches a long text for each", 'body.items.exists(i, body.text.matches("x+y"))'],
    ["that matches a text of its own making", 'body.items.exists(i, (body.text + i).matches(i + "y"))'],
    ["that makes a text longer and longer", "body.items.map(i, body.text + body.text + i) == []"],
    ["that an || would pass over", "body.items.exists(i, body.others.exists(o, o == i)) || true"],
    ["that an && would pass over", "!(body.items.exists(i, body.others.exists(o, o == i)) && false)"],
  ])("%s has no value", (_, expression) => {
    expect(() => run(expression, variables(BODY))).toThrow(EvaluationError);
    expect(() => run(expression, variables(BODY))).toThrow(TOO_MANY);
    expect(String(compileCondition(expression, SCOPE).test(variables(BODY)))).toMatch(TOO_MANY);
  });

  it.each([
    ["a long list", 'body.items.exists(i, i == "user1999@example.com")', true],
    ["a long list of objects", "body.objects.all(o, has(o.name) && o.n >= 0 && o.n < 2000.0)", true],
    ["short lists in one another", "[1, 2, 3].all(i, [1, 2, 3].exists(j, i == j))", true],
    ["some, in a long list", '["a", "b", "user1999@example.com"].exists(i, i in body.items)', true],
    [
      "a list for what is at its beginning",
      'body.items.exists(i, body.others.exists(o, i == "user0@example.com"))',
      true,
    ],
  ])("may look at %s", (_, expression, expected) => {
    expect(run(expression, variables(BODY))).toBe(expected);
  });

  it("may look at each recipient that Postfix takes, however long", () => {
    const recipients = many(1_000, (n) => `${n}@example.org`.padStart(2_048, "x")) as string[];
    const given = { recipients: [...recipients, "ceo@example.com"] };
    expect(run('recipients.exists(r, domain(r) != "example.org")', variables(null, given))).toBe(true);
    expect(run('recipients.all(r, domain(r) == "example.org")', variables(null, { recipients }))).toBe(true);
    expect(run('"ceo@example.com" in recipients', variables(null, given))).toBe(true);
  });

  it("gives the same each time", () => {
    const expression = compileExpression("body.items.map(i, i + body.s)", SCOPE);
    for (const s of ["a", "b"])
      expect(expression.evaluate(variables({ items: ["x", "y"], s }))).toEqual([`x${s}`, `y${s}`]);
    expect(() => expression.evaluate(variables({ items: ["x"] }))).toThrow(/body.s is missing/);
    expect(expression.evaluate(variables({ items: ["x"], s: "c" }))).toEqual(["xc"]);
  });
});

describe("a list that is far longer than there are steps", () => {
  it.each(["exists", "all"])("is not gone through to its end by %s", (method) => {
    const expression = compileExpression(
      `body.${method}(i, json(i) ${method === "all" ? "!=" : "=="} "")`,
      SCOPE,
    );
    const list = many(40_000, (n) => "x".repeat(n < 100 ? 10_000 : 1));
    let looked = 0;
    const body = new Proxy(list, {
      get(target, key, receiver) {
        looked++;
        return Reflect.get(target, key, receiver);
      },
    });
    expect(() => expression.evaluate(variables(body))).toThrow(TOO_MANY);
    expect(looked).toBeLessThan(40_000);
  });
});

describe("the expressions over one reply", () => {
  it.each(["json(body.text)", "urlencode(body.text)"])(
    "may write a long text, not again and again: %s",
    (write) => {
      expect(run(`${write} == ""`, variables(BODY))).toBe(false);
      const again = `${write} == "" || ${write} == "a" || ${write} == "b"`;
      expect(() => run(again, variables(BODY))).toThrow(TOO_MANY);
    },
  );

  const once = compileExpression("body.items.filter(i, i.endsWith('x') || i.startsWith('y')).size()", SCOPE);
  it("share their steps, and those over another have their own", () => {
    const given = variables(BODY);
    let evaluated = 0;
    expect(() => {
      for (; evaluated < 1_000; evaluated++) once.evaluate(given);
    }).toThrow(TOO_MANY);
    expect(evaluated).toBeGreaterThan(1);
    expect(evaluated).toBeLessThan(50);
    expect(() => once.evaluate(given)).toThrow(TOO_MANY);
    expect(once.evaluate(variables(BODY))).toBe(0n);
  });
});
