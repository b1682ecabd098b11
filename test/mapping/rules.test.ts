import { describe, expect, it } from "vitest";
import { isFailure } from "../../src/mapping/mapping.ts";
import type { UpstreamReply } from "../../src/model/exchange.ts";
import { requestOf, withRules } from "./mappings.ts";
import { json, reply, soap, xml } from "./replies.ts";

const typed = (type: string, body: string) => reply(200, body, { "content-type": type });

async function outcome(rules: string, given: UpstreamReply, allow: string[] = []) {
  const mapping = await withRules(rules, allow);
  return mapping.interpret(given, requestOf({ sender: "a@example.net" }));
}

/** The action, or the cause of a failure. */
async function result(rules: string, given: UpstreamReply, allow: string[] = []): Promise<string> {
  const verdict = await outcome(rules, given, allow);
  return isFailure(verdict) ? verdict.cause : verdict.action;
}

const ALLOWED = `
- when: body.allowed == true
  action: DUNNO
- when: body.allowed == false
  action: REJECT 5.7.1 \${body.reason}`;

const NEVER = "- { when: 'text == \"never\"', action: DUNNO }";

describe("rules", () => {
  it("tells of white space that alone kept a rule from matching", async () => {
    const rules =
      "- { when: 'text == \"no\"', action: REJECT }\n- { when: 'text == \"yes\"', action: DUNNO }";
    const plain = (body: string) => outcome(rules, typed("text/plain", body));
    expect(await plain("yes")).toEqual({ action: "DUNNO", rule: 2 });
    expect(await plain("yes\r\n")).toMatchObject({
      cause: "bad_reply",
      detail:
        "HTTP status 200: no rule matches (rule 2 would, but for the white space around the text; write text.trim() in place of text); it said: yes",
    });
    expect(await plain("maybe\n")).toMatchObject({
      detail:
        'HTTP status 200: no rule matches (the reply is text/plain): rules 1 and 2 looked for "no" or "yes" in text, which is another text; it said: maybe',
    });
  });

  it("the first that matches gives the action, and its number", async () => {
    const rules =
      "- { when: body.a, action: DUNNO }\n- { when: body.b, action: REJECT one }\n- { when: body.b, action: REJECT two }";
    expect(await outcome(rules, json(200, { a: false, b: true }))).toEqual({ action: "REJECT one", rule: 2 });
  });

  it.each([
    ["permit", json(200, { allowed: true }), "DUNNO"],
    ["deny", json(200, { allowed: false, reason: "no" }), "REJECT 5.7.1 no"],
    ["what is missing in the text is nothing", json(200, { allowed: false }), "REJECT 5.7.1"],
    ["null in the text is nothing", json(200, { allowed: false, reason: null }), "REJECT 5.7.1"],
    ["a text that is no bool is no answer", json(200, { allowed: "true" }), "bad_reply"],
    ["a member that is not there ends the reading", json(200, { error: "x" }), "bad_reply"],
    ["an empty body", typed("application/json", ""), "bad_reply"],
    ["204", reply(204), "bad_reply"],
    ["cut-off JSON", typed("application/json", '{"allowed":true'), "bad_reply"],
    ["an HTML page", typed("text/html", "<html><allowed>true</allowed></html>"), "bad_reply"],
    ["HTML that says it is JSON", typed("application/json", "<html>"), "bad_reply"],
    ["a redirect", reply(301, "", { location: "https://example.net/" }), "bad_reply"],
    ["a redirect that holds an answer", json(302, { allowed: true }), "bad_reply"],
    ["401", json(401, { allowed: true }), "http_4xx"],
    ["403 with an answer that no rule asks for", json(403, { allowed: true }), "http_4xx"],
    ["404", reply(404), "http_4xx"],
    ["500", reply(500, "boom"), "http_5xx"],
    ["503 as HTML", reply(503, "<html>", { "content-type": "text/html" }), "http_5xx"],
    ["JSON 100,000 deep", typed("application/json", '{"allowed":'.repeat(100_000)), "bad_reply"],
    ["XML 100,000 deep", xml(200, "<a>".repeat(100_000)), "bad_reply"],
    ["an entity bomb", xml(200, '<!DOCTYPE a [<!ENTITY b "cc">]><a>&b;</a>'), "bad_reply"],
    [
      "an external entity",
      xml(200, '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'),
      "bad_reply",
    ],
    [
      "a SOAP Fault nobody asked about",
      soap(500, "<s:Fault><faultcode>s:Server</faultcode></s:Fault>"),
      "http_5xx",
    ],
    ["a member named constructor does no harm", json(200, { allowed: true, constructor: 1 }), "DUNNO"],
  ])("%s", async (_, given, expected) => {
    expect(await result(ALLOWED, given)).toBe(expected);
  });

  it("tries a rule that names neither status nor fault on 2xx only", async () => {
    const rules = "- { when: body.ok, action: DUNNO }\n- { when: status == 403, action: REJECT }";
    expect(await result(rules, json(201, { ok: true }))).toBe("DUNNO");
    expect(await result(rules, json(403, { ok: true }))).toBe("REJECT");
    expect(await result(rules, json(500, { ok: true }))).toBe("http_5xx");
    expect(await result("- { action: DUNNO }", json(404, {}))).toBe("http_4xx");
    expect(await result("- { action: DUNNO }", json(200, {}))).toBe("DUNNO");
  });

  it("can make an answer of a SOAP Fault", async () => {
    const rules = `- { when: fault != null && fault.code == "Client", action: "REJECT \${fault.reason}" }`;
    const fault = "<s:Fault><faultcode>s:Client</faultcode><faultstring>no</faultstring></s:Fault>";
    expect(await result(rules, soap(500, fault))).toBe("REJECT no");
    expect(await result(rules, soap(500, fault.replace("Client", "Server")))).toBe("http_5xx");
    expect(await result(rules, soap(200, "<ok/>"))).toBe("bad_reply");
  });

  it.each<[string, string, string]>([
    ["Client", "no", "HTTP status 500: no rule matches (a SOAP Fault Client: no)"],
    [
      "FailedAuthentication",
      "no",
      "(a SOAP Fault FailedAuthentication: no; look at username and password under auth.ws_security)",
    ],
    ["Server", "x\n".repeat(400), "(a SOAP Fault Server: x x x"],
  ])("tells of a SOAP Fault that is no answer: %s", async (code, reason, detail) => {
    const fault = `<s:Fault><faultcode>s:${code}</faultcode><faultstring>${reason}</faultstring></s:Fault>`;
    expect(await outcome(ALLOWED, soap(500, fault))).toMatchObject({
      detail: expect.stringContaining(detail),
    });
  });

  it("reads no long reply for the sake of a message", async () => {
    const fault = `<s:Fault><faultcode>s:Client</faultcode><faultstring>no</faultstring><detail>${"x".repeat(20_000)}</detail></s:Fault>`;
    expect(await outcome(ALLOWED, soap(500, fault))).toMatchObject({
      detail: expect.stringMatching(
        /^HTTP status 500: no rule matches \(the reply is text\/xml\); it said: <.{199}…$/,
      ),
    });
  });

  it.each([
    ["an error", "Internal\r\n\x1b[31m  error: 7", "; it said: Internal [31m error: 7"],
    ["much", "x".repeat(5000), `; it said: ${"x".repeat(200)}…`],
    ["half a pair at the end", `${"x".repeat(199)}😀😀`, `; it said: ${"x".repeat(199)}…`],
  ])("says what the service said: %s", async (_name, body, said) => {
    const failure = await outcome(NEVER, typed("text/plain", body));
    expect(failure).toMatchObject({
      detail: `HTTP status 200: no rule matches (the reply is text/plain): rule 1 looked for "never" in text, which is another text${said}`,
    });
    expect(failure).not.toHaveProperty("said");
  });

  it.each([
    ["an address", "nobody called carol@example.com here"],
    ["a member for a name", '{"displayName":"Carol"}'],
    ["an element for one", "<user-name>Carol</user-name>"],
  ])("keeps what may name somebody for level debug: %s", async (_name, body) => {
    expect(await outcome(NEVER, typed("text/plain", body))).toMatchObject({
      detail:
        'HTTP status 200: no rule matches (the reply is text/plain): rule 1 looked for "never" in text, which is another text; what it said may name somebody: log.level debug shows it',
      said: body,
    });
  });

  it("does not try later rules after one that cannot be evaluated", async () => {
    const rules = "- { when: body.blocked, action: REJECT }\n- { when: status == 200, action: DUNNO }";
    expect(await result(rules, json(200, {}))).toBe("bad_reply");
    expect(await result(rules, json(200, { blocked: "yes" }))).toBe("bad_reply");
    expect(await result(rules, json(200, { blocked: false }))).toBe("DUNNO");
  });

  it("lets no `||` hide that a reply could not be read", async () => {
    const rules = "- { when: body.allowed || status == 200, action: DUNNO }";
    expect(await result(rules, typed("application/json", '{"allowed":'))).toBe("bad_reply");
  });

  it("reads no body that no rule asks for", async () => {
    const rules = "- { when: status == 200, action: DUNNO }\n- { when: body.x, action: REJECT }";
    expect(await result(rules, typed("application/json", '{"cut'))).toBe("DUNNO");
  });

  it("compares text replies as they are", async () => {
    const rules = `- { when: 'text == "OK"', action: DUNNO }`;
    expect(await result(rules, typed("text/plain", "OK"))).toBe("DUNNO");
    expect(await result(rules, typed("text/plain", "OK\n"))).toBe("bad_reply");
  });
});

describe("an action out of the reply", () => {
  const rules = "- { when: status == 200, action: '${body.action}' }";

  it.each([
    ["DUNNO", "DUNNO"],
    ["REJECT 5.7.1 no", "REJECT 5.7.1 no"],
    ["DEFER_IF_PERMIT later", "DEFER_IF_PERMIT later"],
    ["450 4.7.1 later", "450 4.7.1 later"],
    ["WARN seen", "WARN seen"],
    ["REJECT  two blanks ", "REJECT two blanks"],
    ["550 ", "550 Access denied"],
    [`REJECT ${"x".repeat(100_000)}`, `REJECT ${"x".repeat(400)}`],
    [`REJECT ${"é".repeat(50_000)}`, `REJECT ${"é".repeat(200)}`],
  ])("%.40s is sent", async (action, expected) => {
    expect(await result(rules, json(200, { action }))).toBe(expected);
  });

  it.each([
    ["nothing", ""],
    ["a blank before it", " DUNNO"],
    ["a tab before it", "\tDUNNO"],
    ["a CR behind it", "DUNNO\r"],
    ["a line break behind it", "DUNNO\n"],
    ["a line break in it", "REJECT no\n\naction=OK"],
    ["a NUL", "REJECT \u0000"],
    ["half a surrogate pair", "REJECT \ud800"],
    ["a Unicode line separator", "REJECT a\u2028b"],
    ["digits only", "200"],
    ["a reply code only", "550"],
    ["2xx", "250 OK"],
    ["lower case", "reject no"],
    ["permit", "permit"],
    ["a restriction", "check_client_access pcre:/etc/passwd"],
    ["OK", "OK"],
    ["RELAY", "RELAY"],
    ["FILTER", "FILTER smtp:[192.0.2.1]"],
    ["REDIRECT", "REDIRECT thief@example.net"],
    ["BCC", "BCC thief@example.net"],
    ["PREPEND", "PREPEND X-A: b"],
    ["HOLD", "HOLD"],
    ["DISCARD", "DISCARD"],
    ["a number", 1],
    ["an object", { verb: "DUNNO" }],
    ["a list", ["DUNNO"]],
    ["null", null],
    ["none at all", undefined],
  ])("with %s is a bad_reply that says so", async (_, action) => {
    const verdict = await outcome(rules, json(200, { action }));
    expect(verdict).toMatchObject({ cause: "bad_reply", status: 200 });
    expect((verdict as { detail: string }).detail).toMatch(/action/);
    expect((verdict as { detail: string }).detail).not.toMatch(/[\p{Cc}\u2028]/u);
  });

  it("may be what `allow` names, and well formed", async () => {
    expect(await result(rules, json(200, { action: "OK" }), ["OK"])).toBe("OK");
    expect(await result(rules, json(200, { action: "PREPEND X-A: b" }), ["PREPEND"])).toBe("PREPEND X-A: b");
    expect(await result(rules, json(200, { action: "PREPEND nothing" }), ["PREPEND"])).toBe("bad_reply");
    expect(await result(rules, json(200, { action: "REDIRECT a@b, c@d" }), ["REDIRECT"])).toBe("bad_reply");
    expect(await result(rules, json(200, { action: "RELAY" }), ["OK"])).toBe("bad_reply");
  });

  it("is checked also where only a part of the verb is", async () => {
    const parts = "- { when: status == 200, action: 'DEFER${body.suffix} later' }";
    expect(await result(parts, json(200, { suffix: "_IF_PERMIT" }))).toBe("DEFER_IF_PERMIT later");
    expect(await result(parts, json(200, { suffix: "RED" }))).toBe("bad_reply");
  });

  it("may lack its text, never its verb", async () => {
    const both = "- { when: status == 200, action: '${body.verb} ${body.reason}' }";
    expect(await result(both, json(200, { verb: "REJECT" }))).toBe("REJECT");
    expect(await result(both, json(200, { verb: "550" }))).toBe("550 Access denied");
    expect(await result(both, json(200, { reason: "DUNNO" }))).toBe("bad_reply");
  });
});

describe("the text of the mapping's own verb", () => {
  const rules = "- { when: status == 200, action: 'REJECT 5.7.1 ${body.reason}' }";

  it.each([
    ["is one line", "no\r\n\r\naction=OK\r\n", "REJECT 5.7.1 no action=OK"],
    ["has no control characters", "a\u0000b\u001b[31mc\u2028d", "REJECT 5.7.1 a b [31mc d"],
    ["is cut at 400 bytes", "x".repeat(100_000), `REJECT 5.7.1 ${"x".repeat(394)}`],
    ["is valid UTF-8", "a\ud800b", "REJECT 5.7.1 a\ufffdb"],
    ["holds a verb as text", "OK", "REJECT 5.7.1 OK"],
    ["is JSON for a list", ["a", 1], 'REJECT 5.7.1 ["a",1]'],
  ])("%s", async (_, reason, expected) => {
    expect(await result(rules, json(200, { reason }))).toBe(expected);
  });

  it.each([
    ["${body.reason}", typed("application/json", '{"reason":')],
    ["${text}", reply(200, Buffer.from([0xff]), { "content-type": "text/plain; charset=klingon" })],
    ["${fault.reason}", reply(200, "no")],
    ["${body.a[3].b}", json(200, { a: [] })],
    ["${string(body)}", json(200, {})],
  ])("is nothing where %s cannot be read", async (value, given) => {
    expect(await result(`- { when: status == 200, action: 'REJECT ${value}' }`, given)).toBe("REJECT");
    expect(await result(`- { when: status == 200, action: '${value}' }`, given)).toBe("bad_reply");
  });

  it("is Access denied where a reply code is left without", async () => {
    const code =
      "- { when: status == 200, action: '550 ${body.reason}' }\n- { when: status == 403, action: '554' }";
    expect(await result(code, json(200, {}))).toBe("550 Access denied");
    expect(await result(code, json(200, { reason: " \r\n" }))).toBe("550 Access denied");
    expect(await result(code, reply(403))).toBe("554 Access denied");
  });

  it("is checked where it decides about mail", async () => {
    const filter = "- { when: status == 200, action: 'FILTER ${body.to}' }";
    expect(await result(filter, json(200, { to: "smtp:[127.0.0.1]:10025" }), ["FILTER"])).toBe(
      "FILTER smtp:[127.0.0.1]:10025",
    );
    expect(await result(filter, json(200, {}), ["FILTER"])).toBe("bad_reply");
    expect(await result(filter, json(200, { to: "smtp:[a]\r\nx" }), ["FILTER"])).toBe("bad_reply");
  });
});

describe("a failure", () => {
  it.each([
    [json(200, {}), /rule 1 cannot be evaluated: body\.allowed is missing/],
    [typed("text/html", "<h1>Login</h1>"), /HTML page/],
    [reply(204), /no body/],
    [reply(302, "", { location: "/login" }), /a redirect, which is never followed/],
    [json(404, {}), /HTTP status 404: no rule matches \(look at the service's url and the mapping's path;/],
    [json(401, {}), /HTTP status 401: no rule matches \(look at the service's auth,/],
    [{ ...typed("text/html", "<h1>No</h1>"), status: 403 }, /look at the service's auth; .*status == 403/],
    [json(405, {}), /look at the mapping's method/],
    [typed("application/json", "{"), /not readable as JSON/],
  ])("says what came, case %#", async (given, message) => {
    expect(((await outcome(ALLOWED, given)) as { detail: string }).detail).toMatch(message);
  });

  it("quotes a reply without its control characters, and not at length", async () => {
    const hostile = [
      reply(200, "x", { "content-type": `a/b\u001b[31m${"c".repeat(5_000)}` }),
      xml(200, `<a>\u001b[31m</${"b".repeat(5_000)}\u0007>`),
      xml(200, "<a>&\u001b[31m;</a>"),
      json(200, { allowed: { ["\u001b".repeat(5_000)]: 1 } }),
      reply(200, "<a/>", { "content-type": `text/xml; charset="\u001b[31m${"x".repeat(5_000)}"` }),
    ];
    for (const given of hostile) {
      const { detail } = (await outcome(ALLOWED, given)) as { detail: string };
      expect(detail).not.toMatch(/\p{Cc}/u);
      expect(detail.length).toBeLessThan(500);
    }
  });
});

describe("numbers in a reply", () => {
  const number = (n: string) => reply(200, `{"n":${n}}`, { "content-type": "application/json" });

  it.each([
    ["9007199254740993", "body.n == 9007199254740993", true],
    ["9007199254740993", "body.n == 9007199254740992", false],
    ["9007199254740992", "body.n == 9007199254740992", true],
    ["9007199254740993", "body.n > 9007199254740992", true],
    ["9007199254740993", "body.n in [9007199254740992, 9007199254740993]", true],
    ["9007199254740992", "body.n in [9007199254740991, 9007199254740993]", false],
    ["-9223372036854775808", "body.n < -9223372036854775807", true],
    ["9007199254740993", "int(body.n) - 9007199254740992 == 1", true],
    ["9007199254740993", 'string(body.n) == "9007199254740993"', true],
    ["9007199254740993", 'json(body) == "{\\"n\\":9007199254740993}"', true],
    ["5", "body.n == 5 && int(body.n) + 1 == 6 && body.n < 5.5", true],
    ["12345678901234567890123", 'body.n == "12345678901234567890123"', true],
  ])("%s: %s is %s", async (n, when, expected) => {
    const mapping = await withRules(
      `- { when: ${JSON.stringify(when)}, action: REJECT }\n- { when: status == 200, action: INFO }`,
    );
    expect(await mapping.interpret(number(n), requestOf())).toMatchObject({
      action: expected ? "REJECT" : "INFO",
    });
  });

  it.each(["9007199254740993", "-9223372036854775808", "12345678901234567890123", "0.5", "10"])(
    "%s stands so in a text",
    async (n) => {
      const mapping = await withRules(
        '- { when: status == 200, action: "REJECT ${body.n} of ${json(body.n)}" }',
      );
      const json = /^\d{20,}$/.test(n) ? `"${n}"` : n;
      expect(await mapping.interpret(number(n), requestOf())).toMatchObject({
        action: `REJECT ${n} of ${json}`,
      });
    },
  );

  it("that cannot be compared, for one is too large, end the reading", async () => {
    const mapping = await withRules(
      "- { when: body.n > 5, action: DUNNO }\n- { when: status == 200, action: DUNNO }",
    );
    expect(await mapping.interpret(number("1e400"), requestOf())).toMatchObject({ cause: "bad_reply" });
  });
});

describe("a rule that says that a reply is trouble", () => {
  const RULES = `
- when: body.?error != null
  failure: http_5xx
  detail: the service says "\${body.error.code}" (\${body.error.?hint})
- when: body.allowed == true
  action: DUNNO`;

  it("gives the failure that it names, with the status and what the log is to say", async () => {
    expect(await outcome(RULES, json(200, { allowed: true, error: { code: "LDAP\ndown" } }))).toEqual({
      cause: "http_5xx",
      detail: 'HTTP status 200: rule 1: the service says "LDAP down" ()',
      status: 200,
    });
    expect(await result(RULES, json(200, { allowed: true }))).toBe("DUNNO");
  });

  it.each(["unreachable", "timeout", "overload", "http_4xx", "http_5xx", "bad_reply", "mapping_error"])(
    "can be %s",
    async (cause) => {
      expect(await outcome(`- { when: "true", failure: ${cause} }`, json(200, {}))).toEqual({
        cause,
        detail: "HTTP status 200: rule 1: the mapping takes this reply for a failure",
        status: 200,
      });
    },
  );

  it("is still no answer where its detail cannot be read", async () => {
    const rules = '- { when: status == 200, failure: http_5xx, detail: "${body.error}" }';
    expect(await result(rules, typed("application/json", "{cut"))).toBe("http_5xx");
  });

  it("is tried on 2xx only, unless it names status or fault, as every rule", async () => {
    expect(await result("- { failure: http_5xx }\n- { action: DUNNO }", json(403, {}))).toBe("http_4xx");
    expect(await result("- { when: status == 403, failure: http_5xx }", json(403, {}))).toBe("http_5xx");
  });
});
