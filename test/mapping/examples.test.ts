import { describe, expect, it } from "vitest";
import { load } from "./mappings.ts";

const REST = `
request:
  method: POST
  path: /v1/check/\${domain(recipient)}?q=\${lower(sender)}
  headers: { x-queue-id: "\${queue_id}", x-name: "Zoë" }
  json: { from: "\${sender}", size: "\${size}", id: "\${request_id}", at: "\${now}", to: "\${recipients}" }
response:
  - when: status == 200 && body.allowed
    action: DUNNO
  - when: status == 200
    action: REJECT 5.7.1 \${body.reason}
`;

const SOAP = `
request:
  soap:
    action: urn:check
    body: |
      <m:Check xmlns:m="urn:m">
        <m:Sender>\${sender}</m:Sender>
      </m:Check>
response:
  - when: body.R.ok == "1"
    action: DUNNO
  - when: fault != null
    action: REJECT \${fault.reason}
`;

async function check(mapping: string, example: string) {
  const indented = example.trim().replaceAll("\n", "\n    ");
  const loaded = await load(`${mapping.trim()}\nexamples:\n  - name: it\n    ${indented}\n`);
  const [result] = await loaded.check();
  return result;
}

const REQUEST = 'request: { sender: A@example.net, recipient: b@example.org, queue_id: "Q1", size: 7 }';
const ALLOWED = "reply: { json: { allowed: true } }\naction: DUNNO";

describe("an example passes", () => {
  it.each([
    ["by its action", REST, `${REQUEST}\n${ALLOWED}`],
    ["by its failure", REST, `${REQUEST}\nreply: { status: 500, text: boom }\nfailure: http_5xx`],
    ["by the call alone", REST, `${REQUEST}\nexpect: { method: POST }`],
    ["when there is no call to be made", REST, "request: { sender: a@example.net }\nfailure: mapping_error"],
    [
      "by method, path, query and the headers that it names",
      REST,
      `${REQUEST}\nexpect: { method: POST, path: /v1/check/example.org, query: { q: a@example.net }, headers: { X-Queue-ID: Q1, x-name: "Zoë" } }\n${ALLOWED}`,
    ],
    [
      "by path and query together",
      REST,
      `${REQUEST}\nexpect: { path: "/v1/check/example.org?q=a%40example.net" }`,
    ],
    [
      "by JSON, with a request_id and a time that never change",
      REST,
      `${REQUEST}\nexpect:\n  json:\n    from: A@example.net\n    size: 7\n    id: 00000000-0000-4000-8000-000000000000\n    at: "2026-01-01T00:00:00.000Z"\n    to: [b@example.org]`,
    ],
    [
      "with several recipients",
      REST,
      "request: { recipient: a@b, recipients: [one@example.org, two@example.org] }\nexpect: { json: { from: '', size: 0, id: 00000000-0000-4000-8000-000000000000, at: '2026-01-01T00:00:00.000Z', to: [one@example.org, two@example.org] } }",
    ],
    [
      "by XML without white space between elements, whatever the prefix",
      SOAP,
      'request: { sender: a&b }\nexpect: { soap: \'<Check xmlns="urn:m"><Sender>a&amp;b</Sender></Check>\', headers: { soapaction: \'"urn:check"\' } }\nreply: { soap: "<R><ok>1</ok></R>" }\naction: DUNNO',
    ],
    ["by an XML reply", SOAP, 'reply: { xml: "<R><ok>1</ok></R>" }\naction: DUNNO'],
    [
      "by a Fault",
      SOAP,
      'reply:\n  status: 500\n  soap: <s:Fault xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><faultstring>no</faultstring></s:Fault>\naction: REJECT no',
    ],
    [
      "by a Fault of SOAP 1.2",
      SOAP.replace("soap:\n", 'soap:\n    version: "1.2"\n').replace(
        "fault != null",
        'fault.subcode == "Bad"',
      ),
      "reply:\n  status: 400\n  soap: <soap:Fault><soap:Code><soap:Value>soap:Sender</soap:Value><soap:Subcode><soap:Value>Bad</soap:Value></soap:Subcode></soap:Code><soap:Reason><soap:Text>no</soap:Text></soap:Reason></soap:Fault>\naction: REJECT no",
    ],
    [
      "by a form",
      REST.replace(/ {2}json:.*/, '  form: { a: "${sender}", to: "${recipients}" }'),
      `${REQUEST}\nexpect: { form: { a: A@example.net, to: [b@example.org] } }`,
    ],
    [
      "by text",
      REST.replace(/ {2}json:.*/, '  text: { escape: none, template: "hi ${sender}" }'),
      `${REQUEST}\nexpect: { text: hi A@example.net }`,
    ],
  ])("%s", async (_, mapping, example) => {
    expect(await check(mapping, example)).toEqual({ name: "it", passed: true, line: expect.any(Number) });
  });
});

describe("an example fails, and says what came", () => {
  it.each([
    [
      "another action",
      REST,
      `${REQUEST}\nreply: { json: { allowed: false, reason: no } }\naction: DUNNO`,
      "expected DUNNO, got REJECT 5.7.1 no (rule 2)",
    ],
    [
      "an action in place of a failure",
      REST,
      `${REQUEST}\nreply: { json: { allowed: true } }\nfailure: bad_reply`,
      "expected bad_reply, got DUNNO (rule 1)",
    ],
    [
      "a failure in place of an action",
      REST,
      `${REQUEST}\nreply: { text: x }\naction: DUNNO`,
      /^expected DUNNO, got bad_reply: HTTP status 200: rule 1 cannot be evaluated/,
    ],
    [
      "another method",
      REST,
      `${REQUEST}\nexpect: { method: GET }`,
      "the call differs: method: expected GET, got POST",
    ],
    [
      "another path",
      REST,
      `${REQUEST}\nexpect: { path: /v2 }`,
      "the call differs: path: expected /v2, got /v1/check/example.org",
    ],
    [
      "another header",
      REST,
      `${REQUEST}\nexpect: { headers: { x-queue-id: Q2 } }`,
      "the call differs: header x-queue-id: expected Q2, got Q1",
    ],
    [
      "a header that is not set",
      REST,
      `${REQUEST}\nexpect: { headers: { x-no: "1" } }`,
      /header x-no: expected "1", got null/,
    ],
    [
      "another query",
      REST,
      `${REQUEST}\nexpect: { query: { q: x } }`,
      /query\.q: expected \["x"\], got \["a@example.net"\]/,
    ],
    [
      "other JSON",
      REST,
      `${REQUEST}\nexpect: { json: { from: A@example.net, size: "7" } }`,
      /json\.size: expected "7", got 7/,
    ],
    [
      "other XML",
      SOAP,
      "expect: { soap: '<Check xmlns=\"urn:other\"><Sender/></Check>' }",
      /soap: expected <\{urn:other\}Check/,
    ],
    [
      "a call that cannot be made",
      REST,
      `request: { sender: a@b }\n${ALLOWED}`,
      /the call cannot be made: mapping_error/,
    ],
    [
      "a call that can be made",
      REST,
      `${REQUEST}\nfailure: mapping_error`,
      "expected mapping_error, but the call can be made",
    ],
  ])("%s", async (_, mapping, example, message) => {
    const result = await check(mapping, example);
    expect(result?.passed).toBe(false);
    if (typeof message === "string") expect(result?.message).toBe(message);
    else expect(result?.message).toMatch(message);
  });

  it("with its line", async () => {
    const loaded = await load(
      `${REST.trim()}\nexamples:\n  - name: a\n    failure: mapping_error\n  - name: b\n    expect: { method: GET }\n`,
    );
    expect((await loaded.check()).map(({ name, line }) => [name, line])).toEqual([
      ["a", 12],
      ["b", 14],
    ]);
  });
});

describe("examples", () => {
  it("run with the mapping's own parameters, whatever a service sets", async () => {
    const content =
      "parameters: { v: { default: one }, w: {} }\nrequest: { path: '/${param.v}/${param.w}' }\nresponse: [{ when: body.a, action: DUNNO }]\nexamples: [{ name: a, expect: { path: /one/x } }]\n";
    const loaded = await load(content, { v: "two", w: "x" });
    expect(await loaded.check()).toMatchObject([{ passed: true }]);
  });
});
