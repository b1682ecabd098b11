import { describe, expect, it } from "vitest";
import { isFailure } from "../../../src/mapping/mapping.ts";
import { parseXml, type XmlElement } from "../../../src/mapping/xml.ts";
import { call, compiled, failure, hostileValues, mistakes, outcome } from "./call.ts";

const NS = 'xmlns:u="urn:x"';

function soap(body: string, version = "1.1") {
  return { soap: { version, action: "urn:x#check", body } };
}

function inside(envelope: string | null, name: string): XmlElement {
  const root = parseXml(String(envelope));
  const part = root.children.find(
    (child): child is XmlElement => typeof child !== "string" && child.name === name,
  );
  if (part === undefined) throw new Error(`there is no ${name}`);
  return part;
}

describe("soap", () => {
  it("1.1 has text/xml and SOAPAction", () => {
    expect(call(soap(`<u:check ${NS}>\${sender}</u:check>`), { sender: "a<b" })).toEqual({
      method: "POST",
      path: "",
      headers: { "content-type": "text/xml; charset=utf-8", soapaction: '"urn:x#check"' },
      body:
        '<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">' +
        '<soap:Body><u:check xmlns:u="urn:x">a&lt;b</u:check></soap:Body></soap:Envelope>',
    });
  });

  it("1.2 has the action in its media type", () => {
    const { headers, body } = call(soap("<a/>", "1.2"));
    expect(headers).toEqual({ "content-type": 'application/soap+xml; charset=utf-8; action="urn:x#check"' });
    expect(parseXml(String(body)).namespace).toBe("http://www.w3.org/2003/05/soap-envelope");
  });

  it("without an action sends an empty one in 1.1 and none in 1.2", () => {
    expect(call({ soap: { version: "1.1", body: "<a/>" } }).headers.soapaction).toBe('""');
    expect(call({ soap: { version: "1.2", body: "<a/>" } }).headers["content-type"]).not.toContain("action");
  });

  it("has a header, which may use the envelope's prefix", () => {
    const header = `<u:key ${NS} soap:mustUnderstand="1">\${queue_id}</u:key>`;
    const { body } = call({ soap: { version: "1.1", body: "<a/>", header } }, { queue_id: "4F9" });
    expect(inside(body, "Header").children).toMatchObject([
      { name: "key", namespace: "urn:x", children: ["4F9"] },
    ]);
  });

  it("takes expressions out before the XML is read", () => {
    const text = '<a b="${sender == "x" && size < 5 ? "</a>" : "no"}">${size > 5 ? ">" : "<"}</a>';
    expect(inside(call(soap(text), { sender: "x" }).body, "Body").children).toMatchObject([
      { attributes: [{ name: "b", value: "</a>" }], children: ["<"] },
    ]);
  });

  it("keeps the text as it is written", () => {
    const text = "<!-- c --><a  b='1'\n c=\"2\" ><![CDATA[<x>]]> &amp; $${x}</a><d/>";
    expect(call(soap(text)).body).toContain(text.replace("$${", "${"));
  });

  it("carries any value unchanged, or none", () => {
    const text = `<u:a ${NS} b="\${sender}" c='[\${sender}]'>\${sender}<d>(\${sender})</d></u:a>`;
    for (const value of hostileValues()) {
      const result = outcome(soap(text), { sender: value });
      if (isFailure(result)) {
        expect(value).toMatch(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u);
        expect(result.detail).toMatch(/^request\.soap\.body: the value of/);
        continue;
      }
      expect(result.body).not.toContain("\r");
      const [element] = inside(result.body, "Body").children as XmlElement[];
      expect(element?.attributes.map((attribute) => attribute.value)).toEqual([value, `[${value}]`]);
      const d = element?.children.find((child) => typeof child !== "string");
      expect(element?.children.filter((child) => typeof child === "string").join("")).toBe(value);
      expect(d).toMatchObject({ name: "d", children: [`(${value})`] });
    }
  });

  it.each(['a"b', "a\\b", "a\nb"])("does not take %j for an action", (sender) => {
    const definition = { soap: { version: "1.1", action: "urn:${sender}", body: "<a/>" } };
    expect(failure(definition, { sender }).detail).toMatch(/^request\.soap\.action/);
  });

  it.each<[string, string]>([
    ["<a><b>${sender}</b><c>${size}</c></a>", "<a><c>0</c></a>"],
    ["<a><b><c>${sender}</c> </b>x</a>", "<a>x</a>"],
    ["<a><b><c>${sender}</c></b></a>", "<a></a>"],
    ["<a><b/><c></c> </a>", "<a><b/><c></c> </a>"],
    ["<a><b id='${size}'>${sender}</b></a>", "<a><b id='0'>${sender}</b></a>".replace("${sender}", "")],
    ["<a><b id='1'>${sender}</b></a>", "<a></a>"],
    ["<a><b>x${sender}</b></a>", "<a><b>x</b></a>"],
    ["<a><b><!-- c -->${sender}</b></a>", "<a></a>"],
    ["<a><b>${sender}<c/></b></a>", "<a><b><c/></b></a>"],
  ])("omit_empty makes of %s %s", (body, rendered) => {
    expect(call({ ...soap(body), omit_empty: true }).body).toContain(`<soap:Body>${rendered}</soap:Body>`);
  });

  it.each<[string, RegExp, number | undefined]>([
    ["<a>", /not well-formed XML: <a> is not closed/, 3],
    ["<a>\n  <b></c>\n</a>", /<\/b> was expected instead of <\/c>/, 9],
    ["<a>${sender}</b>", /not well-formed/, 12],
    ["<a>x & y</a>", /not well-formed/, 5],
    ["<u:a>x</u:a>", /prefix of "u:a" is not declared/, undefined],
    ["<a>&nbsp;</a>", /not defined in XML/, undefined],
    ["<!DOCTYPE a><a/>", /DOCTYPE/, undefined],
    ["<?xml version='1.0'?><a/>", /leave out the XML declaration/, 0],
    ['\n<soapenv:Envelope xmlns:soapenv="x"><soapenv:Body/></soapenv:Envelope>', /leave out the Envelope/, 1],
    ["<a>\u0001</a>", /character that XML cannot hold/, undefined],
    ["<a${size}>x</a${size}>", /name of a tag/, 2],
    ['<a ${sender}="x"/>', /name of a tag or attribute/, 3],
    ["<a><!-- ${sender} --></a>", /a comment/, 8],
    ["<a><![CDATA[${sender}]]></a>", /CDATA/, 12],
    ["<a><?x ${sender}?></a>", /processing instruction/, 7],
    ["<a>${sendr}</a>", /did you mean "sender"/, 5],
  ])("%j is a mistake", (body, message, offset) => {
    expect(mistakes(soap(body))[0]).toEqual({
      path: "request.soap.body",
      message: expect.stringMatching(message),
      offset,
    });
  });

  it("has a version", () => {
    expect(mistakes(soap("<a/>", "2.0")).map(({ path }) => path)).toEqual(["request.soap.version"]);
  });

  describe("with addressing", () => {
    const addressed = { ...soap("<a/>").soap, addressing: true };
    const blocksOf = (text: string | null) =>
      inside(text, "Header").children.map((child) =>
        typeof child === "string" ? child : [child.name, child.namespace, child.children],
      );
    const WSA = "http://www.w3.org/2005/08/addressing";
    const rendered = [
      ["Action", WSA, ["urn:x#check"]],
      ["ReplyTo", WSA, [expect.objectContaining({ name: "Address", children: [`${WSA}/anonymous`] })]],
    ];

    it("has what is the same in each attempt in the call", () => {
      expect(blocksOf(call({ soap: addressed }).body)).toEqual(rendered);
      const header = `<u:key ${NS}>\${queue_id}</u:key>`;
      const { body } = call({ soap: { ...addressed, header } }, { queue_id: "4F9" });
      expect(blocksOf(body)).toEqual([...rendered, ["key", "urn:x", ["4F9"]]]);
    });

    it("puts the rest into each attempt, and what others have for the header", () => {
      const { body } = call({ soap: addressed });
      const { seal } = compiled({ soap: addressed }).request;
      const attempts = [1, 2].map(() => seal?.seal(String(body), "http://a/b?c=1&d", "<e/>") ?? "");
      const own = [
        ["To", WSA, ["http://a/b?c=1&d"]],
        ["MessageID", WSA, [expect.stringMatching(/^urn:uuid:[0-9a-f-]{36}$/)]],
        ["e", "", []],
      ];
      for (const attempt of attempts) expect(blocksOf(attempt)).toEqual([...own, ...rendered]);
      expect(attempts[0]).not.toBe(attempts[1]);
    });

    it("needs an action", () => {
      expect(mistakes({ soap: { version: "1.1", body: "<a/>", addressing: true } })).toMatchObject([
        { path: "request.soap.addressing", message: expect.stringContaining("needs an action") },
      ]);
    });

    it.each(["1.1", "1.2"])("a header can be made where there was none, in %s", (version) => {
      const definition = soap("<a/>", version);
      const { seal } = compiled(definition).request;
      const sealed = String(seal?.seal(String(call(definition).body), "http://a/", "<e soap:role='x'/>"));
      expect(blocksOf(sealed)).toEqual([["e", "", []]]);
      expect(inside(sealed, "Body").children).toMatchObject([{ name: "a" }]);
    });
  });
});
