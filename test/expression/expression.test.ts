import { describe, expect, it } from "vitest";
import {
  compileCondition,
  compileExpression,
  EvaluationError,
  ExpressionError,
} from "../../src/expression/expression.ts";
import { createScope } from "../../src/expression/scope.ts";
import { requestVariables, responseVariables } from "../../src/expression/variables.ts";
import { policyRequest } from "../../src/model/request.ts";

const REQUEST = createScope("request", ["package", "limit"]);
const RESPONSE = createScope("response", ["package", "limit"]);

function subject(attributes: Record<string, string> = {}) {
  return policyRequest(new Map(Object.entries(attributes)), {
    id: "6a1f0f3e-0000-4000-8000-000000000000",
    time: 1_700_000_000_000,
    listener: "submission",
    recipients: ["x@example.org", "y@example.net"],
  });
}

const parameters = new Map<string, unknown>([
  ["package", "mail/authz"],
  ["limit", 5],
]);

const SENT = {
  protocol_state: "RCPT",
  client_address: "10.1.2.3",
  sender: "Bob@a@Example.NET",
  recipient: "alice@example.org",
  size: "12345",
  x_custom: "yes",
};

const BODY = new Map<string, unknown>([
  ["allowed", true],
  ["count", 5],
  ["ratio", 0.5],
  ["reason", "no such user"],
  ["empty", ""],
  ["nothing", null],
  ["constructor", "c"],
  ["__proto__", "p"],
  ["user-status", 200],
  ["items", ["a", "b"]],
  ["one", "a"],
  ["user", new Map<string, unknown>([["name", "bob"]])],
]);

function run(text: string, body: unknown = BODY, fault: unknown = null): unknown {
  const variables = responseVariables(subject(SENT), parameters, {
    status: 200,
    headers: new Map([["x-policy", "on"]]),
    body,
    text: "plain",
    fault,
  });
  return compileExpression(text, RESPONSE).evaluate(variables);
}

function mistake(text: string, scope = RESPONSE): ExpressionError {
  try {
    compileExpression(text, scope);
  } catch (error) {
    if (error instanceof ExpressionError) return error;
    throw error;
  }
  throw new Error(`${text} was accepted`);
}

describe("what an expression sees", () => {
  it.each<[string, unknown]>([
    ["sender", "Bob@a@Example.NET"],
    ["helo_name", ""],
    ["size", 12345n],
    ["recipient_count", 0n],
    ["attributes.x_custom", "yes"],
    ['attributes["x_custom"]', "yes"],
    ["recipients", ["x@example.org", "y@example.net"]],
    ["recipients.size() == 2", true],
    ["listener", "submission"],
    ["request_id", "6a1f0f3e-0000-4000-8000-000000000000"],
    ["now", "2023-11-14T22:13:20.000Z"],
    ["param.package", "mail/authz"],
    ["param.limit", 5],
    ["status", 200n],
    ['headers["x-policy"]', "on"],
    ["text", "plain"],
    ["fault", null],
    ["body.user.name", "bob"],
    ["body.constructor", "c"],
    ['body["__proto__"]', "p"],
    ['body["user-status"] == 200', true],
    ["body.?reason", "no such user"],
    ["body.?gone", null],
    ['body.?gone.orValue("none")', "none"],
    ["has(body.gone)", false],
    ["body.?gone != null", false],
    ["body.?nothing != null", false],
    ["body.?reason != null", true],
    ["null == body[?'gone']", true],
    ["headers[?'x-none'] == null && headers[?'x-policy'] != null", true],
    ["body.count == 5 && body.count > 4 && body.count in [4, 5]", true],
    ["int(body.count) + 1", 6n],
    ['{"a": sender, "b": size}', { a: "Bob@a@Example.NET", b: 12345n }],
  ])("%s", (text, value) => expect(run(text)).toEqual(value));

  it.each([["-1"], ["1e3"], [""], [" 5"], ["99999999999999999999999"], ["0x10"]])(
    "takes the size %j for 0",
    (size) => {
      const variables = requestVariables(subject({ size }), parameters);
      expect(compileExpression("size", REQUEST).evaluate(variables)).toBe(0n);
    },
  );

  it("lists the variables that it reads, without those that a macro binds", () => {
    const names = (text: string) => [...compileExpression(text, RESPONSE).names].sort();
    expect(names("status == 200 && body.allowed")).toEqual(["body", "status"]);
    expect(names("recipients.exists(sender, sender == helo_name)")).toEqual(["helo_name", "recipients"]);
    expect(names("cel.bind(status, sender, status + recipient)")).toEqual(["recipient", "sender"]);
    expect(names('first(sasl_username, sender).matches("a")')).toEqual(["sasl_username", "sender"]);
  });
});

describe("functions", () => {
  it.each<[string, unknown]>([
    ["domain(sender)", "Example.NET"],
    ["domain(helo_name)", ""],
    ["localpart(sender)", "Bob@a"],
    ['localpart("postmaster")', "postmaster"],
    ["lower(sender)", "bob@a@example.net"],
    ["domain(body.reason)", ""],
    ['ip_in(client_address, "10.0.0.0/8")', true],
    ['ip_in(helo_name, "10.0.0.0/8")', false],
    ['["192.0.2.0/24", "10.0.0.0/8"].exists(n, ip_in(client_address, n))', true],
    ["first(sasl_username, sender)", "Bob@a@Example.NET"],
    ["first(body.gone.deeper, body.nothing, body.empty, body.items[7], body.?gone, body.count)", 5],
    ["first(sasl_username, helo_name)", ""],
    ["first(fault.code, body.reason)", "no such user"],
    ["domain(first(sasl_username, sender))", "Example.NET"],
    ["list(body.items)", ["a", "b"]],
    ["list(body.one)", ["a"]],
    ["list(body.gone)", []],
    ["list(body.nothing)", []],
    ["list(body.empty)", []],
    ['list(body.gone).exists(x, x == "a")', false],
    ["list(recipients)", ["x@example.org", "y@example.net"]],
    ["json(body.user)", '{"name":"bob"}'],
    ["json(size)", "12345"],
    ["json(body.count)", "5"],
    ["json(body.?gone)", "null"],
    ['json({"a": [size, body.ratio, null, true, "\\"x\\""]})', '{"a":[12345,0.5,null,true,"\\"x\\""]}'],
    ['urlencode("a b/c?d#e&f=g%!\'()*~é")', "a%20b%2Fc%3Fd%23e%26f%3Dg%25%21%27%28%29%2A~%C3%A9"],
    ["urlencode(size)", "12345"],
    ['identifier("a.b+c/d|e=f@x*#:_-é\\n")', "a=2Eb=2Bc=2Fd=7Ce=3Df=40x=2A=23=3A_-=C3=A9=0A"],
    ['identifier("*")', "=2A"],
    ["identifier(body.?gone)", ""],
    ["identifier(size)", "12345"],
    ['base64("{\\"organization\\": [\\"acmé\\"]}")', "eyJvcmdhbml6YXRpb24iOiBbImFjbcOpIl19"],
    ["base64(body.?gone)", ""],
    ['recipient.matches("^[a-z]+@example[.]org$")', true],
    ['recipient.matches("nobody")', false],
    ['body.reason.matches("^no")', true],
    ['recipients.exists(r, r.matches("example[.]net$"))', true],
    ["recipient.matches(body.one)", true],
  ])("%s", (text, value) => expect(run(text)).toEqual(value));

  it("matches in linear time what would keep a backtracking matcher busy for a minute", () => {
    const variables = requestVariables(subject({ sender: `${"a".repeat(60)}!` }), parameters);
    const started = performance.now();
    expect(
      compileExpression('sender.matches("^([a-z0-9]+[.-]?)+@corp.example$")', REQUEST).evaluate(variables),
    ).toBe(false);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

describe("a mistake in the text", () => {
  it.each<[string, RegExp, number]>([
    ["status == 200 and body.ok", /"and" cannot stand here; write &&/, 14],
    ["not body.ok", /no `not`; write !/, 4],
    ["body.ok == True", /"True"; write true/, 11],
    ["body.x == \u201cok\u201d", /straight quotes/, 10],
    ["", /empty/, 0],
    ["sender == ", /the end/, 10],
    ["(sender", /Expected \), got the end/, 7],
    ['sender = "a"', /write ==/, 7],
    ["sendr", /no attribute or variable "sendr"; did you mean "sender"/, 0],
    ["status == 200 && sasl_usrname == 'x'", /did you mean "sasl_username"/, 17],
    ["param.pakage", /no parameter "pakage"; did you mean "package"/, 6],
    ['param["pakage"]', /no parameter "pakage"/, 6],
    ["domian(sender)", /no function "domian"; did you mean "domain"/, 0],
    ["domain(size)", /does not take these arguments/, 0],
    ["domain(sender, 1)", /does not take these arguments/, 0],
    ['size == "5"', /int == string.*without quotes/, 0],
    ["sender && true", /bool/, 0],
    ['protocol_state == "RCTP"', /no protocol_state; did you mean "RCPT".*END-OF-MESSAGE/, 18],
    ['"RCTP" != protocol_state', /no protocol_state/, 0],
    ['protocol_state in ["RCPT", "rcpt"]', /"rcpt" is no protocol_state/, 27],
    ["fault.faultcode", /fault has no member "faultcode".*code, subcode, reason, detail/, 6],
    ['fault["string"]', /fault has no member "string"/, 6],
    ["has(fault.reson)", /did you mean "reason"/, 10],
    ["body.user-status == 200", /body.user-status is a subtraction; write body\["user-status"\]/, 0],
    ["headers.x-policy", /headers\["x-policy"\]/, 0],
    ["attributes.a-b-c", /attributes\["a-b-c"\]/, 0],
    ['sender.matches("(")', /matches\(\): .*/, 15],
    ['recipients.exists(r, r.matches("["))', /matches\(\)/, 31],
    ['sender.matches("(?=x)")', /matches\(\)/, 15],
    ["size.matches('1')", /takes strings/, 0],
    ['ip_in(client_address, "10.0.0.0/33")', /is no network/, 22],
    ['ip_in(client_address, "example.org")', /is no network/, 22],
    ["ip_in(size, '10.0.0.0/8')", /takes strings/, 6],
    ["has(recipients[0].a)", /path of names/, 4],
    ["list", /no attribute or variable "list"/, 0],
    ["size > 5 ? null : sender", /same type.*dyn\(/, 0],
  ])("%s", (text, message, offset) => {
    const error = mistake(text);
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain("\n");
    expect(error.offset).toBe(offset);
  });

  it("is a name of the reply in a request", () => {
    expect(mistake("status == 200", REQUEST).message).toMatch(/belongs to the reply/);
  });

  it("is not a subtraction that is written with blanks", () => {
    expect(compileExpression("size - recipient_count", REQUEST).type).toBe("int");
    expect(compileExpression("int(body.count) -1", RESPONSE).type).toBe("int");
  });

  it("is a parameter where the mapping has none", () => {
    expect(mistake("param.x", createScope("request", [])).message).toMatch(/declare it under parameters/);
  });
});

describe("a value that cannot be worked out", () => {
  it.each<[string, unknown, RegExp]>([
    ["body.gone", BODY, /^body\.gone is missing$/],
    ["body.user.gone.deeper", BODY, /^body\.user\.gone is missing$/],
    ["body.items[9]", BODY, /^body\.items\[9\] is missing$/],
    ["body.allowed", null, /^body\.allowed is missing$/],
    ["body.allowed", "text", /^body\.allowed is missing$/],
    ["fault.code", BODY, /^fault\.code is missing$/],
    ["attributes.gone", BODY, /^attributes\.gone is missing$/],
    ["domain(body.count)", BODY, /domain/],
    ["body.count.matches('x')", BODY, /takes strings/],
    ["sender.matches(body.count)", BODY, /takes strings/],
    ["sender.matches(body.reason + '(')", BODY, /matches\(\)/],
    ["ip_in(client_address, body.reason)", BODY, /is no network/],
    ["bool(body.reason)", new Map([["reason", "a\nb\u001b[31m\u2028"]]), /a b \[31m/],
    ["first(bool(sender), 1)", BODY, /bool/],
  ])("%s", (text, body, message) => {
    let caught: unknown;
    try {
      run(text, body);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(EvaluationError);
    const error = caught as EvaluationError;
    expect(error.message).toMatch(message);
    expect(error.message).not.toMatch(/[\p{Cc}\u2028]/u);
  });
});

describe("a condition", () => {
  const variables = (body: unknown) =>
    responseVariables(subject(SENT), parameters, {
      status: 200,
      headers: new Map(),
      body,
      text: "",
      fault: null,
    });

  it.each<[string, unknown, boolean | RegExp]>([
    ["status == 200", null, true],
    ["status != 200", null, false],
    ['protocol_state == "RCPT"', null, true],
    ['protocol_state != "RCPT"', null, false],
    ['"RCPT" == protocol_state', null, true],
    ["status == 200 && body.allowed", BODY, true],
    ["body.allowed", BODY, true],
    ["body.reason", BODY, /neither true nor false/],
    ["body.gone", BODY, /missing/],
    ["body.gone || true", BODY, true],
    ["body.gone && false", BODY, false],
    ["body.gone || false", BODY, /missing/],
    ["fault != null && fault.code == 'Client'", BODY, false],
  ])("%s", (text, body, outcome) => {
    const result = compileCondition(text, RESPONSE).test(variables(body));
    if (typeof outcome === "boolean") expect(result).toBe(outcome);
    else expect((result as EvaluationError).message).toMatch(outcome);
  });

  it.each([
    ["sender", /of type string/],
    ["size", /of type int/],
    ["body.?allowed", /orValue\(false\)/],
    ["recipients", /of type list/],
  ])("cannot be %s", (text, message) => {
    expect(() => compileCondition(text, RESPONSE)).toThrow(message);
  });
});

describe("lower case", () => {
  const evaluate = (text: string, sender: string) =>
    compileExpression(text, REQUEST).evaluate(requestVariables(subject({ sender }), parameters));

  it.each([
    "lower(sender)",
    "sender.lowerAscii()",
    "domain(lower('x@' + sender))",
    "sender.upperAscii().lowerAscii()",
  ])("is that of A to Z alone: %s", (text) => {
    // The Kelvin sign's lower case is k; the dotted capital I's is two characters.
    expect(evaluate(text, "Bob.K\u212a\u0130\u00dc.EXAMPLE")).toBe("bob.k\u212a\u0130\u00dc.example");
  });

  it("and upper case of a to z", () => {
    expect(evaluate("sender.upperAscii()", "Bob\u00fc\u00df\u0131")).toBe("BOB\u00fc\u00df\u0131");
  });
});

describe("JSON within a text", () => {
  it("is read as a reply is", () => {
    const body = (text: string) => new Map([["json", text]]);
    expect(run("bytes(body.json).json().allowed", body('{"allowed":true}'))).toBe(true);
    expect(run("bytes(body.json).json().n == 9007199254740993", body('{"n":9007199254740993}'))).toBe(true);
    expect(run("bytes(body.json).json().constructor", body('{"constructor":"c"}'))).toBe("c");
    expect(() => run("bytes(body.json).json().allowed", body('{"allowed":false,"allowed":true}'))).toThrow(
      /"allowed" stands twice/,
    );
    expect(() => run("bytes(body.json).json()", body(`"${"x".repeat(300_000)}"`))).toThrow(/longer than/);
  });
});

describe("a map in an expression", () => {
  it.each([
    ['{"a": 1, "a": 2}', 'the key "a" stands twice', 9],
    ['{\'a\': 1, "b": 2, "a": 2}', 'the key "a" stands twice', 17],
    ["{1: 1, 1: 2}", "the key 1 stands twice", 7],
    ['json({"constructor": sender})', 'a map cannot have the key "constructor"', 6],
    ['{"__proto__": sender}', 'a map cannot have the key "__proto__"', 1],
  ])("%s is a mistake", (text, message, offset) => {
    expect(() => compileExpression(text, REQUEST)).toThrow(expect.objectContaining({ message, offset }));
  });
});
