import { describe, expect, it } from "vitest";
import type { UpstreamReply } from "../../src/model/exchange.ts";
import { requestOf, withRules } from "./mappings.ts";
import { json, reply, soap, xml } from "./replies.ts";

const SECRET = "hunter2-s3cr3t";

async function detailOf(rules: string, given: UpstreamReply): Promise<string> {
  const mapping = await withRules(rules);
  const verdict = await mapping.interpret(given, requestOf({ sender: "a@example.net" }));
  // What the service said follows, in its own words, where they name nobody.
  return "detail" in verdict
    ? (verdict.detail.split("; it said: ")[0] ?? "")
    : `no failure: ${JSON.stringify(verdict)}`;
}

const DECISION = `
- when: body.decision == true
  action: DUNNO
- when: body.decision == false
  action: REJECT`;

const OPTIONAL = `
- when: first(body.?data.?result, body.?result) == "DENY"
  action: REJECT
- when: first(body.?data.?result, body.?result) == "PERMIT"
  action: DUNNO`;

const NUMBER = `
- when: body.status < 0
  action: REJECT
- when: body.status == 0
  action: DUNNO`;

const XACML = `
- when: list(body.Response)[0].Decision in ["Deny", "NotApplicable"]
  action: REJECT
- when: list(body.Response)[0].Decision == "Permit"
  action: DUNNO`;

const CERBOS = `
- when: body.results[0].actions.exists(a, body.results[0].actions[a] == "EFFECT_DENY")
  action: REJECT
- when: body.results[0].actions.exists(a, body.results[0].actions[a] == "EFFECT_ALLOW")
  action: DUNNO`;

const BARE = "- when: body.allowed\n  action: DUNNO";
const TEXT = `- when: text == "yes"\n  action: DUNNO`;
const HEADER = `- when: headers[?"x-decision"].orValue("") == "yes"\n  action: DUNNO`;
const UNEQUAL = `- when: body.answer.code != "x" && body.answer.kind == "OK"\n  action: DUNNO`;

const decides = (decision: unknown) => json(200, { decision, other: SECRET });
const answer = (inner: string) => xml(200, `<answer>${inner}</answer>`);

describe("a reply of another shape", () => {
  it.each<[string, string, UpstreamReply, string]>([
    [
      "a text for a bool",
      DECISION,
      decides(SECRET),
      "rules 1 and 2 looked for true or false in body.decision, which is a text",
    ],
    ["null", DECISION, decides(null), "in body.decision, which is null"],
    ["a number", DECISION, decides(4711), "in body.decision, which is a number"],
    ["an object", DECISION, decides({ [SECRET]: SECRET }), "in body.decision, which is an object"],
    ["a list", DECISION, decides([SECRET]), "in body.decision, which is a list"],
    [
      "missing",
      DECISION,
      json(200, { [SECRET]: true }),
      "rule 1 cannot be evaluated: body.decision is missing (the reply is application/json)",
    ],
    ["a list for the body", DECISION, json(200, [SECRET]), "body is a list"],
    ["a text for the body", DECISION, json(200, SECRET), "body is a text"],
    ["null for the body", DECISION, json(200, null), "body is null"],
    [
      "an empty body",
      DECISION,
      reply(200, "", { "content-type": "application/json" }),
      "(the body is empty)",
    ],
    [
      "a word that no rule knows",
      OPTIONAL,
      json(200, { data: { result: SECRET } }),
      'rules 1 and 2 looked for "DENY" or "PERMIT" in body.data.result, which is another text; rules 1 and 2 looked for "DENY" or "PERMIT" in body.result, which is missing',
    ],
    [
      "another place",
      OPTIONAL,
      json(200, { verdict: SECRET }),
      'looked for "DENY" or "PERMIT" in body.data.result, but body.data is missing',
    ],
    [
      "a text on the way",
      OPTIONAL,
      json(200, { data: SECRET }),
      "in body.data.result, but body.data is a text",
    ],
    ["a text for a number", NUMBER, json(200, { status: SECRET }), "body.status is a text"],
    [
      "a number that no rule knows",
      NUMBER,
      json(200, { status: 4711 }),
      "rules 1 and 2 looked for < 0 or 0 in body.status, which is another number",
    ],
    [
      "an object for a list",
      XACML,
      json(200, { Response: { Decision: SECRET } }),
      'rules 1 and 2 looked for "Deny", "NotApplicable" or "Permit" in body.Response[0].Decision, which is another text',
    ],
    ["an empty list", XACML, json(200, { Response: [] }), "body.Response is an empty list"],
    [
      "members by any name",
      CERBOS,
      json(200, { results: [{ actions: { [SECRET]: SECRET } }] }),
      'looked for "EFFECT_DENY" or "EFFECT_ALLOW" in body.results[0].actions[…], which is another text',
    ],
    ["no bool for a condition", BARE, json(200, { allowed: SECRET }), "body.allowed is a text"],
    [
      "another text",
      TEXT,
      reply(200, SECRET, { "content-type": "text/plain" }),
      '(the reply is text/plain): rule 1 looked for "yes" in text, which is another text',
    ],
    [
      "no header",
      HEADER,
      reply(200, SECRET),
      'rule 1 looked for "yes" in headers["x-decision"], which is missing',
    ],
    [
      "another header",
      HEADER,
      reply(200, "", { "x-decision": SECRET }),
      'in headers["x-decision"], which is another text',
    ],
    [
      "XML, another word",
      UNEQUAL,
      answer(`<code>1</code><kind>${SECRET}</kind>`),
      'rule 1 looked for "OK" in body.answer.kind, which is another text; rule 1 looked at body.answer.code, which is a text',
    ],
    [
      "XML, an element twice",
      UNEQUAL,
      answer(`<code>1</code><kind>${SECRET}</kind><kind>OK</kind>`),
      "in body.answer.kind, which is a list",
    ],
    [
      "XML, an empty element",
      UNEQUAL,
      answer("<code>1</code><kind/>"),
      "in body.answer.kind, which is an empty text",
    ],
    ["XML, another root", UNEQUAL, xml(200, `<${SECRET}/>`), "body.answer is missing"],
    [
      "SOAP, children for a word",
      UNEQUAL,
      soap(
        200,
        `<n:answer xmlns:n="urn:n"><n:code>1</n:code><n:kind><n:v>${SECRET}</n:v></n:kind></n:answer>`,
      ),
      "in body.answer.kind, which is an object",
    ],
    [
      "SOAP, an element that is nil",
      UNEQUAL,
      soap(
        200,
        '<answer xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><code>1</code><kind xsi:nil="true"/></answer>',
      ),
      "in body.answer.kind, which is null",
    ],
    ["SOAP, an empty Body", UNEQUAL, soap(200, ""), "body.answer is missing"],
  ])("is told by its kind: %s", async (_, rules, given, expected) => {
    const detail = await detailOf(rules, given);
    expect(detail).toContain(expected);
    expect(detail).not.toContain(SECRET);
    expect(detail).not.toContain("4711");
    expect(detail.length).toBeLessThan(500);
  });

  it("says that what it looked for was there where something else kept the rule from matching", async () => {
    const rules = `
- when: body.allowed == false && sender == "b@example.net"
  action: REJECT
- when: body.allowed == true && sender == "b@example.net"
  action: DUNNO`;
    expect(await detailOf(rules, json(200, { allowed: true }))).toBe(
      "HTTP status 200: no rule matches (the reply is application/json): rule 2 found true in body.allowed, but not all else that is asked for",
    );
  });

  it("looks at no reply for the sake of the message", async () => {
    const rules = "- { when: status == 403 && body.error == 'denied', action: REJECT }";
    const detail = await detailOf(rules, reply(500, "{", { "content-type": "application/json" }));
    expect(detail).toBe("HTTP status 500: no rule matches (the reply is application/json)");
  });

  it("stays short, whatever the rules name", async () => {
    const way = Array.from({ length: 60 }, (_, index) => `member${index}`).join(".?");
    const values = Array.from({ length: 100 }, (_, index) => `"${"v".repeat(50)}${index}"`).join(", ");
    const rules = Array.from(
      { length: 30 },
      (_, index) => `- { when: 'first(body.?${way}, body.?b${index}) in [${values}]', action: DUNNO }`,
    );
    const detail = await detailOf(rules.join("\n"), json(200, {}));
    expect(detail).toMatch(/rules 1, 2, 3, 4 and others looked for .* or others in body\.member0\.member1/);
    expect(detail.length).toBeLessThan(700);
  });
});
