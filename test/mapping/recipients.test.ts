/** Recipients of which some are missing: evidence that is a part decides nothing for who does not ask whether it is. */

import { describe, expect, it } from "vitest";
import { loadMapping } from "../../src/mapping/load.ts";
import { isFailure } from "../../src/mapping/mapping.ts";
import { policyRequest } from "../../src/model/request.ts";
import { fileOf } from "./mappings.ts";
import { json } from "./replies.ts";

const OUTSIDE = '${recipients.exists(r, domain(r) != "example.org")}';
const PERMIT = "response: [{ when: body.ok == true, action: DUNNO }]";

/** At DATA, for a message with three recipients. */
function atData(recipients: string[]) {
  const attributes = new Map([
    ["protocol_state", "DATA"],
    ["recipient", ""],
    ["recipient_count", "3"],
  ]);
  return policyRequest(attributes, { recipients });
}
const WHOLE = atData(["a@example.org", "b@example.org", "c@example.com"]);
const PART = atData(["a@example.org", "b@example.org"]);

async function mapping(content: string, extension = ".yaml") {
  const loaded = await loadMapping({ name: "m", file: fileOf(content, extension), parameters: {} });
  return { loaded, mapping: await loaded.instantiate() };
}

describe("a mapping that reads recipients", () => {
  it.each([
    ["in the body", `request: { json: { outside: '${OUTSIDE}' } }\n${PERMIT}`],
    ["in the path", `request: { path: "/\${size(recipients)}" }\n${PERMIT}`],
    ["in a header", `request: { headers: { x-n: "\${size(recipients)}" } }\n${PERMIT}`],
    [
      "in a rule alone",
      "request: {}\nresponse: [{ when: '!(\"c@example.com\" in recipients)', action: DUNNO }]",
    ],
    [
      "in an action alone",
      'request: {}\nresponse: [{ when: body.ok == true, action: "WARN ${recipients}" }]',
    ],
  ])("%s makes no call when some are missing", async (_, content) => {
    const { mapping: made, loaded } = await mapping(content);
    expect(await made.render(PART)).toMatchObject({
      cause: "mapping_error",
      detail: expect.stringMatching(/recipients holds 2, and Postfix took 3: .*RCPT.*recipients_complete/),
    });
    expect(isFailure(await made.render(WHOLE))).toBe(false);
    expect((await loaded.probe()).map(({ message }) => message)).toEqual([
      expect.stringMatching(/no call can be made for DATA with recipients that .* RCPT/),
    ]);
  });

  it.each([
    ["in the body", `request: { json: { all: "\${recipients_complete}", r: "\${recipients}" } }\n${PERMIT}`],
    [
      "in a rule",
      'request: { json: "${recipients}" }\nresponse: [{ when: recipients_complete && body.ok == true, action: DUNNO }]',
    ],
  ])("may, where it reads recipients_complete %s", async (_, content) => {
    const { mapping: made, loaded } = await mapping(content);
    expect(isFailure(await made.render(PART))).toBe(false);
    expect(await loaded.probe()).toEqual([]);
  });

  it("is told whether they are complete", async () => {
    const { mapping: made } = await mapping(
      `request: { json: { all: "\${recipients_complete}", n: "\${size(recipients)}" } }\n${PERMIT}`,
    );
    expect(await made.render(PART)).toMatchObject({ body: '{"all":false,"n":2}' });
    expect(await made.render(WHOLE)).toMatchObject({ body: '{"all":true,"n":3}' });
  });

  it("says in its examples what comes then", async () => {
    const { loaded } = await mapping(`request: { json: "\${recipients}" }
${PERMIT}
examples:
  - { name: fewer, request: { protocol_state: DATA, recipient_count: "2", recipients: [a@x] }, failure: mapping_error }
  - { name: said, request: { recipients: [a@x], recipients_complete: false }, failure: mapping_error }
  - { name: twice, request: { recipient_count: "2", recipients: [a@x], recipients_complete: true }, expect: { json: [a@x] } }
`);
    expect((await loaded.check()).filter(({ passed }) => !passed)).toEqual([]);
    expect(loaded.warnings).toEqual([]);
  });
});

describe("a module that reads recipients", () => {
  const CALL = "export const toRequest = () => ({});";
  const ACTION = "export const toAction = () => 'DUNNO';";
  const toRequest = async (body: string) =>
    (await mapping(`export const toRequest = ${body};\n${ACTION}`, ".mjs")).mapping.render(PART);
  const toAction = async (body: string) =>
    (await mapping(`${CALL}\nexport const toAction = ${body};`, ".mjs")).mapping.interpret(
      json(200, {}),
      PART,
    );

  it.each([
    "(r) => ({ body: r.recipients.join() })",
    "async ({ recipients }) => ({ body: `${recipients}` })",
  ])("makes no call when some are missing: %s", async (body) => {
    expect(await toRequest(body)).toMatchObject({
      cause: "mapping_error",
      detail: expect.stringMatching(/^toRequest: recipients holds 2, and Postfix took 3/),
    });
  });

  it.each([
    "({ recipients, recipients_complete }) => ({ body: `${recipients} ${recipients_complete}` })",
    "(r) => ({ body: `${r.recipients} ${r.recipients_complete}` })",
  ])("may, where it reads recipients_complete: %s", async (body) => {
    expect(await toRequest(body)).toMatchObject({ body: "a@example.org,b@example.org false" });
  });

  it("may send all that it is given, whether it is complete among it", async () => {
    const { body } = (await toRequest("(r) => ({ body: JSON.stringify(r) })")) as { body: string };
    expect(JSON.parse(body)).toMatchObject({ recipients_complete: false, recipient_count: 3 });
  });

  it("decides nothing when some are missing", async () => {
    expect(
      await toAction("(_, r) => r.recipients.includes('c@example.com') ? 'REJECT' : 'DUNNO'"),
    ).toMatchObject({
      cause: "mapping_error",
      detail: expect.stringContaining("Postfix took 3"),
    });
    expect(await toAction("(_, r) => r.recipients_complete ? 'DUNNO' : 'DEFER'")).toEqual({
      action: "DEFER",
      rule: 0,
    });
  });
});
