/**
 * The mappings for products that cannot run here: a permit is what their documentation says it is and nothing near it,
 * and what a client claims stays a value in the question.
 */
import { describe, expect, it } from "vitest";
import { isFailure } from "../../src/mapping/mapping.ts";
import type { UpstreamReply } from "../../src/model/exchange.ts";
import { json, reply, soap } from "../mapping/replies.ts";
import { loadShipped, requestOf } from "./shipped.ts";

const MAIL = {
  protocol_state: "RCPT",
  sender: "a@example.net",
  recipient: "bob@example.org",
  client_address: "192.0.2.7",
};

async function outcome(name: string, answer: UpstreamReply, parameters: Record<string, unknown> = {}) {
  const verdict = await (await loadShipped(name, parameters)).interpret(answer, requestOf(MAIL));
  return isFailure(verdict) ? verdict.cause : verdict.action;
}

async function asked(name: string, attributes: Record<string, string>): Promise<string> {
  const call = await (await loadShipped(name)).render(requestOf(attributes));
  if (isFailure(call)) throw new Error(call.detail);
  return call.body ?? "";
}

async function askedJson(name: string, attributes: Record<string, string>): Promise<Record<string, unknown>> {
  return JSON.parse(await asked(name, attributes)) as Record<string, unknown>;
}

/** What a service that answers in JSON says, with the member that decides. */
interface JsonService {
  readonly name: string;
  readonly permit: unknown;
  readonly deny: unknown;
  with(decision: unknown): unknown;
}

const xacml = (decision: unknown, more: object = {}) => ({ Response: [{ Decision: decision, ...more }] });

const services: readonly JsonService[] = [
  { name: "openfga", permit: true, deny: false, with: (allowed) => ({ allowed, resolution: "" }) },
  {
    name: "spicedb",
    permit: "PERMISSIONSHIP_HAS_PERMISSION",
    deny: "PERMISSIONSHIP_NO_PERMISSION",
    with: (permissionship) => ({ checkedAt: { token: "x" }, permissionship }),
  },
  { name: "plainid", permit: "PERMIT", deny: "DENY", with: (result) => ({ data: { result } }) },
  { name: "plainid", permit: "PERMIT", deny: "DENY", with: (result) => ({ result, response: [] }) },
  { name: "plainid-v5", permit: "PERMIT", deny: "DENY", with: (result) => ({ data: { result } }) },
  { name: "weakforced", permit: 0, deny: -1, with: (status) => ({ status, msg: "", r_attrs: {} }) },
  { name: "xacml-json", permit: "Permit", deny: "Deny", with: (decision) => xacml(decision) },
];

describe.each(services)("$name", ({ name, permit, deny, with: with_ }) => {
  it("permits and denies", async () => {
    expect(await outcome(name, json(200, with_(permit)))).toBe("DUNNO");
    expect(await outcome(name, json(200, with_(permit)), { permit: "OK" })).toBe("OK");
    expect(await outcome(name, json(200, with_(permit)), { permit: "ok" })).toBe("bad_reply");
    expect(await outcome(name, json(200, with_(deny)))).toBe("REJECT 5.7.1 Not authorized");
    expect(await outcome(name, json(200, with_(deny)), { reason: "no" })).toBe("REJECT 5.7.1 no");
    expect(await outcome(name, json(200, with_(deny)), { deny: "DUNNO" })).toBe("DUNNO");
  });

  it.each<[string, (permit: unknown) => unknown]>([
    ["as text", (value) => `${value} `],
    ["in another case", (value) => (typeof value === "string" ? value.toLowerCase() : String(value))],
    ["in a list", (value) => [value]],
    ["in an object", (value) => ({ value })],
    ["twice", (value) => [value, value]],
    ["null", () => null],
    ["empty", () => ""],
    ["a bool in quotes", () => "true"],
    ["YES", () => "YES"],
  ])("permits nobody by a decision that is %s", async (_name, change) => {
    for (const parameters of [{}, { permit: "OK" }]) {
      expect(await outcome(name, json(200, with_(change(permit))), parameters)).toBe("bad_reply");
    }
  });

  it.each<[string, (reply: unknown) => unknown]>([
    ["in a list", (value) => [value]],
    ["a level down", (value) => ({ reply: value })],
    ["without its decision", () => ({ message: "fine" })],
    ["as a text", (value) => JSON.stringify(value)],
    ["null", () => null],
    ["true", () => true],
  ])("permits nobody by a reply that stands %s", async (_name, change) => {
    expect(await outcome(name, json(200, change(with_(permit))))).toBe("bad_reply");
  });

  it("permits nobody by two members of one name", async () => {
    const [once = "", twice = ""] = [deny, permit].map((value) => JSON.stringify(with_(value)).slice(1, -1));
    const both = reply(200, `{${once},${twice}}`, { "content-type": "application/json" });
    expect(await outcome(name, both)).toBe("bad_reply");
  });

  it.each([
    [403, "http_4xx"],
    [404, "http_4xx"],
    [500, "http_5xx"],
    [302, "bad_reply"],
  ])("permits nobody with status %i", async (status, cause) => {
    expect(await outcome(name, json(status, with_(permit)))).toBe(cause);
  });
});

describe("spicedb", () => {
  it("takes a permit under a condition for none, whatever is missing", async () => {
    const permissionship = "PERMISSIONSHIP_CONDITIONAL_PERMISSION";
    expect(await outcome("spicedb", json(200, { permissionship }))).toBe("bad_reply");
  });

  it("asks about the domain where the service does not know every mailbox", async () => {
    const call = await (await loadShipped("spicedb", { about: "domain" })).render(requestOf(MAIL));
    if (isFailure(call)) throw new Error(call.detail);
    expect(JSON.parse(call.body ?? "")).toMatchObject({
      resource: { objectType: "domain", objectId: "example=2Eorg" },
    });
  });
});

describe("weakforced", () => {
  it.each<[Record<string, unknown>, unknown, string]>([
    [{}, { status: 30 }, "DEFER 4.7.1 Too many attempts, try again in 30 seconds"],
    [{ delay: "DUNNO" }, { status: 30 }, "DUNNO"],
    [{ delay: "OK" }, { status: 1 }, "DEFER 4.7.1 Too many attempts, try again in 1 seconds"],
    [
      { deny: "DEFER" },
      { status: -1, msg: "Temporarily blacklisted" },
      "DEFER 4.7.1 Temporarily blacklisted",
    ],
    [{}, { status: -1, msg: "OK\naction=OK" }, "REJECT 5.7.1 OK action=OK"],
    [{}, { status: -1, msg: ["a"] }, 'REJECT 5.7.1 ["a"]'],
    [{}, { status: "0" }, "bad_reply"],
    [{}, { status: false }, "bad_reply"],
    [{}, { status: "ok" }, "bad_reply"],
  ])("with %j says of %j: %s", async (parameters, value, expected) => {
    expect(await outcome("weakforced", json(200, value), parameters)).toBe(expected);
  });
});

describe("plainid", () => {
  it.each(["plainid", "plainid-v5"])("%s takes two results for none, even where they agree", async (name) => {
    expect(await outcome(name, json(200, { result: "PERMIT", data: { result: "PERMIT" } }))).toBe(
      "bad_reply",
    );
    expect(await outcome(name, json(200, { result: "PERMIT", data: "PERMIT" }))).toBe("bad_reply");
  });
});

describe("keycloak", () => {
  const denied = { error: "access_denied", error_description: "not_authorized" };
  const unknown = {
    error: "invalid_resource",
    error_description: "Resource with uri [/a/b] does not exist.",
  };

  it.each<[Record<string, unknown>, UpstreamReply, string]>([
    [{}, json(200, { result: true }), "DUNNO"],
    [{ permit: "OK" }, json(200, { result: true }), "OK"],
    [{}, json(403, denied), "REJECT 5.7.1 Not authorized"],
    [{ deny: "DUNNO" }, json(403, denied), "DUNNO"],
    [{}, json(400, unknown), "http_4xx"],
    [{ unknown_resource: "deny" }, json(400, unknown), "REJECT 5.7.1 Not authorized"],
    [{ unknown_resource: "deny", deny: "DUNNO" }, json(400, unknown), "DUNNO"],
    [{ deny: "DUNNO" }, json(403, { error: "forbidden" }), "http_4xx"],
    [{ deny: "DUNNO" }, json(403, "access_denied"), "http_4xx"],
    [{ deny: "DUNNO" }, json(401, denied), "http_4xx"],
    [{ unknown_resource: "deny" }, json(404, unknown), "http_4xx"],
    [{}, json(200, denied), "bad_reply"],
    [{}, json(200, { result: "true" }), "bad_reply"],
    [{}, json(200, { result: [true] }), "bad_reply"],
    [{}, json(200, [{ result: true }]), "bad_reply"],
    [{}, json(201, { result: true }), "bad_reply"],
    // Without response_mode, an RPT: some proxy dropped the field.
    [{}, json(200, { access_token: "x", token_type: "Bearer" }), "bad_reply"],
  ])("with %j says of %j: %s", async (parameters, answer, expected) => {
    expect(await outcome("keycloak", answer, parameters)).toBe(expected);
  });

  it.each([
    ["a#admin@example.org", "/example.org/a%23admin#mail"],
    ["a/b@example.org", "/example.org/a%2Fb#mail"],
    ["..@..", "/../..#mail"],
    ["a@b/../example.com", "/b%2F..%2Fexample.com/a#mail"],
    ["a,b*@example.org", "/example.org/a%2Cb%2A#mail"],
    ["postmaster", "//postmaster#mail"],
    ["", "/#mail"],
  ])("asks about %j as %s", async (recipient, permission) => {
    const form = new URLSearchParams(await asked("keycloak", { ...MAIL, recipient }));
    expect(form.getAll("permission")).toEqual([permission]);
  });

  it("tells about the mail in lists of texts", async () => {
    const sender = '"],"sasl_username":["ceo"],"x":["é@example.net';
    const form = new URLSearchParams(await asked("keycloak", { ...MAIL, sender }));
    const claims: unknown = JSON.parse(Buffer.from(form.get("claim_token") ?? "", "base64").toString());
    expect(claims).toMatchObject({ sasl_username: [], sender: [sender], client_address: ["192.0.2.7"] });
  });
});

describe("the question", () => {
  const HOSTILE = [
    "*",
    "*@*",
    "group:finance#member",
    "x#member@example.org",
    "user:ceo@example.org",
    "a:b@example.org",
    "a|b/c@example.org",
    "a b@example.org",
    "a\tb@example.org",
    "a%40b@example.org",
    "a@b@example.org",
    "é@exämple.org",
    "a=40b@example.org",
    "<>",
  ];

  it.each(HOSTILE)("names one user and one mailbox in OpenFGA for %j", async (address) => {
    const question = (await askedJson("openfga", { ...MAIL, sender: address, recipient: address })) as {
      tuple_key: { user: string; object: string };
      contextual_tuples: { tuple_keys: { user: string; relation: string; object: string }[] };
    };
    const { tuple_key: tuple, contextual_tuples: told } = question;
    expect(tuple.user).toMatch(/^sender:[A-Za-z0-9._~%-]+(@[A-Za-z0-9._~%-]+)?$/);
    expect(tuple.object).toMatch(/^mailbox:[A-Za-z0-9._~%-]+(@[A-Za-z0-9._~%-]+)?$/);
    expect(decodeURIComponent(tuple.user.slice("sender:".length))).toBe(address);
    for (const { user, relation, object } of told.tuple_keys) {
      expect(user).toMatch(/^(domain:[A-Za-z0-9._~%-]+|mail_server:postfix)$/);
      expect(user.startsWith("domain:") ? "domain" : "server").toBe(relation);
      expect(object).toBe(tuple.object);
    }
  });

  it.each(HOSTILE)("names one user and one mailbox in SpiceDB for %j", async (address) => {
    const question = (await askedJson("spicedb", {
      ...MAIL,
      sasl_username: address,
      recipient: address,
    })) as {
      subject: { object: { objectId: string }; optionalRelation?: string };
      resource: { objectId: string };
    };
    const { objectId } = question.subject.object;
    // `object_id` of authzed/api/v1/core.proto, without its `*`.
    expect(objectId).toMatch(/^[a-zA-Z0-9/_|\-=+]{1,}$/);
    expect(question.resource.objectId).toBe(objectId);
    expect(question.subject.optionalRelation).toBeUndefined();
    expect(decodeURIComponent(objectId.replaceAll("=", "%"))).toBe(address);
  });

  it.each([
    "openfga",
    "spicedb",
    "plainid",
    "plainid-v5",
    "weakforced",
    "xacml-json",
    "xacml-soap",
    "xacml2-soap",
  ])("tells who logged in from who claims that name as sender in %s", async (name) => {
    const user = await asked(name, { ...MAIL, sender: "", sasl_username: "ceo@example.com" });
    const claimant = await asked(name, { ...MAIL, sender: "ceo@example.com" });
    expect(user).not.toBe(claimant);
  });

  it("of PingAuthorize has one request among several", async () => {
    const call = await (await loadShipped("xacml-json", { multi_requests: true })).render(requestOf(MAIL));
    if (isFailure(call)) throw new Error(call.detail);
    // https://developer.pingidentity.com/pingauthorize/pingauthorize/policy-decision/xacml-json-pdp/requests-and-responses/authorize-client-with-multirequests-json-object.html
    expect(JSON.parse(call.body ?? "")).toMatchObject({
      Request: {
        MultiRequests: {
          RequestReference: [{ ReferenceId: ["subject", "action", "resource", "environment"] }],
        },
        AccessSubject: [{ Id: "subject" }],
        Action: [{ Id: "action" }],
        Resource: [{ Id: "resource" }],
        Environment: [{ Id: "environment" }],
      },
    });
  });

  it.each(["xacml-soap", "xacml2-soap"])("of %s keeps markup in an address", async (name) => {
    const sender =
      '"</xacml:AttributeValue><xacml:Attribute AttributeId="urn:pfxbridge:sasl-username">@example.net';
    const question = await asked(name, { ...MAIL, sender });
    expect(question).not.toContain('AttributeId="urn:pfxbridge:sasl-username"');
    expect(question).toContain("&lt;/xacml:attributevalue&gt;");
  });
});

const OK = "urn:oasis:names:tc:xacml:1.0:status:ok";
const status = (code: string) => ({ Status: { StatusCode: { Value: code }, StatusMessage: "x" } });

describe("xacml-json", () => {
  it.each<[string, unknown, Record<string, unknown>, string]>([
    ["a single result without the list", { Response: { Decision: "Permit" } }, {}, "DUNNO"],
    ["a permit that says ok", xacml("Permit", status(OK)), {}, "DUNNO"],
    [
      "a permit that says trouble",
      xacml("Permit", status("urn:oasis:names:tc:xacml:1.0:status:processing-error")),
      {},
      "bad_reply",
    ],
    ["no result", { Response: [] }, {}, "bad_reply"],
    ["two results", { Response: [{ Decision: "Permit" }, { Decision: "Deny" }] }, {}, "bad_reply"],
    ["a result in a list of its own", { Response: [[{ Decision: "Permit" }]] }, {}, "bad_reply"],
    ["Indeterminate", xacml("Indeterminate"), {}, "http_5xx"],
    ["Indeterminate{P}", xacml("Indeterminate{P}"), {}, "http_5xx"],
    [
      "Indeterminate, processing error",
      xacml("Indeterminate", status("urn:oasis:names:tc:xacml:1.0:status:processing-error")),
      {},
      "http_5xx",
    ],
    [
      "Indeterminate, syntax error",
      xacml("Indeterminate", status("urn:oasis:names:tc:xacml:1.0:status:syntax-error")),
      {},
      "bad_reply",
    ],
    ["NotApplicable", xacml("NotApplicable"), {}, "REJECT 5.7.1 Not authorized"],
    ["NotApplicable as a grant", xacml("NotApplicable"), { deny: "DUNNO" }, "DUNNO"],
    ["NotApplicable, left to Postfix", xacml("NotApplicable"), { not_applicable: "DUNNO" }, "DUNNO"],
    [
      "NotApplicable, never OK",
      xacml("NotApplicable"),
      { not_applicable: "OK", permit: "OK" },
      "REJECT 5.7.1 Not authorized",
    ],
    ["NotApplicable as a failure", xacml("NotApplicable"), { not_applicable: "failure" }, "bad_reply"],
    ["an empty list of obligations", xacml("Permit", { Obligations: [] }), {}, "DUNNO"],
    ["advice", xacml("Permit", { AssociatedAdvice: [{ Id: "a" }] }), {}, "DUNNO"],
    ["an obligation", xacml("Permit", { Obligations: [{ Id: "a" }] }), {}, "bad_reply"],
    [
      "an obligation that is named",
      xacml("Permit", { Obligations: [{ Id: "a" }] }),
      { obligations: ["a"] },
      "DUNNO",
    ],
    [
      "one of two that is named",
      xacml("Permit", { Obligations: [{ Id: "a" }, { Id: "b" }] }),
      { obligations: ["a"] },
      "bad_reply",
    ],
    [
      "an obligation as a denial",
      xacml("Permit", { Obligations: [{ Id: "a" }] }),
      { unknown_obligation: "deny" },
      "REJECT 5.7.1 Not authorized",
    ],
    [
      "an obligation as a denial of a grant",
      xacml("Permit", { Obligations: [{ Id: "a" }] }),
      { unknown_obligation: "deny", deny: "DUNNO", permit: "OK" },
      "DUNNO",
    ],
    ["one obligation without a list", xacml("Permit", { Obligations: { Id: "a" } }), {}, "bad_reply"],
    ["an obligation without an id", xacml("Permit", { Obligations: [{}] }), {}, "bad_reply"],
    [
      "obligations that are a text",
      xacml("Permit", { Obligations: "a" }),
      { unknown_obligation: "deny" },
      "REJECT 5.7.1 Not authorized",
    ],
    ["obligations that are a number", xacml("Permit", { Obligations: [5] }), {}, "bad_reply"],
    [
      "a denial with an obligation",
      xacml("Deny", { Obligations: [{ Id: "a" }] }),
      {},
      "REJECT 5.7.1 Not authorized",
    ],
  ])("takes %s for what it is", async (_name, value, parameters, expected) => {
    expect(await outcome("xacml-json", json(200, value), parameters)).toBe(expected);
  });
});

describe.each(["xacml-soap", "xacml2-soap"])("%s", (name) => {
  const SUCCESS = '<p:Status><p:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></p:Status>';
  const result = (decision: string, more = "") => `<Result><Decision>${decision}</Decision>${more}</Result>`;
  const statement = (results: string) =>
    `<XACMLAuthzDecisionStatement><Response>${results}</Response></XACMLAuthzDecisionStatement>`;
  const assertion = (statements: string) => `<Assertion>${statements}</Assertion>`;
  const response = (assertions: string, saml = SUCCESS) =>
    `<p:Response xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol">${saml}${assertions}</p:Response>`;
  const whole = (decision: string, more = "") => response(assertion(statement(result(decision, more))));
  const code = (value: string) =>
    `<Status><StatusCode Value="urn:oasis:names:tc:xacml:1.0:status:${value}"/></Status>`;
  const saml = (value: string) =>
    `<Status><StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:${value}"/></Status>`;
  const obligations = (...ids: string[]) =>
    `<Obligations>${ids.map((id) => `<Obligation ObligationId="${id}"/>`).join("")}</Obligations>`;

  it.each<[string, string, Record<string, unknown>, string]>([
    ["a permit", whole("Permit"), {}, "DUNNO"],
    ["a permit as a grant", whole("Permit"), { permit: "OK" }, "OK"],
    ["white space around it", whole("\n  Permit\n"), {}, "DUNNO"],
    ["a permit that says ok", whole("Permit", code("ok")), {}, "DUNNO"],
    ["a permit that says trouble", whole("Permit", code("processing-error")), {}, "bad_reply"],
    ["a denial", whole("Deny"), {}, "REJECT 5.7.1 Not authorized"],
    ["a denial of a grant", whole("Deny"), { deny: "DUNNO" }, "DUNNO"],
    ["another case", whole("permit"), {}, "bad_reply"],
    ["true", whole("true"), {}, "bad_reply"],
    ["an empty decision", whole(""), {}, "bad_reply"],
    [
      "a decision with an attribute",
      response(assertion(statement('<Result><Decision x="1">Permit</Decision></Result>'))),
      {},
      "bad_reply",
    ],
    [
      "two decisions",
      response(
        assertion(statement("<Result><Decision>Permit</Decision><Decision>Permit</Decision></Result>")),
      ),
      {},
      "bad_reply",
    ],
    ["two results", response(assertion(statement(result("Permit") + result("Permit")))), {}, "bad_reply"],
    [
      "two statements",
      response(assertion(statement(result("Permit")) + statement(result("Deny")))),
      {},
      "bad_reply",
    ],
    [
      "two kinds of statement",
      response(
        assertion(
          `${statement(result("Permit"))}<Statement><Response>${result("Permit")}</Response></Statement>`,
        ),
      ),
      {},
      "bad_reply",
    ],
    [
      "two assertions",
      response(assertion(statement(result("Permit"))) + assertion(statement(result("Permit")))),
      {},
      "bad_reply",
    ],
    ["no assertion", response(""), {}, "bad_reply"],
    ["an assertion that nobody can read", response("<EncryptedAssertion/>"), {}, "bad_reply"],
    ["no result", response(assertion(statement(""))), {}, "bad_reply"],
    ["no SAML status", response(assertion(statement(result("Permit"))), ""), {}, "bad_reply"],
    [
      "SAML's Responder with a permit",
      response(assertion(statement(result("Permit"))), saml("Responder")),
      {},
      "http_5xx",
    ],
    [
      "SAML's Requester with a permit",
      response(assertion(statement(result("Permit"))), saml("Requester")),
      {},
      "http_4xx",
    ],
    ["Indeterminate", whole("Indeterminate"), {}, "http_5xx"],
    ["Indeterminate, missing attribute", whole("Indeterminate", code("missing-attribute")), {}, "bad_reply"],
    ["NotApplicable", whole("NotApplicable"), {}, "REJECT 5.7.1 Not authorized"],
    ["NotApplicable, left to Postfix", whole("NotApplicable"), { not_applicable: "DUNNO" }, "DUNNO"],
    ["NotApplicable as a failure", whole("NotApplicable"), { not_applicable: "failure" }, "bad_reply"],
    ["an empty element of obligations", whole("Permit", "<Obligations/>"), {}, "DUNNO"],
    ["an obligation", whole("Permit", obligations("a")), {}, "bad_reply"],
    ["an obligation that is named", whole("Permit", obligations("a")), { obligations: ["a"] }, "DUNNO"],
    ["one of two that is named", whole("Permit", obligations("a", "b")), { obligations: ["a"] }, "bad_reply"],
    [
      "an obligation as a denial",
      whole("Permit", obligations("a")),
      { unknown_obligation: "deny" },
      "REJECT 5.7.1 Not authorized",
    ],
    [
      "an obligation without an id",
      whole("Permit", "<Obligations><Obligation/></Obligations>"),
      {},
      "bad_reply",
    ],
    [
      "obligations that are a text",
      whole("Permit", "<Obligations>log it</Obligations>"),
      { unknown_obligation: "deny" },
      "REJECT 5.7.1 Not authorized",
    ],
    ["an answer to something else", `<StatusResponse>${result("Permit")}</StatusResponse>`, {}, "bad_reply"],
    ["a bare XACML response", `<Response>${result("Permit")}</Response>`, {}, "bad_reply"],
  ])("takes %s for what it is", async (_name, body, parameters, expected) => {
    expect(await outcome(name, soap(200, body), parameters)).toBe(expected);
  });

  it("takes a Fault for trouble, whatever its status", async () => {
    const fault =
      '<s:Fault xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><faultcode>s:Server</faultcode><faultstring>Permit</faultstring></s:Fault>';
    expect(await outcome(name, soap(500, fault))).toBe("http_5xx");
    expect(await outcome(name, soap(200, fault))).toBe("bad_reply");
  });
});
