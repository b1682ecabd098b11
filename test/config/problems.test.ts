import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadConfig, parseConfig } from "../../src/config/load.ts";
import { formatProblem, ProblemError } from "../../src/source/problem.ts";

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "pfxbridge-config-"));
  writeFileSync(join(folder, "token"), "s3cret-token\n");
  writeFileSync(join(folder, "empty"), "\n");
  writeFileSync(join(folder, "lines"), "one\ntwo\n");
  writeFileSync(
    join(folder, "own.yaml"),
    [
      "parameters: { package: { default: mail/authz } }",
      "request: { method: POST, headers: { x-tenant: mail, Authorization: none }, json: {} }",
      "response:",
      "  - when: status == 200 && body.ok",
      "    action: DUNNO",
    ].join("\n"),
  );
  writeFileSync(join(folder, "broken.yaml"), "request:\n  jsn: {}\nresponse: []\n");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What is wrong with a configuration, as lines without the file's name. */
async function problemsOf(text: string): Promise<readonly string[]> {
  const file = join(folder, "pfxbridge.yaml");
  const format = (problems: ProblemError["problems"]) =>
    problems.map((problem) => formatProblem(problem).replace(`${file}:`, "").replaceAll(`${folder}/`, ""));
  try {
    return format((await parseConfig(text, file)).warnings);
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    return format(error.problems);
  }
}

const CORP = "services: { corp: { url: https://authz.example.com } }\n";
/** One service with settings of its own, in flow form on line 2 from column 11. */
const corp = (settings: string) => `services:\n  corp: { ${settings} }`;

describe("a mistake in the configuration is an error with line and column", () => {
  it.each([
    ["an unknown key", `${CORP}lisen: []`, '2:1: error: unknown key "lisen"; did you mean "listen"?'],
    [
      "an unknown key of a service",
      "services:\n  corp:\n    url: https://a.example\n    timout: 1s",
      '4:5: error: unknown key "timout"; did you mean "timeout"?',
    ],
    ["a wrong type", `${CORP}routes: none`, '2:9: error: expected a list, got "none"'],
    [
      "a misspelt word of on_failure",
      corp("url: https://a.example, on_failure: fail_open"),
      '2:47: error: expected fail-closed, fail-open, postfix-default or an action; did you mean "fail-open"?',
    ],
    [
      "a misspelt verb of on_failure",
      corp("url: https://a.example, on_failure: DUNO"),
      '2:47: error: expected fail-closed, fail-open, postfix-default or an action; did you mean "DUNNO"?',
    ],
    ["an empty file", "", "1:1: error: expected a table (`key: value`), got nothing"],
    [
      "nothing to do",
      "log: { level: info }",
      '1:1: error: there is neither a service nor a route; name the authorization service under "services"',
    ],
    [
      "a bound of what is remembered below what it bounds",
      corp("url: https://a.example, cache: { ttl: 1h, max_ttl: 59m }"),
      "2:62: error: max_ttl is shorter than ttl, which it bounds",
    ],
    [
      "an authority's certificate that is not there",
      corp('url: https://a.example, cache: { store: "rediss://a?ca=ca.pem" }'),
      "2:51: error: ca.pem does not exist",
    ],
    [
      "another kind of discovery",
      corp("url: https://a.example, discover: oidc"),
      "2:45: error: expected authzen, or { authzen: URL } with the address of the service's document",
    ],
    [
      "discovery over http, of a service that is not",
      corp('url: https://a.example, discover: { authzen: "http://a.example/x" }'),
      "2:56: error: over http:// others could say where the service is asked; expected an address that begins with https://",
    ],
    [
      "one document of two URLs",
      corp('url: [https://a.example, https://b.example], discover: { authzen: "https://a.example/x" }'),
      "2:77: error: one address is the document of one URL, and this service has several; write discover: authzen, or make a service of each",
    ],
    [
      "discovery for a mapping that asks another path",
      corp("url: https://a.example, mapping: cerbos, discover: authzen"),
      "2:52: error: discover: authzen finds the address for /access/v1/evaluation, and the mapping cerbos asks another path; it is for the mapping authzen",
    ],
    [
      "a preset that the mapping has not",
      corp("url: https://a.example, mapping: { use: authzen, preset: keycloack }"),
      '2:68: error: the mapping has no preset "keycloack"; did you mean "keycloak"? (it has keycloak, openfga)',
    ],
    [
      "a bad duration",
      corp("url: https://a.example, timeout: 1 second"),
      '2:44: error: expected a duration such as 250ms, 3s, 5m or 24h, got "1 second"',
    ],
    [
      "a number as duration",
      corp("url: https://a.example, timeout: 3"),
      "2:44: error: expected a duration such as 250ms, 3s, 5m or 24h, got the number 3",
    ],
    [
      "a duration that is too short",
      corp("url: https://a.example, timeout: 0s"),
      '2:44: error: expected a duration of at least 1ms, got "0s"',
    ],
    [
      "a bad size",
      corp("url: https://a.example, max_reply_size: 1MB"),
      '2:51: error: expected a size such as 64KiB or 1MiB, at most 256MiB, got "1MB"',
    ],
    [
      "a number out of bounds",
      corp("url: https://a.example, breaker: { failure_rate: 150 }"),
      "2:60: error: expected at most 100, got the number 150",
    ],
    [
      "max_backoff shorter than backoff",
      corp("url: https://a.example, retry: { backoff: 1s, max_backoff: 10ms }"),
      "2:70: error: max_backoff is shorter than backoff",
    ],
    ["no URL", corp("mapping: rest"), '2:3: error: "url" is missing'],
    [
      "another scheme",
      corp("url: ftp://a.example"),
      "2:16: error: expected a URL that begins with https:// or http://",
    ],
    ["a URL without a host", corp('url: "https://"'), "2:16: error: this is no URL; expected one such as"],
    [
      "credentials in a URL",
      corp("url: https://joe:hunter2@a.example"),
      "2:16: error: credentials do not belong in a URL, where logs show them; write auth: { basic:",
    ],
    [
      "a query in a URL",
      corp("url: [https://a.example/?x=1]"),
      "2:17: error: a service's URL ends before ? and #",
    ],
    [
      "a URL twice",
      corp("url: [https://a.example, https://a.example]"),
      "2:36: error: this URL stands in the list twice",
    ],
    [
      "an unknown service in a route",
      `${CORP}routes:\n  - service: crop`,
      '3:14: error: there is no service "crop"; did you mean "corp"?',
    ],
    [
      "several services without routes",
      "services:\n  a: { url: https://a.example }\n  b: { url: https://b.example }",
      '1:1: error: with several services (a, b), "routes" must say which is asked when',
    ],
    [
      "a condition on the last route",
      `${CORP}routes:\n  - when: sender == ""\n    service: corp`,
      '3:5: error: the last route has no "when", or mail that matches none would have no answer',
    ],
    [
      "a route that is never reached",
      `${CORP}routes:\n  - service: corp\n  - action: DUNNO`,
      '4:5: error: this route is never reached: route 1, before it, has no "when" and matches everything',
    ],
    ["a route to nowhere", `${CORP}routes:\n  - {}`, '3:5: error: a route has either "service" or "action"'],
    [
      "a route to two places",
      `${CORP}routes:\n  - { service: corp, action: DUNNO }`,
      '3:5: error: a route has either "service" or "action"',
    ],
    ["an empty list of routes", `${CORP}routes: []`, "2:9: error: expected at least 1 in the list"],
    [
      "a misspelt attribute",
      `${CORP}routes:\n  - when: size > 1 && sendr == "a"\n    action: DUNNO\n  - service: corp`,
      "3:23: error: ",
    ],
    [
      "a misspelt attribute in quotes",
      `${CORP}routes:\n  - { when: '"it''s" == sendr', action: DUNNO }\n  - service: corp`,
      "3:25: error: ",
    ],
    [
      "a condition that is none",
      `${CORP}routes:\n  - when: sender\n    action: DUNNO\n  - service: corp`,
      "3:11: error: a condition must be true or false",
    ],
    ["an unknown action", `${CORP}routes:\n  - action: PERMIT`, '3:13: error: "PERMIT" is no action'],
    [
      "an action of digits",
      `${CORP}routes:\n  - action: 550`,
      "3:13: error: expected text, got the number 550; put it in quotes",
    ],
    ["an empty action", `${CORP}routes:\n  - action: ""`, "3:13: error: an action must not be empty"],
    [
      "an action that Postfix would cut",
      `${CORP}routes:\n  - action: REJECT ${"x".repeat(401)}`,
      "3:13: error: the text is longer than 400 bytes; Postfix would cut it",
    ],
    [
      "on_failure where nothing can fail",
      `${CORP}routes:\n  - { action: DUNNO, on_failure: fail-open }`,
      "3:22: error: a route that answers by itself cannot fail; leave on_failure out",
    ],
    [
      "an unknown on_failure",
      corp("url: https://a.example, on_failure: fail-opn"),
      "2:47: error: expected fail-closed, fail-open, postfix-default or an action; ",
    ],
    [
      "an unknown cause",
      corp("url: https://a.example, on_failure: { timout: DUNNO }"),
      '2:49: error: unknown key "timout"; did you mean "timeout"?',
    ],
    [
      "an on_failure for one cause",
      corp("url: https://a.example, on_failure: { timeout: permit }"),
      "2:58: error: ",
    ],
    [
      "an expression in on_failure",
      corp("url: https://a.example, on_failure: 'REJECT ${cause} ${sender}'"),
      "2:64: error: only ${cause}, ${request_id} and ${reference} can stand in this text",
    ],
    ["a bad endpoint", `${CORP}listen:\n  - inet:localhost:smtp`, "3:5: error: "],
    [
      "an endpoint twice",
      `${CORP}listen: [inet:9998, inet:127.0.0.1:9998]`,
      "2:21: error: this endpoint stands in the list twice",
    ],
    [
      "a mode that is a number",
      `${CORP}listen:\n  - endpoint: unix:/run/p\n    mode: 660`,
      '4:11: error: expected a file mode in quotes, such as "0660"',
    ],
    [
      "a mode that YAML changes",
      `${CORP}listen:\n  - endpoint: unix:/run/p\n    mode: 0660`,
      "4:11: error: `0660` would be sent as 660; quote it",
    ],
    [
      "a mode of what is no file",
      `${CORP}listen:\n  - { endpoint: inet:9998, mode: "0660" }`,
      '3:28: error: "mode" is of use only for a unix: socket',
    ],
    [
      "an unknown service offline",
      `${CORP}offline: [crop]`,
      '2:11: error: there is no service "crop"; did you mean "corp"?',
    ],
    ["a word for offline", `${CORP}offline: yes`, "2:10: error: expected true, false or a list of services"],
    ["a group without user", `${CORP}group: mail`, '2:1: error: "group" is of use only together with "user"'],
    [
      "an unknown level",
      `${CORP}log: { level: verbose }`,
      '2:15: error: expected "debug", "info", "warn" or "error", got "verbose"',
    ],
    [
      "two places for the log",
      `${CORP}log: { file: a, syslog: local }`,
      '2:17: error: lines go to one place: leave out "file", or "syslog"',
    ],
    [
      "a readable line for syslog",
      `${CORP}log: { format: pretty, syslog: local }`,
      "2:16: error: pretty is not for syslog; json and logfmt are",
    ],
    ...["loghost", "udp:/loghost", "tcp://loghost:70000", "tls://user@loghost", "https://loghost"].map(
      (to): [string, string, string] => [
        `syslog at ${to}`,
        `${CORP}log: { syslog: "${to}" }`,
        "2:16: error: expected local, unix:PATH, udp://HOST, tcp://HOST or tls://HOST, with :PORT",
      ],
    ),
    [
      "TLS for syslog without TLS",
      `${CORP}log: { syslog: { to: "udp://127.0.0.1", tls: { ca: token } } }`,
      '2:41: error: "tls" is of use only where "to" is tls://HOST',
    ],
    [
      "a CA for syslog that is none",
      `${CORP}log: { syslog: { to: "tls://loghost", tls: { ca: token } } }`,
      "2:50: error: no certificate in PEM",
    ],
    [
      "an unknown facility",
      `${CORP}log: { syslog: { to: local, facility: mial } }`,
      '2:39: error: expected "user", "mail", "daemon"',
    ],
    [
      "a verb to be sampled that is none",
      `${CORP}log: { sample: { DUNO: 0.1 } }`,
      '2:18: error: "DUNO" is no verb of an action, reply code or source (upstream, cache, stale, route, default); did you mean "DUNNO"?',
    ],
    ["a part of more than all", `${CORP}log: { sample: { DUNNO: 10 } }`, "2:25: error: "],
    [
      "a field to redact that no line has",
      `${CORP}log: { redact: [helo_name] }`,
      "2:16: error: expected a list of sender, recipient, sasl_username, client_address, or { fields",
    ],
    [
      "a key for hashes that can be guessed",
      `${CORP}log: { redact: { fields: [sender], key: hunter22 } }`,
      "2:41: error: a key of less than 16 characters can be guessed",
    ],
    [
      "a name that is no name",
      "services: { 'a b': { url: https://a.example } }",
      "1:13: error: the name of a service is made of",
    ],
    [
      "an unknown mapping",
      corp("url: https://a.example, mapping: authzn"),
      '2:44: error: there is no mapping "authzn"; did you mean "authzen"? Shipped are',
    ],
    [
      "a mapping that is not there",
      corp("url: https://a.example, mapping: ./none.yaml"),
      "2:44: error: the mapping cannot be used: none.yaml does not exist",
    ],
    [
      "a mapping with a mistake",
      corp("url: https://a.example, mapping: ./broken.yaml"),
      'broken.yaml:2:3: error: unknown key "jsn"; did you mean "json"?',
    ],
    [
      "an unknown parameter",
      corp("url: https://a.example, mapping: { use: ./own.yaml, with: { pakage: x } }"),
      '2:71: error: the mapping has no parameter "pakage"; did you mean "package"?',
    ],
    [
      "a certificate without key",
      corp("url: https://a.example, tls: { cert: token }"),
      '2:42: error: "cert" is of use only together with "key"',
    ],
    [
      "a CA that is none",
      corp("url: https://a.example, tls: { ca: token }"),
      "2:35: error: these settings cannot be used for TLS: tls.ca holds no certificate in PEM",
    ],
    [
      "a missing CA",
      corp("url: https://a.example, tls: { ca: ./ca.pem }"),
      "2:46: error: ca.pem does not exist",
    ],
    [
      "a secret that is not in the environment",
      corp("url: https://a.example, auth: { bearer: { env: PFXBRIDGE_NOT_SET } }"),
      "2:58: error: the environment variable PFXBRIDGE_NOT_SET is not set",
    ],
    [
      "a secret's file that is missing",
      corp("url: https://a.example, auth: { bearer: { file: none } }"),
      "2:59: error: none does not exist",
    ],
    [
      "a secret's file that is empty",
      corp("url: https://a.example, auth: { bearer: { file: empty } }"),
      "2:51: error: the secret is empty",
    ],
    [
      "a secret of two lines",
      corp("url: https://a.example, auth: { bearer: { file: lines } }"),
      "2:51: error: the secret holds a line break",
    ],
    [
      "a bearer token with a blank",
      corp("url: https://a.example, auth: { bearer: 'Bearer abcdef' }"),
      "2:51: error: a bearer token holds no blanks, and nothing but ASCII (RFC 6750)",
    ],
    [
      "a password that is missing",
      corp("url: https://a.example, auth: { basic: { username: a } }"),
      '2:43: error: "password" is missing; expected a secret',
    ],
    [
      "a secret that is a number",
      corp("url: https://a.example, auth: { bearer: 1234567 }"),
      "2:51: error: expected a secret: a text in quotes, { env: NAME } or { file: PATH }",
    ],
    [
      "two ways to authenticate",
      corp("url: https://a.example, auth: { bearer: abcdef, basic: { username: a, password: bcdef } }"),
      '2:41: error: expected one of "basic", "bearer", "api_key", "oauth2", "session" and "ws_security", got basic and bearer',
    ],
    [
      "WS-Security for calls that are no SOAP",
      corp("url: https://a.example, mapping: rest, auth: { ws_security: { username: a, password: bcdef } }"),
      '2:58: error: ws_security is a part of a SOAP envelope, and the mapping rest makes none: it needs "soap" under request',
    ],
    [
      "a user of WS-Security who fits into no XML",
      corp(
        'url: https://a.example, mapping: soap, auth: { ws_security: { username: "a\\tb", password: bcdef } }',
      ),
      "2:83: error: a control character has no place in the header of a SOAP call",
    ],
    [
      "another type of WS-Security",
      corp(
        "url: https://a.example, mapping: soap, auth: { ws_security: { username: a, password: bcdef, type: x509 } }",
      ),
      '2:109: error: expected "text" or "digest"',
    ],
    [
      "a user name with a colon",
      corp("url: https://a.example, auth: { basic: { username: 'a:b', password: bcdef } }"),
      "2:62: error: a user name for basic authentication holds no colon",
    ],
    [
      "a header that is the bridge's",
      corp("url: https://a.example, headers: { Host: a }"),
      "2:46: error: the header host is set by the bridge or by the mapping",
    ],
    [
      "a header twice",
      corp("url: https://a.example, headers: { x-a: b, X-A: c }"),
      "2:54: error: the header x-a stands twice",
    ],
    [
      "a header name that is none",
      corp("url: https://a.example, headers: { 'x a': b }"),
      "2:46: error: this is no header name",
    ],
    [
      "a header with a line break",
      corp('url: https://a.example, headers: { x-a: "b\\nc" }'),
      "2:51: error: a header value has no control characters",
    ],
    [
      "a header that auth sets",
      corp("url: https://a.example, auth: { bearer: abcdef }, headers: { Authorization: xyzzy }"),
      "2:72: error: the header authorization is set by auth already; leave it out here",
    ],
    [
      "a header that the mapping sets",
      corp("url: https://a.example, mapping: ./own.yaml, headers: { X-Tenant: mail }"),
      "2:67: error: the header x-tenant is set by the mapping already; leave it out here",
    ],
    [
      "an auth whose header the mapping sets",
      corp("url: https://a.example, mapping: ./own.yaml, auth: { bearer: abcdef }"),
      "2:56: error: the mapping sets the header authorization itself; leave it to auth, or auth to it",
    ],
    [
      "a YAML trap",
      `${CORP}routes:\n  - when: !sasl_username == ""\n    action: DUNNO\n  - service: corp`,
      "3:11: error: a value that begins with `!` must be in quotes",
    ],
  ])("%s", async (_, text, message) => {
    expect(["", ...(await problemsOf(text))].join("\n")).toContain(`\n${message}`);
  });

  it("says everything at once, in the order of the lines", async () => {
    const text = `listen: [nonsense]\nservices:\n  corp: { url: nowhere, on_failure: never }\nroutes:\n  - service: crop\noffline: [crop]`;
    const places = (await problemsOf(text)).map((problem) => problem.slice(0, 2));
    expect(places).toEqual(["1:", "3:", "3:", "3:", "5:", "6:"]);
  });

  it.each([
    "auth: hunter2",
    "auth: { basic: 'joe:hunter2' }",
    "auth:\n      bearer: !hunter2",
    "auth:\n      bearer: @hunter2",
    'auth:\n      bearer: "hunter2" 3',
    "auth:\n      bearer: hunter2: x",
    "headers: { x-api-key: !hunter2 }",
    "headers: { cookie: !hunter2 }",
  ])("shows no secret that YAML takes for something else: %j", async (secret) => {
    const problems = await problemsOf(`services:\n  corp:\n    url: https://a.example\n    ${secret}\n`);
    expect(problems).toHaveLength(1);
    expect(problems.join()).not.toContain("hunter2");
  });

  it("shows no password that stands in a URL, a secret or a header", async () => {
    const text = [
      "services:",
      "  a: { url: 'https://joe:hunter2@a.example', auth: { bearer: hunter2222222 },",
      "       headers: { authorization: hunter2 } }",
      "  b: { url: 'hunter2://x', auth: { bearer: [hunter2] } }",
    ].join("\n");
    expect((await problemsOf(text)).join()).not.toContain("hunter2");
  });
});

describe("what may not be meant is a warning", () => {
  it.each([
    [
      "a digest that is the same each time",
      corp(
        "url: https://a.example, mapping: soap, auth: { ws_security: { username: a, password: bcdef, nonce: false, created: false } }",
      ),
      "2:58: warning: without nonce and created the digest is the same each time",
    ],
    [
      "a deadline shorter than an attempt",
      corp("url: https://a.example, timeout: 5s"),
      "2:3: warning: the deadline (3s) ends before one attempt may (timeout: 5s)",
    ],
    [
      "a deadline longer than Postfix waits",
      corp("url: https://a.example, deadline: 2m"),
      "2:45: warning: Postfix waits 100s at most",
    ],
    [
      "credentials in the open",
      corp("url: http://a.example, auth: { bearer: abcdef }"),
      "2:16: warning: credentials go over http://, where others can read them; use https://",
    ],
    [
      "tls without https",
      corp("url: http://127.0.0.1:1, tls: { server_name: a }"),
      "2:36: warning: tls has no effect on http:// URLs",
    ],
    [
      "a service that nobody asks",
      `${CORP}routes:\n  - action: DUNNO`,
      '1:13: warning: no route leads to the service "corp"',
    ],
    [
      "a key of remembered replies that leaves out who asks",
      corp('url: https://a.example, cache: { key: "${recipient}" }'),
      "2:49: warning: cache.key does not say who asks: what was answered to one would answer another, who differs in sasl_username, client_address",
    ],
    [
      "one that has only what the sender claims",
      corp('url: https://a.example, cache: { key: "${sender}" }'),
      "2:49: warning: cache.key does not say who asks",
    ],
    [
      "strangers whom fail-open lets pass for a failure that they can bring about",
      corp("url: https://a.example, on_failure: fail-open"),
      "2:47: warning: who finds a request that the service fails on brings about timeout or http_5xx and passes; close them for strangers ({ timeout: fail-closed, http_5xx: fail-closed, default: fail-open }), or let a route's when say who is known (client_address, sasl_username)",
    ],
    [
      "the same by name, and an action for all",
      corp("url: https://a.example, on_failure: { bad_reply: OK, mapping_error: fail-open }"),
      "2:47: warning: who finds a request that the service fails on brings about bad_reply or mapping_error and passes",
    ],
    [
      "the same for a route that anybody can choose",
      `${CORP}routes:\n  - { when: 'sender == ""', service: corp, on_failure: fail-open }\n  - service: corp`,
      "3:56: warning: who finds a request",
    ],
    [
      "fail-open where one sender can use up what is there for all",
      corp("url: https://a.example, fair: false, on_failure: fail-open"),
      "2:60: warning: with fair: false one sender can bring about circuit_open and overload for everybody, and everybody passes",
    ],
    [
      "fail-open where one failure opens the circuit",
      corp("url: https://a.example, breaker: { minimum_calls: 2 }, on_failure: { circuit_open: fail-open }"),
      "2:78: warning: with breaker.minimum_calls: 2 and failure_rate: 50 one sender's failure opens the circuit for everybody, and everybody passes",
    ],
  ])("%s", async (_, text, message) => {
    expect(["", ...(await problemsOf(text))].join("\n")).toContain(`\n${message}`);
  });

  it.each([
    [
      "fail-open for those who are known",
      `${CORP}routes:\n  - { when: 'sasl_username != ""', service: corp, on_failure: fail-open }\n  - service: corp`,
    ],
    [
      "fail-open for what no sender can bring about",
      corp(
        "url: https://a.example, on_failure: { timeout: fail-closed, http_5xx: fail-closed, default: fail-open }",
      ),
    ],
    ["an action that keeps mail out", corp("url: https://a.example, fair: false, on_failure: REJECT no")],
    ["credentials to this very host", corp("url: http://127.0.0.1:8080, auth: { bearer: abcdefgh }")],
    ["the smallest configuration", CORP],
    [
      "a key that says who asks",
      corp('url: https://a.example, cache: { key: "${sasl_username} ${recipient}" }'),
    ],
  ])("but not %s", async (_, text) => {
    expect(await problemsOf(text)).toEqual([]);
  });
});

describe("the file itself", () => {
  it.each([
    ["missing", "none.yaml", "none.yaml: error: it does not exist"],
    ["a folder", ".", "is no file"],
  ])("%s", async (_, name, message) => {
    await expect(loadConfig(join(folder, name))).rejects.toThrow(message);
  });

  it("not in UTF-8", async () => {
    writeFileSync(join(folder, "latin1.yaml"), Buffer.from("# caf\xe9", "latin1"));
    await expect(loadConfig(join(folder, "latin1.yaml"))).rejects.toThrow("is not in UTF-8");
  });
});
