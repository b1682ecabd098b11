import { expect, it } from "vitest";
import { createScope } from "../../src/expression/scope.ts";
import { compileRules, judgeByReplyAlone, type RuleDefinition } from "../../src/mapping/rules.ts";

const rules = (...definitions: RuleDefinition[]) =>
  compileRules(definitions, {
    scope: createScope("response", ["reason"]),
    allow: new Set(),
    report: (_path, message) => expect.unreachable(message),
  });

it.each<[string, boolean, RuleDefinition[]]>([
  ["status and body", true, [{ when: "status == 200 && body.ok == true", action: "DUNNO" }]],
  [
    "text, headers, fault and parameters",
    true,
    [{ when: 'text == "no" || headers["x-a"] == "b" || fault != null', action: "REJECT ${param.reason}" }],
  ],
  ["nothing at all", true, [{ action: "DUNNO" }]],
  ["the sender, in a condition", false, [{ when: "body.sender == sender", action: "DUNNO" }]],
  ["the sender, in an action", false, [{ when: "body.ok == true", action: "REJECT not as ${sender}" }]],
  ["the time", false, [{ when: 'now < "2030"', action: "DUNNO" }]],
  [
    "the request in the second rule only",
    false,
    [{ when: "status == 403", action: "REJECT" }, { action: "REJECT ${request_id}" }],
  ],
])("rules that look at %s judge by the reply alone: %s", (_, expected, definitions) => {
  expect(judgeByReplyAlone(rules(...definitions))).toBe(expected);
});
