import { describe, expect, it } from "vitest";
import { ReplyView, UnreadableReply } from "../../src/mapping/reply.ts";
import { json, reply, soap, xml } from "./replies.ts";

const map = (members: Record<string, unknown>) => new Map(Object.entries(members));
const typed = (type: string, body: string | Buffer) => reply(200, body, { "content-type": type });

describe("the body of a reply", () => {
  it.each([
    ["JSON by content type", typed("application/json; charset=utf-8", '{"a":1}'), { a: 1 }],
    ["JSON by suffix", typed("application/problem+json", '{"a":1}'), { a: 1 }],
    ["JSON by first character", reply(200, ' \n{"a":1}'), { a: 1 }],
    ["JSON in text/plain", typed("text/plain", "[1]"), [1]],
    ["JSON after a byte order mark", typed("application/json", '\ufeff{"a":1}'), { a: 1 }],
    [
      "JSON in Latin-1",
      typed("application/json; charset=iso-8859-1", Buffer.from('{"a":"é"}', "latin1")),
      { a: "é" },
    ],
    ["a JSON string", typed("application/json", '"x"'), "x"],
    ["XML by content type", typed("text/xml", "<a>1</a>"), map({ a: "1" })],
    ["XML by suffix", typed("application/xacml+xml", "<a>1</a>"), map({ a: "1" })],
    ["XML by first character", reply(200, "\n<a>1</a>"), map({ a: "1" })],
    ["null for text", typed("text/plain", "OK"), null],
    [
      "null for HTML, though it would parse",
      typed("text/html", "<html><allowed>true</allowed></html>"),
      null,
    ],
    ["null for HTML that holds JSON", typed("text/html; charset=utf-8", '{"allowed":true}'), null],
    ["null for XHTML", typed("application/xhtml+xml", "<html/>"), null],
    ["null for an empty body", typed("application/json", ""), null],
    ["null for white space", typed("text/xml", " \r\n"), null],
    ["null for 204", reply(204), null],
    ["what is inside a SOAP 1.1 Body", soap(200, "<r><ok>1</ok></r>"), map({ r: map({ ok: "1" }) })],
    ["what is inside a SOAP 1.2 Body", soap(200, "<r><ok>1</ok></r>", "1.2"), map({ r: map({ ok: "1" }) })],
    ["an empty map for an empty SOAP Body", soap(200, ""), map({})],
    [
      "an Envelope of no SOAP as it stands",
      xml(200, "<Envelope><Body>x</Body></Envelope>"),
      map({ Envelope: map({ Body: "x" }) }),
    ],
  ])("is %s", (_, given, expected) => {
    expect(new ReplyView(given).body).toEqual(expected);
  });

  it("is made of Maps where a member is named constructor, however that is written", () => {
    for (const name of ["constructor", "\\u0063onstructor", "co\\u006estructor"]) {
      const body = new ReplyView(typed("application/json", `{"a":[{"${name}":1}]}`)).body;
      expect(body).toEqual(map({ a: [map({ constructor: 1 })] }));
    }
  });

  it.each([
    ["cut-off JSON", typed("application/json", '{"allowed":tr'), /JSON.*cut off/],
    ["cut-off JSON without a content type", reply(200, '{"allowed":true'), /cut off/],
    ["HTML said to be JSON", typed("application/json", "<html>login</html>"), /not readable as JSON/],
    ["JSON said to be XML", typed("text/xml", '{"allowed":true}'), /not readable as XML/],
    [
      "JSON 100,000 deep",
      typed("application/json", "[".repeat(100_000) + "]".repeat(100_000)),
      /nested deeper than 100/,
    ],
    [
      "JSON of 250 KB of open objects",
      typed("application/json", '{"a":'.repeat(50_000)),
      /nested deeper than 100/,
    ],
    [
      "JSON that says two things",
      typed("application/json", '{"allowed":false,"\\u0061llowed":true}'),
      /not readable as JSON: the member "allowed" stands twice/,
    ],
    [
      "JSON of more than 256 KiB",
      typed("application/json", `"${"x".repeat(256 * 1024)}"`),
      /JSON of more than 262144 bytes; max_json_size/,
    ],
    [
      "XML of nothing but tags",
      xml(200, `<r>${"<a/>".repeat(6_000)}</r>`),
      /more than 5041 tags and attributes/,
    ],
    [
      "XML with an attribute twice under two prefixes",
      xml(200, '<a xmlns:p="u" xmlns:q="u"><b p:allowed="false" q:allowed="true"/></a>'),
      /the attribute "allowed" stands twice/,
    ],
    ["XML with an attribute twice", xml(200, '<a allowed="false" allowed="true"/>'), /allowed.*repeated/],
    [
      "an envelope with two Bodies",
      xml(
        200,
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><ok>1</ok></s:Body><s:Body/></s:Envelope>',
      ),
      /several Body elements/,
    ],
    ["a Body with two Faults", soap(500, "<s:Fault/><s:Fault/>"), /several Fault elements/],
    ["cut-off XML", xml(200, "<a><Decision>Permit"), /not readable as XML/],
    ["an entity bomb", xml(200, '<!DOCTYPE a [<!ENTITY b "cc">]><a>&b;</a>'), /DOCTYPE/],
    ["XML 100,000 deep", xml(200, "<a>".repeat(100_000)), /more than 65536 bytes/],
    [
      "an unknown character set and not UTF-8",
      typed("text/xml; charset=klingon", Buffer.from("<a>é</a>", "latin1")),
      /"klingon" is not known/,
    ],
    [
      "UTF-7, which looks like UTF-8",
      typed("text/xml; charset=utf-7", "<a>+AD4-</a>"),
      /"utf-7" is not known/,
    ],
    ["UTF-32", typed("text/plain; charset=utf-32le", "{\0\0\0}\0\0\0"), /"utf-32le" is not known/],
    [
      "a control character in XML",
      xml(200, "<a>\n<b>Per\u0008mit</b></a>"),
      /U\+0008 has no place in XML \(line 2\)/,
    ],
    ["a control character in an attribute", xml(200, '<a b="\u0001"/>'), /U\+0001/],
    ["a control character in CDATA", xml(200, "<a><![CDATA[\u0000]]></a>"), /U\+0000/],
    ["a control character in a comment", xml(200, "<a><!-- \u001b --></a>"), /U\+001B/],
    ["a control character by its number", xml(200, "<a>Permit&#x8;</a>"), /"&#x8;" is not defined in XML/],
    ["a NUL by its number in an attribute", xml(200, '<a b="&#0;"/>'), /"&#0;" is not defined in XML/],
  ])("is refused when it is %s, and says so", (_, given, message) => {
    const view = new ReplyView(given);
    expect(() => view.body).toThrow(UnreadableReply);
    expect(view.unreadable).toMatch(message);
    expect(() => view.fault).toThrow(UnreadableReply);
  });

  it("is not looked at before someone asks", () => {
    const view = new ReplyView(typed("application/json", '{"allowed":tr'));
    expect([view.status, view.headers.get("content-type"), view.unreadable]).toEqual([
      200,
      "application/json",
      null,
    ]);
    expect(view.text).toBe('{"allowed":tr');
  });

  it("may be larger XML where that is allowed", () => {
    const large = xml(200, `<a>${"x".repeat(70_000)}</a>`);
    expect(() => new ReplyView(large).body).toThrow(/65536/);
    expect(new ReplyView(large, { xmlLimit: 100_000 }).body).toEqual(map({ a: "x".repeat(70_000) }));
  });

  it("is JSON up to its limit, in bytes", () => {
    const exactly = typed("application/json", `"${"é".repeat((256 * 1024 - 2) / 2)}"`);
    expect(exactly.body).toHaveLength(256 * 1024);
    expect(new ReplyView(exactly).body).toHaveLength(exactly.body.length / 2 - 1);
    expect(() => new ReplyView(exactly, { jsonLimit: 256 * 1024 - 1 }).body).toThrow(/262143 bytes/);
    const large = json(200, { a: "x".repeat(300_000) });
    expect(new ReplyView(large, { jsonLimit: 1024 * 1024 }).body).toEqual({ a: "x".repeat(300_000) });
  });

  it("allows brackets without end inside JSON strings", () => {
    expect(new ReplyView(json(200, { a: '["\\'.repeat(1_000) })).body).toEqual({ a: '["\\'.repeat(1_000) });
  });
});

describe("a Content-Type that is sent several times", () => {
  it.each([
    ["is the last one (RFC 9110 §8.3)", "text/html, application/json", { a: 1 }],
    [
      "is the last one, whatever its parameters hold",
      'text/html, application/json; charset="utf-8"',
      { a: 1 },
    ],
    ["is the last that is one", "application/json, nonsense", { a: 1 }],
    ["is the last that is one, not an empty one", "application/json, ", { a: 1 }],
    ["is not what stands before a comma in quotes", 'application/json; x="a, text/html"', { a: 1 }],
    ["is HTML where that comes last", "application/json, text/html", null],
  ])("%s", (_, type, expected) => {
    expect(new ReplyView(typed(type, '{"a":1}')).body).toEqual(expected);
  });
});

describe("the character set of a reply", () => {
  it.each(["utf8mb4", "UTF_8", "klingon"])(
    "is UTF-8 where nobody knows it and it reads so: %s",
    (charset) => {
      const text = '{"a":"größe"}';
      expect(new ReplyView(typed(`application/json; charset=${charset}`, text)).body).toEqual({ a: "größe" });
    },
  );

  it.each([
    [
      "Content-Type first",
      "text/xml; charset=ISO-8859-1",
      '<?xml version="1.0" encoding="utf-8"?><a>é</a>',
      "latin1",
    ],
    ["quoted too", 'text/xml; charset="iso-8859-1"', "<a>é</a>", "latin1"],
    ["then the XML declaration", "text/xml", '<?xml version="1.0" encoding="ISO-8859-1"?><a>é</a>', "latin1"],
    [
      "not UTF-16 by a declaration that is read byte by byte",
      "text/xml",
      '<?xml version="1.0" encoding="utf-16"?><a>é</a>',
      "utf8",
    ],
    ["then UTF-8", "text/xml", "<a>é</a>", "utf8"],
    [
      "UTF-16 by its byte order mark",
      "text/xml",
      '\ufeff<?xml version="1.0" encoding="utf-16"?><a>é</a>',
      "utf16le",
    ],
  ] as const)("%s", (_, type, text, encoding) => {
    expect(new ReplyView(typed(type, Buffer.from(text, encoding))).body).toEqual(map({ a: "é" }));
  });
});

describe("a SOAP Fault", () => {
  const detail = '<d:Denied xmlns:d="urn:d">quota</d:Denied>';

  it("of 1.1", () => {
    const body = `<s:Fault><faultcode>s:Client</faultcode><faultstring xml:lang="en">no</faultstring><detail>${detail}</detail></s:Fault>`;
    expect(new ReplyView(soap(500, body)).fault).toEqual({
      code: "Client",
      subcode: "",
      reason: "no",
      detail: map({ Denied: "quota" }),
    });
  });

  it("of 1.2, with the first of its texts", () => {
    const body = `<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value xmlns:m="urn:m">m:Denied</s:Value></s:Subcode></s:Code>
      <s:Reason><s:Text xml:lang="en">no</s:Text><s:Text xml:lang="de">nein</s:Text></s:Reason><s:Detail>${detail}</s:Detail></s:Fault>`;
    expect(new ReplyView(soap(500, body, "1.2")).fault).toEqual({
      code: "Sender",
      subcode: "Denied",
      reason: "no",
      detail: map({ Denied: "quota" }),
    });
  });

  it("without detail has null there", () => {
    expect(
      new ReplyView(soap(500, "<s:Fault><faultcode>s:Server</faultcode></s:Fault>")).fault?.detail,
    ).toBeNull();
  });

  it("is null for any other reply", () => {
    for (const other of [soap(200, "<Fault>x</Fault>"), json(200, { Fault: {} }), reply(500, "boom")]) {
      expect(new ReplyView(other).fault).toBeNull();
    }
  });
});
