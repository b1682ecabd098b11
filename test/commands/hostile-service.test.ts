/**
 * Whatever the authorization service does: one answer within the deadline, the one that the operator chose, and a
 * bridge that goes on. One bridge meets all of it, by a route for each trouble.
 */
import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Bridge, LOGGED, startBridge } from "../support/bridge.ts";
import { PolicyClient } from "../support/policy-client.ts";
import { freePort } from "../support/temporary.ts";
import { listening, type RawServer } from "./raw-server.ts";

const TIMEOUT = 400;
const DEADLINE = 1000;
/** What a busy machine may add. */
const MARGIN = 1500;

const JSON_MAPPING = {
  request: { method: "POST", json: { sender: "${sender}" } },
  response: [
    { when: "body.allowed == true", action: "DUNNO" },
    { when: "body.allowed == false", action: "REJECT 5.7.1 ${body.?reason}" },
    { when: "status == 403 && has(body.reason)", action: "REJECT ${body.reason}" },
  ],
};

/** The service names the action itself. */
const ACTION_MAPPING = {
  request: { method: "POST", json: { sender: "${sender}" } },
  response: [{ when: "status == 200", action: "${body.action}" }],
};

const SOAP_MAPPING = {
  request: {
    soap: { version: "1.1", action: "urn:check", body: "<Check><Sender>${sender}</Sender></Check>" },
  },
  response: [
    { when: 'body.CheckResponse.Decision == "Permit"', action: "DUNNO" },
    { when: 'fault != null && fault.reason == "blocked"', action: "REJECT 5.7.1 ${fault.reason}" },
  ],
};

interface Reply {
  readonly status?: string;
  readonly type?: string;
  readonly headers?: string;
  readonly body?: string | Buffer;
}

/** Answers each request with one reply, byte for byte. */
const replying =
  ({ status = "200 OK", type = "application/json", headers = "", body = "" }: Reply) =>
  (socket: Socket) =>
    socket.on("data", () => {
      const bytes = Buffer.from(body);
      socket.write(
        `HTTP/1.1 ${status}\r\n${type === "" ? "" : `content-type: ${type}\r\n`}${headers}` +
          `content-length: ${bytes.length}\r\n\r\n`,
      );
      socket.write(bytes);
    });

const json = (value: unknown) => replying({ body: JSON.stringify(value) });
const xml = (body: string, status = "200 OK") => replying({ status, type: "text/xml; charset=utf-8", body });
const envelope = (inside: string) =>
  `<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>${inside}</soap:Body></soap:Envelope>`;
const PERMIT = envelope("<CheckResponse><Decision>Permit</Decision></CheckResponse>");
const fault = (reason: string) =>
  envelope(`<soap:Fault><faultcode>soap:Client</faultcode><faultstring>${reason}</faultstring></soap:Fault>`);
const doctype = (declaration: string) =>
  `<?xml version="1.0"?><!DOCTYPE a [${declaration}]>${PERMIT.replace("Permit", "&x;")}`;

const onRequest = (answer: (socket: Socket) => void) => (socket: Socket) =>
  socket.once("data", () => answer(socket));

/** What the service does, and the cause that on_failure must be asked for, or the action that must come of it. */
type Trouble = readonly [
  name: string,
  serving: ((socket: Socket) => void) | { readonly url: string },
  expected: { readonly cause: string; readonly detail?: RegExp } | { readonly action: string },
];

const OPEN_JSON = '{"allowed":true,"reason":"';

const OVER_JSON: readonly Trouble[] = [
  ["refuses the connection", { url: "http://127.0.0.1:1" }, { cause: "unreachable", detail: /refused/ }],
  ["its name does not exist", { url: "http://authz.invalid" }, { cause: "unreachable", detail: /DNS/ }],
  ["a black hole", { url: "http://192.0.2.1" }, { cause: "timeout|unreachable" }],
  ["accepts and says nothing", () => {}, { cause: "timeout" }],
  ["hangs up at once", (socket) => socket.destroy(), { cause: "unreachable" }],
  [
    "a byte a second",
    onRequest((socket) => {
      const bytes = [...'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{"allowed":true}'];
      const timer = setInterval(() => socket.write(bytes.shift() ?? " "), 1000);
      socket.on("close", () => clearInterval(timer));
    }),
    { cause: "timeout" },
  ],
  [
    "a body that trickles",
    onRequest((socket) => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n");
      const timer = setInterval(() => socket.write(" "), 50);
      socket.on("close", () => clearInterval(timer));
    }),
    { cause: "timeout" },
  ],
  [
    "a reset in the middle of the body",
    onRequest((socket) => {
      socket.write(
        `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n${OPEN_JSON}`,
      );
      setTimeout(() => socket.resetAndDestroy(), 50);
    }),
    { cause: "unreachable", detail: /in the middle of the reply/ },
  ],
  [
    "an end in the middle of the body",
    onRequest((socket) => {
      socket.end(
        `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n${OPEN_JSON}`,
      );
    }),
    { cause: "bad_reply", detail: /cut off/ },
  ],
  ["cut-off JSON in a complete reply", replying({ body: '{"allowed":tr' }), { cause: "bad_reply" }],
  [
    "HTML with status 200",
    replying({ type: "text/html", body: "<html><body>Please log in</body></html>" }),
    { cause: "bad_reply" },
  ],
  [
    "JSON called text/html",
    replying({ type: "text/html", body: '{"allowed":true}' }),
    { cause: "bad_reply" },
  ],
  [
    "JSON called text/plain, which is read all the same",
    replying({ type: "text/plain", body: '{"allowed":true}' }),
    { action: "DUNNO" },
  ],
  [
    "JSON without a type, which is read all the same",
    replying({ type: "", body: '{"allowed":true}' }),
    { action: "DUNNO" },
  ],
  ["an image", replying({ type: "image/png", body: randomBytes(64) }), { cause: "bad_reply" }],
  ["an empty body", replying({}), { cause: "bad_reply" }],
  [
    "204",
    (socket) => socket.on("data", () => socket.write("HTTP/1.1 204 No Content\r\n\r\n")),
    { cause: "bad_reply" },
  ],
  [
    "301",
    replying({ status: "301 Moved", headers: "location: http://127.0.0.1:1/\r\n" }),
    { cause: "bad_reply" },
  ],
  ["401", replying({ status: "401 Unauthorized" }), { cause: "http_4xx" }],
  [
    "403 of a firewall",
    replying({ status: "403 Forbidden", type: "text/html", body: "<h1>Blocked</h1>" }),
    { cause: "http_4xx" },
  ],
  [
    "403 that is an answer",
    replying({ status: "403 Forbidden", body: '{"reason":"no"}' }),
    { action: "REJECT no" },
  ],
  ["404", replying({ status: "404 Not Found" }), { cause: "http_4xx" }],
  [
    "429 that says wait a minute",
    replying({ status: "429 Too Many", headers: "retry-after: 60\r\n" }),
    { cause: "http_4xx" },
  ],
  ["500", replying({ status: "500 Oops", body: '{"allowed":true}' }), { cause: "http_5xx" }],
  [
    "503 that says wait for ever",
    replying({ status: "503 Busy", headers: "retry-after: 99999999999\r\n" }),
    { cause: "http_5xx" },
  ],
  [
    "10 MB",
    onRequest((socket) => {
      const size = 10 * 1024 * 1024;
      socket.write(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${size}\r\n\r\n`);
      socket.write(Buffer.alloc(size, " "));
    }),
    { cause: "bad_reply", detail: /larger than/ },
  ],
  [
    "a gzip bomb",
    replying({ headers: "content-encoding: gzip\r\n", body: gzipSync(Buffer.alloc(64 * 1024 * 1024, " ")) }),
    { cause: "bad_reply" },
  ],
  [
    "what is not HTTP",
    onRequest((socket) => socket.end("220 mail.example.org ESMTP\r\n")),
    { cause: "bad_reply" },
  ],
  [
    "headers without end",
    onRequest((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\n${`x-more: ${"x".repeat(1000)}\r\n`.repeat(1000)}`);
    }),
    { cause: "bad_reply" },
  ],
  [
    "deeply nested JSON",
    replying({ body: `{"allowed":${"[".repeat(200_000)}${"]".repeat(200_000)}}` }),
    { cause: "bad_reply" },
  ],
  [
    "a member __proto__",
    replying({ body: '{"__proto__":{"allowed":true},"constructor":{"allowed":true}}' }),
    { cause: "bad_reply" },
  ],
  ["a permit that is a string", json({ allowed: "true" }), { cause: "bad_reply" }],
  ["two JSON documents", replying({ body: '{"allowed":true}{"allowed":true}' }), { cause: "bad_reply" }],
  ["null", replying({ body: "null" }), { cause: "bad_reply" }],
  ["a list", json([true]), { cause: "bad_reply" }],
  [
    "a text of 100 KB",
    json({ allowed: false, reason: "no ".repeat(33_000) }),
    { action: `REJECT 5.7.1 ${"no ".repeat(400)}`.slice(0, 407) },
  ],
  [
    "line breaks in a text",
    json({ allowed: false, reason: "no\r\n\naction=OK\u2028x" }),
    { action: "REJECT 5.7.1 no action=OK x" },
  ],
  [
    "terminal escapes in a text",
    json({ allowed: false, reason: "a\x1b[31mred\u009b2J\0\x7f!" }),
    { action: "REJECT 5.7.1 a [31mred 2J !" },
  ],
  [
    "a lone surrogate",
    replying({ body: '{"allowed":false,"reason":"a\\ud800b"}' }),
    { action: "REJECT 5.7.1 a\ufffdb" },
  ],
];

const OVER_ACTION: readonly Trouble[] = [
  ["a permit", json({ action: "DUNNO" }), { action: "DUNNO" }],
  ["an action with a line break", json({ action: "DUNNO\n\naction=OK" }), { cause: "bad_reply" }],
  [
    "an action with a line break after the verb",
    json({ action: "REJECT no\n\naction=OK" }),
    { cause: "bad_reply" },
  ],
  ["the action permit", json({ action: "permit" }), { cause: "bad_reply" }],
  ["a blank before the action", json({ action: " permit" }), { cause: "bad_reply" }],
  ["a blank before a known verb", json({ action: " DUNNO" }), { cause: "bad_reply" }],
  ["a CR behind DUNNO", json({ action: "DUNNO\r" }), { cause: "bad_reply" }],
  ["an action of digits only, which Postfix takes for OK", json({ action: "12345" }), { cause: "bad_reply" }],
  ["a code without a text", json({ action: "550" }), { cause: "bad_reply" }],
  ["an empty action, which Postfix takes for OK", json({ action: "" }), { cause: "bad_reply" }],
  ["no action", json({ action: null }), { cause: "bad_reply" }],
  ["OK, which the mapping does not allow", json({ action: "OK" }), { cause: "bad_reply" }],
  [
    "FILTER, which the mapping does not allow",
    json({ action: "FILTER smtp:[192.0.2.1]" }),
    { cause: "bad_reply" },
  ],
  [
    "REDIRECT, which the mapping does not allow",
    json({ action: "REDIRECT evil@example.net" }),
    { cause: "bad_reply" },
  ],
  ["a restriction of Postfix", json({ action: "check_client_access static:OK" }), { cause: "bad_reply" }],
  [
    "terminal escapes in a text",
    json({ action: "REJECT \u001b[31mred\u009b2J\u0000\u007f" }),
    { cause: "bad_reply" },
  ],
];

const OVER_SOAP: readonly Trouble[] = [
  ["a permit", xml(PERMIT), { action: "DUNNO" }],
  [
    "a Fault that is an answer",
    xml(fault("blocked"), "500 Internal Server Error"),
    { action: "REJECT 5.7.1 blocked" },
  ],
  [
    "a Fault that is trouble",
    xml(fault("database down"), "500 Internal Server Error"),
    { cause: "http_5xx" },
  ],
  ["a Fault with status 200", xml(fault("database down")), { cause: "bad_reply" }],
  ["cut-off XML", xml(PERMIT.slice(0, PERMIT.indexOf("Permit") + 6)), { cause: "bad_reply" }],
  [
    "an entity bomb",
    xml(
      doctype(
        `<!ENTITY a "${"a".repeat(50)}">${"bcdefghx".replace(/./g, (c, n) => `<!ENTITY ${c} "${`&${"abcdefgh"[n]};`.repeat(20)}">`)}`,
      ),
    ),
    { cause: "bad_reply" },
  ],
  ["an external entity", xml(doctype('<!ENTITY x SYSTEM "file:///etc/hostname">')), { cause: "bad_reply" }],
  ["an entity that says Permit", xml(doctype('<!ENTITY x "Permit">')), { cause: "bad_reply" }],
  ["deeply nested XML", xml(envelope("<a>".repeat(10_000) + "</a>".repeat(10_000))), { cause: "bad_reply" }],
  ["an element constructor", xml(envelope("<constructor>Permit</constructor>")), { cause: "bad_reply" }],
  ["two roots", xml(PERMIT + PERMIT), { cause: "bad_reply" }],
  ["a web page", replying({ type: "text/html", body: PERMIT }), { cause: "bad_reply" }],
  ["JSON", json({ Decision: "Permit" }), { cause: "bad_reply" }],
];

const ALL = [
  ...OVER_JSON.map((trouble) => ["json", ...trouble] as const),
  ...OVER_ACTION.map((trouble) => ["action", ...trouble] as const),
  ...OVER_SOAP.map((trouble) => ["soap", ...trouble] as const),
];

let bridge: Bridge;
let port: number;
const servers: RawServer[] = [];

beforeAll(async () => {
  const services: Record<string, unknown> = {};
  for (const [index, [mapping, , serving]] of ALL.entries()) {
    let url: string;
    if ("url" in serving) ({ url } = serving);
    else {
      const server = await listening(serving);
      servers.push(server);
      ({ url } = server);
    }
    services[`s${index}`] = {
      url,
      mapping: `./${mapping}.yaml`,
      timeout: `${TIMEOUT}ms`,
      deadline: `${DEADLINE}ms`,
      retry: { attempts: 2, backoff: "10ms" },
      on_failure: "DEFER ${cause}",
    };
  }
  port = await freePort();
  const names = Object.keys(services);
  bridge = await startBridge({
    config: {
      listen: [`inet:127.0.0.1:${port}`],
      services,
      routes: [
        ...names.slice(1).map((service) => ({ when: `policy_context == "${service}"`, service })),
        { service: names[0] },
      ],
    },
    files: { "json.yaml": JSON_MAPPING, "action.yaml": ACTION_MAPPING, "soap.yaml": SOAP_MAPPING },
  });
});

afterAll(async () => {
  expect(await bridge?.stop()).toBe(0);
  for (const server of servers) await server.close();
});

describe("one answer within the deadline, and the bridge goes on, when the service replies with", () => {
  it.each(ALL.map(([mapping, name, , expected], index) => [`${mapping}: ${name}`, index, expected] as const))(
    "%s",
    async (_name, index, expected) => {
      const client = await PolicyClient.connect({ kind: "inet", host: "127.0.0.1", port });
      const policy_context = `s${index}`;
      const from = performance.now();
      const action = await client.ask({ sender: "a@example.net", policy_context });
      expect(performance.now() - from).toBeLessThan(DEADLINE + MARGIN);
      client.end();

      const lines = () => bridge.decisions().filter((line) => line.policy_context === policy_context);
      await expect.poll(lines, LOGGED).toHaveLength(1);
      const [line] = lines();
      if ("action" in expected) {
        expect(action).toBe(expected.action);
        expect(line).toMatchObject({ source: "upstream", action });
      } else {
        expect(action, String(line?.detail)).toMatch(new RegExp(`^DEFER (${expected.cause})$`));
        expect(line).toMatchObject({
          source: "default",
          detail: expect.stringMatching(expected.detail ?? /./),
        });
        expect(line?.detail).not.toMatch(/[\x00-\x1f\x7f-\x9f]/);
      }
    },
  );
});
