/** Replies of the rpc/encoded kind: rules see what the service meant, and no reply can make the bridge work without end. */
import { describe, expect, it } from "vitest";
import { ReplyView, UnreadableReply } from "../../src/mapping/reply.ts";
import { reply, xml } from "./replies.ts";

const SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/";
const SOAP_12 = "http://www.w3.org/2003/05/soap-envelope";
const ENCODING_11 = "http://schemas.xmlsoap.org/soap/encoding/";
const ENCODING_12 = "http://www.w3.org/2003/05/soap-encoding";

const map = (members: Record<string, unknown>) => new Map(Object.entries(members));

function envelope(body: string, style = `s:encodingStyle="${ENCODING_11}"`, soap = SOAP_11): string {
  return (
    `<s:Envelope xmlns:s="${soap}" xmlns:e11="${ENCODING_11}" xmlns:e12="${ENCODING_12}"` +
    ` xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><s:Body ${style}>${body}</s:Body></s:Envelope>`
  );
}

function bodyOf(text: string, xmlLimit?: number): unknown {
  return new ReplyView(xml(200, text), { xmlLimit }).body;
}

describe("references of SOAP encoding", () => {
  it("are what they refer to, as Apache Axis 1.4 writes them", () => {
    const text =
      '<?xml version="1.0" encoding="utf-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body><ns1:checkResponse soapenv:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/" xmlns:ns1="urn:example:mail-authorization"><checkReturn href="#id0"/></ns1:checkResponse><multiRef id="id0" soapenc:root="0" soapenv:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/" xsi:type="ns2:Decision" xmlns:soapenc="http://schemas.xmlsoap.org/soap/encoding/" xmlns:ns2="urn:example:mail-authorization"><reasons soapenc:arrayType="ns2:Reason[2]" xsi:type="soapenc:Array"><reasons href="#id1"/><reasons href="#id1"/></reasons><verdict xsi:type="soapenc:string">Deny</verdict></multiRef><multiRef id="id1" soapenc:root="0" soapenv:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/" xsi:type="ns3:Reason" xmlns:ns3="urn:example:mail-authorization" xmlns:soapenc="http://schemas.xmlsoap.org/soap/encoding/"><text xsi:type="soapenc:string">not you</text></multiRef></soapenv:Body></soapenv:Envelope>';
    const reason = map({ text: "not you" });
    const decision = map({ verdict: "Deny", reasons: map({ reasons: [reason, reason] }) });
    expect(bodyOf(text)).toEqual(map({ checkResponse: map({ checkReturn: decision }) }));
  });

  it("are so where only the envelope says that it is encoded, as SOAP::Lite writes it", () => {
    const text =
      '<?xml version="1.0" encoding="UTF-8"?><soap:Envelope soap:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/" xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:soapenc="http://schemas.xmlsoap.org/soap/encoding/" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soap:Body><checkResponse xmlns="urn:example:mail-authorization"><checkReturn><verdict xsi:type="xsd:string">Deny</verdict><reasons soapenc:arrayType="xsd:anyType[2]" xsi:type="soapenc:Array"><item href="#ref-93848950586120" /><item href="#ref-93848950586120" /></reasons></checkReturn></checkResponse><s-gensym5 id="ref-93848950586120"><text xsi:type="xsd:string">not you</text></s-gensym5></soap:Body></soap:Envelope>';
    const reason = map({ text: "not you" });
    const decision = map({ verdict: "Deny", reasons: map({ item: [reason, reason] }) });
    expect(bodyOf(text)).toEqual(map({ checkResponse: map({ checkReturn: decision }) }));
  });

  it.each<[string, string, unknown]>([
    [
      "a text",
      '<r><a href="#1"/></r><m id="1" e11:root="0" xsi:type="x">Permit</m>',
      { r: map({ a: "Permit" }) },
    ],
    ["nil", '<r><a href="#1"/></r><m id="1" xsi:nil="true"/>', { r: map({ a: null }) }],
    [
      "an answer that is itself referred to",
      '<r href="#1"/><m id="1"><ok>1</ok></m>',
      { r: map({ ok: "1" }) },
    ],
    ["what stands within the answer", '<r><a id="1">x</a><b href="#1"/></r>', { r: map({ a: "x", b: "x" }) }],
    ["what comes first", '<m id="1">x</m><r><a href="#1"/></r>', { r: map({ a: "x" }) }],
    ["a reference to a reference", '<r href="#1"/><m id="1" href="#2"/><m id="2">x</m>', { r: "x" }],
  ])("can lead to %s", (_, body, expected) => {
    expect(bodyOf(envelope(body))).toEqual(map(expected as Record<string, unknown>));
  });

  it.each(["1", "#1"])("are e12:ref=%j in SOAP 1.2", (reference) => {
    const body = `<r><a e12:ref="${reference}"/></r><m e12:id="1">x</m>`;
    const text = envelope(body, `s:encodingStyle="${ENCODING_12}"`, SOAP_12);
    expect(bodyOf(text)).toEqual(map({ r: map({ a: "x" }) }));
  });

  it("leave out what only encoding needs, and nothing else", () => {
    const body = '<r e11:arrayType="x[1]" e11:position="[0]" color="red"><a id="7">x</a></r>';
    expect(bodyOf(envelope(body))).toEqual(map({ r: map({ "@color": "red", a: "x" }) }));
  });

  it.each([
    ["without an encodingStyle", ""],
    ["with one of nothing", 's:encodingStyle=""'],
    ["with one of another kind", 's:encodingStyle="http://example.net/encoding/"'],
  ])("are data %s", (_, style) => {
    const body = '<r><a href="#1"/></r><m id="1">x</m>';
    const data = { r: map({ a: map({ "@href": "#1" }) }), m: map({ "@id": "1", "#text": "x" }) };
    expect(bodyOf(envelope(body, style))).toEqual(map(data));
  });

  it("are data where an element inside says that nothing is encoded", () => {
    const body = '<r><a href="#1"/><l s:encodingStyle=""><b href="#1" id="2"/></l></r><m id="1">x</m>';
    const literal = map({ b: map({ "@href": "#1", "@id": "2" }) });
    expect(bodyOf(envelope(body))).toEqual(map({ r: map({ a: "x", l: literal }) }));
  });

  it("are resolved in a Fault's detail", () => {
    const fault = `<s:Fault><faultcode>s:Client</faultcode><faultstring>no</faultstring><detail><e href="#1"/></detail></s:Fault>`;
    const { fault: got } = new ReplyView(xml(500, envelope(`${fault}<m id="1"><code>7</code></m>`)));
    expect(got).toMatchObject({ code: "Client", detail: map({ e: map({ code: "7" }) }) });
  });

  it("that lead to another message stay what they are", () => {
    expect(bodyOf(envelope('<r><a href="cid:part2"/></r>'))).toEqual(
      map({ r: map({ a: map({ "@href": "cid:part2" }) }) }),
    );
  });
});

describe("a reply whose references say nothing, or too much, is not readable", () => {
  /** Each level holds the next ten times. */
  const laughs = Array.from(
    { length: 12 },
    (_, n) => `<m id="${n}">${`<a href="#${n + 1}"/>`.repeat(10)}</m>`,
  );
  const chain = Array.from({ length: 200 }, (_, n) => `<m id="${n}"><a href="#${n + 1}"/></m>`);

  it.each([
    ["one that is not there", '<r><a href="#1"/></r>', /refers to "#1", which is not there/],
    ["one of none", '<r><a href="#"/></r>', /refers to "#", which is not there/],
    [
      "one of two",
      '<r><a href="#1"/></r><m id="1">Deny</m><m id="1">Permit</m>',
      /several elements have that id/,
    ],
    [
      "a circle",
      '<r><a href="#1"/></r><m id="1"><b href="#2"/></m><m id="2"><c href="#1"/></m>',
      /refers to itself/,
    ],
    ["what is around it", '<r><a id="1"><b href="#1"/></a></r>', /refers to itself/],
    ["itself", '<r><a id="1" href="#1"/></r>', /refers to itself/],
    [
      "something beside its own content",
      '<r><a href="#1">Permit</a></r><m id="1">Deny</m>',
      /content of its own/,
    ],
    ["a chain too deep", `<r><a href="#0"/></r>${chain.join("")}<m id="200">x</m>`, /nested deeper than 100/],
    [
      "ever more",
      `<r><a href="#0"/></r>${laughs.join("")}<m id="12">x</m>`,
      /more of it than 65536 characters/,
    ],
    [
      "a long text many times",
      `<r>${'<a href="#1"/>'.repeat(1_000)}</r><m id="1">${"x".repeat(20_000)}</m>`,
      /more of it than 65536 characters/,
    ],
    [
      "a long attribute many times",
      `<r>${'<a href="#1"/>'.repeat(1_000)}</r><m id="1" b="${"x".repeat(20_000)}"/>`,
      /more of it than 65536 characters/,
    ],
  ])("%s", (_, body, message) => {
    const view = new ReplyView(reply(200, envelope(body), { "content-type": "text/xml" }));
    expect(() => view.body).toThrow(UnreadableReply);
    expect(view.unreadable).toMatch(message);
  });

  it("takes as much as the service's own limit for XML allows", () => {
    const body = `<r>${'<a href="#1"/>'.repeat(20)}</r><m id="1">${"x".repeat(5_000)}</m>`;
    expect(() => bodyOf(envelope(body))).toThrow(/more of it than/);
    expect(bodyOf(envelope(body), 200_000)).toBeInstanceOf(Map);
  });
});
