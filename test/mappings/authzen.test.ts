/** What the authzen mapping asks and understands, against the schemas of the specification and its own documentation. */
import { readFileSync } from "node:fs";
import Ajv from "ajv/dist/2020.js";
import { beforeAll, describe, expect, it } from "vitest";
import { findMapping } from "../../src/mapping/find.ts";
import { loadMapping } from "../../src/mapping/load.ts";
import { isFailure, type Mapping } from "../../src/mapping/mapping.ts";
import { PROTOCOL_STATES } from "../../src/model/request.ts";
import { json, reply } from "../mapping/replies.ts";
import requestSchema from "./evaluation-request.schema.json" with { type: "json" };
import { loadShipped, requestOf } from "./shipped.ts";

const ajv = new Ajv.default({ strict: false, allErrors: true });
const validRequest = ajv.compile(requestSchema);

interface Evaluation {
  readonly subject: {
    readonly type: string;
    readonly id: string;
    readonly properties: Record<string, unknown>;
  };
  readonly action: { readonly name: string };
  readonly resource: {
    readonly type: string;
    readonly id: string;
    readonly properties?: Record<string, unknown>;
  };
  readonly context?: Record<string, unknown>;
}

let authzen: Mapping;
beforeAll(async () => {
  authzen = await loadShipped("authzen");
});

async function asked(
  attributes: Record<string, string>,
  recipients: readonly string[] = [],
  mapping = authzen,
): Promise<Evaluation> {
  const call = await mapping.render(requestOf(attributes, recipients));
  if (isFailure(call)) throw new Error(call.detail);
  const question: unknown = JSON.parse(call.body ?? "");
  expect(validRequest(question), JSON.stringify(validRequest.errors)).toBe(true);
  return question as Evaluation;
}

/** As Postfix sends them: the attributes that it always has, and what each state adds. */
const CLIENT = {
  client_address: "192.0.2.1",
  client_name: "unknown",
  helo_name: "h",
  sender: "",
  recipient: "",
};
const STATES: Record<(typeof PROTOCOL_STATES)[number], Record<string, string>> = {
  CONNECT: { helo_name: "" },
  EHLO: {},
  HELO: {},
  MAIL: { sender: "a@example.net", instance: "1.2.3" },
  RCPT: { sender: "a@example.net", recipient: "b@example.org" },
  DATA: { sender: "a@example.net", recipient: "b@example.org", recipient_count: "1" },
  "END-OF-MESSAGE": { sender: "a@example.net", recipient: "b@example.org", size: "242" },
  VRFY: { recipient: "postmaster" },
  ETRN: { etrn_domain: "example.org" },
};

describe("the question", () => {
  it.each(PROTOCOL_STATES)("at %s is a valid evaluation request, with and without a login", async (state) => {
    const attributes = { ...CLIENT, ...STATES[state], protocol_state: state };
    const stranger = await asked(attributes);
    expect(stranger.action.name).toBe(state.toLowerCase());
    expect(stranger.subject).toMatchObject({ type: "sender", id: attributes.sender || "<>" });
    const user = await asked({ ...attributes, sasl_username: "Alice" });
    expect(user.subject).toMatchObject({ type: "user", id: "Alice", properties: { authenticated: true } });
  });

  it.each(["rcpt", "data", "end-of-message"])("recorded off Postfix at %s is valid", async (name) => {
    const recorded = readFileSync(new URL(`recorded/${name}.txt`, import.meta.url), "utf8");
    const lines = recorded.split("\n").filter((line) => line !== "");
    const attributes = lines.map((line) => [
      line.slice(0, line.indexOf("=")),
      line.slice(line.indexOf("=") + 1),
    ]);
    const question = await asked(Object.fromEntries(attributes), ["carol@example.org"]);
    expect(question.resource).toMatchObject({ type: "mailbox", id: "carol@example.org" });
  });

  it("is valid where nothing at all is known", async () => {
    expect(await asked({})).toMatchObject({
      subject: { type: "sender", id: "<>", properties: { authenticated: false } },
      action: { name: "rcpt" },
      resource: { type: "mail_server", id: "postfix" },
    });
  });

  it("names the recipients where Postfix names none", async () => {
    const recipients = ["b@example.org", "c@example.org"];
    const data = { protocol_state: "DATA", sender: "a@example.net", recipient_count: "2" };
    expect((await asked(data, recipients)).resource).toEqual({
      type: "mail_server",
      id: "postfix",
      properties: { recipients, recipients_complete: true, recipient_count: 2 },
    });
  });

  it("says that there are more where not all are known", async () => {
    const data = { protocol_state: "DATA", sender: "a@example.net", recipient_count: "3" };
    expect((await asked(data, ["b@example.org"])).resource.properties).toEqual({
      recipients: ["b@example.org"],
      recipients_complete: false,
      recipient_count: 3,
    });
  });

  it("tells who logged in from who claims that name as sender", async () => {
    const user = await asked({ sasl_username: "ceo@example.com" });
    const claimant = await asked({ sender: "ceo@example.com" });
    expect(user.subject.id).toBe(claimant.subject.id);
    expect(user.subject.type).not.toBe(claimant.subject.type);
    expect(claimant.subject.properties.authenticated).toBe(false);
  });

  it("has addresses in lower case, so that a policy cannot be evaded by writing one in capitals", async () => {
    const question = await asked({ sender: "A@Example.NET", recipient: "CEO@Example.ORG" });
    expect(question.subject.id).toBe("a@example.net");
    expect(question.resource.id).toBe("ceo@example.org");
  });

  it.each([
    ['"quoted"@example.net'],
    ['x","authenticated":true,"y":"@example.net'],
    ["back\\slash@example.net"],
    ["${sasl_username}@example.net"],
    ["ünïcode@exämple.net"],
    ["</Sender>&amp;@example.net"],
    ["\u2028\u0007@example.net"],
    ["constructor"],
    ["__proto__"],
  ])("carries the sender %j as a value and nothing else", async (sender) => {
    const question = await asked({ sender, recipient: "b@example.org" });
    expect(question.subject.id).toBe(sender.toLowerCase());
    expect(question.subject.properties).toMatchObject({ authenticated: false, sender: sender.toLowerCase() });
  });

  it("is the same for the next message of the same sender to the same recipient", async () => {
    const first = { ...CLIENT, ...STATES.RCPT, protocol_state: "RCPT" };
    const next = {
      ...first,
      queue_id: "E29D1",
      instance: "9.9.9",
      client_port: "46894",
      size: "1",
      stress: "yes",
    };
    expect(await asked(next)).toEqual(await asked(first));
  });

  it("takes its names from parameters", async () => {
    const names = { sender_type: "address", server_type: "host", server: "mx1", action: "send" };
    const renamed = await loadShipped("authzen", names);
    expect(await asked({ protocol_state: "MAIL", sender: "a@example.net" }, [], renamed)).toMatchObject({
      subject: { type: "address" },
      action: { name: "send" },
      resource: { type: "host", id: "mx1" },
      context: { protocol_state: "MAIL" },
    });
  });

  const loadPreset = async (preset: string, parameters = {}) =>
    (
      await loadMapping({ name: "authzen", file: findMapping("authzen", "x.yaml"), preset, parameters })
    ).instantiate();

  it("asks Keycloak about what it knows, whatever a sender or a login makes up", async () => {
    const keycloak = await loadPreset("keycloak");
    const request = { protocol_state: "RCPT", sender: "a@example.net", recipient: "b@example.org" };
    expect(await asked(request, [], keycloak)).toMatchObject({
      subject: { type: "client", id: "postfix", properties: { sender: "a@example.net" } },
      action: { name: "send" },
      resource: { type: "mail", id: "mail", properties: { recipients: ["b@example.org"] } },
    });
    expect(await asked({ protocol_state: "CONNECT" }, [], keycloak)).toMatchObject({
      resource: { type: "mail", id: "mail" },
    });
    const user = await asked({ ...request, sasl_username: "email:ceo@example.com" }, [], keycloak);
    expect(user.subject).toMatchObject({ type: "user", id: "username:email:ceo@example.com" });
  });

  it("lets no sender name a userset or everybody to OpenFGA", async () => {
    const openfga = await loadPreset("openfga");
    const hostile = { protocol_state: "RCPT", sender: "group:finance#member@*", recipient: "*" };
    expect(await asked(hostile, [], openfga)).toMatchObject({
      subject: { type: "sender", id: "group%3Afinance%23member@%2A" },
      action: { name: "may_mail" },
      resource: { type: "mailbox", id: "%2A" },
    });
    expect(await asked({ ...hostile, sasl_username: "*" }, [], openfga)).toMatchObject({
      subject: { type: "user", id: "%2A" },
    });
  });

  it("puts what a service sets before a preset", async () => {
    const renamed = await loadPreset("keycloak", { resource: "post" });
    expect((await asked({ protocol_state: "RCPT" }, [], renamed)).resource.id).toBe("post");
  });

  it("says which obligations are fulfilled", async () => {
    const fulfilling = await loadShipped("authzen", { obligations: ["notification"] });
    expect((await asked({}, [], fulfilling)).context).toMatchObject({
      supported_obligations: ["notification"],
    });
    expect((await asked({ protocol_state: "RCPT" })).context).not.toHaveProperty("supported_obligations");
  });
});

describe("the answer", () => {
  async function outcome(value: unknown, parameters: Record<string, unknown> = {}): Promise<string> {
    const mapping = await loadShipped("authzen", parameters);
    const verdict = await mapping.interpret(json(200, value), requestOf({ sender: "a@example.net" }));
    return isFailure(verdict) ? verdict.cause : verdict.action;
  }

  it.each([
    ['the string "true"', "true"],
    ["1", 1],
    ["null", null],
    ["a list", [true]],
    ["an object", { decision: true }],
    ["the string PERMIT", "PERMIT"],
  ])("permits nobody by a decision that is %s", async (_name, decision) => {
    expect(await outcome({ decision })).toBe("bad_reply");
    expect(await outcome({ decision }, { permit: "OK" })).toBe("bad_reply");
  });

  it.each([
    ["no decision", {}],
    ["a list", [{ decision: true }]],
    ["a bare true", true],
    ["null", null],
    ["a batch's answer", { evaluations: [{ decision: true }] }],
  ])("permits nobody by %s", async (_name, value) => {
    expect(await outcome(value)).toBe("bad_reply");
  });

  it.each([
    ["en-403", { reason_user: { "en-403": "no access", en: "no" } }, "no access"],
    ["en", { reason_user: { en: "no" }, reason: "other" }, "no"],
    ["403", { reason_user: { "403": "forbidden" } }, "forbidden"],
    ["reason", { reason: "policy_denied" }, "policy_denied"],
    ["none that is meant for the sender", { reason_admin: { en: "secret" } }, "Not authorized"],
    ["a context that is a text", "no", "Not authorized"],
    ["a context that is null", null, "Not authorized"],
    ["a reason that is empty", { reason: "" }, "Not authorized"],
    ["a reason that would be an action", { reason: "OK\r\n\r\naction=OK" }, "OK action=OK"],
  ])("denies with the reason from %s", async (_name, context, reason) => {
    expect(await outcome({ decision: false, context })).toBe(`REJECT 5.7.1 ${reason}`);
  });

  it.each([
    ["that has no name that is known", { id: "obl-1", type: "step-up", properties: {} }],
    ["that bears a known name as its id only", { id: "notification", type: "step-up" }],
    ["whose type is no text", { type: ["notification"] }],
    ["that is null", null],
    ["that is a number", 5],
    ["that is a list", []],
    ["beside a known one", { type: "custom" }, { type: "notification" }],
  ])("with an obligation %s is no permit", async (_name, ...obligations) => {
    const reply = { decision: true, context: { obligations } };
    const fulfilled = { obligations: ["notification"] };
    expect(await outcome(reply, fulfilled)).toBe("bad_reply");
    expect(await outcome(reply, { ...fulfilled, permit: "OK", unknown_obligation: "Deny" })).toBe(
      "bad_reply",
    );
    const denying = { ...fulfilled, permit: "OK", unknown_obligation: "deny" };
    expect(await outcome(reply, denying)).toBe("REJECT 5.7.1 Not authorized");
    expect(await outcome(reply, { ...denying, deny: "DUNNO" })).toBe("DUNNO");
  });

  it.each([
    ["a text", "step-up"],
    ["one that stands alone", { type: "step-up" }],
    ["true", true],
    ["false", false],
  ])("whose obligations are %s is no permit", async (_name, obligations) => {
    expect(await outcome({ decision: true, context: { obligations } })).toBe("bad_reply");
  });

  it.each([["step-up"], [5], [true], [[{ obligations: [{ type: "step-up" }] }]]])(
    "whose context is %j is no permit",
    async (context) => {
      expect(await outcome({ decision: true, context })).toBe("bad_reply");
    },
  );

  it.each([
    ["by type", [{ id: "obl-2", type: "notification" }]],
    ["by id, where there is no type", [{ id: "notification" }]],
    ["by a bare name", ["notification"]],
    ["one that stands alone", { type: "notification" }],
    ["all of several", [{ type: "notification" }, { type: "step-up" }]],
    ["none", []],
    ["null", null],
  ])("with obligations that are fulfilled is a permit: %s", async (_name, obligations) => {
    const reply = { decision: true, context: { obligations } };
    expect(await outcome(reply, { obligations: ["step-up", "notification"] })).toBe("DUNNO");
  });

  it("with obligations is a denial where it denies", async () => {
    const context = { obligations: [{ id: "1", type: "step-up" }], reason: "not now" };
    expect(await outcome({ decision: false, context })).toBe("REJECT 5.7.1 not now");
  });

  it.each([
    ["a text", "LDAP timeout", "http_5xx"],
    ["an object", { message: "LDAP timeout" }, "http_5xx"],
    ["with a status of 5xx", { status: 504, message: "LDAP timeout" }, "http_5xx"],
    ["with a status of 4xx", { status: 404, message: "Resource not found" }, "http_4xx"],
    ["with a status that is a text", { status: "400" }, "http_4xx"],
    ["with a status that is none", { status: {} }, "http_5xx"],
    ["a list", ["LDAP timeout"], "http_5xx"],
    ["true", true, "http_5xx"],
  ])("with an error decides nothing: %s", async (_name, error, cause) => {
    for (const decision of [false, true]) {
      const verdict = await authzen.interpret(json(200, { decision, context: { error } }), requestOf({}));
      expect(verdict).toMatchObject({ cause, status: 200 });
    }
    expect(await outcome({ decision: false, context: { error } }, { deny: "DUNNO" })).toBe(cause);
  });

  it.each([[null], [""], [{}]])("with %j in the place of an error is a denial", async (error) => {
    expect(await outcome({ decision: false, context: { error } })).toBe("REJECT 5.7.1 Not authorized");
  });

  it.each([
    [403, "http_4xx"],
    [503, "http_5xx"],
    [302, "bad_reply"],
  ])("with status %i permits nobody, whatever it says", async (status, cause) => {
    const verdict = await authzen.interpret(json(status, { decision: true }), requestOf({}));
    expect(verdict).toMatchObject({ cause });
  });

  it("that was cut off permits nobody", async () => {
    const cut = reply(200, '{"decision": true', { "content-type": "application/json" });
    expect(await authzen.interpret(cut, requestOf({}))).toMatchObject({ cause: "bad_reply" });
  });
});
