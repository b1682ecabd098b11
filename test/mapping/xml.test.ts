import { describe, expect, it } from "vitest";
import { parseXml, XmlError } from "../../src/mapping/xml.ts";
import { xmlMembers } from "../../src/mapping/xml-tree.ts";

const tree = (text: string) => xmlMembers([parseXml(text)]);
const map = (members: Record<string, unknown>) => new Map(Object.entries(members));
const XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"';

describe("XML as rules see it", () => {
  it.each([
    ["a number stays text", "<a>007</a>", "007"],
    ["a bool stays text", "<a>true</a>", "true"],
    ["an exponent stays text", "<a>1e5</a>", "1e5"],
    ["white space around text is dropped", "<a>\n  Permit\n</a>", "Permit"],
    ["white space inside stays", "<a>no  way</a>", "no  way"],
    ["an empty element is an empty string", "<a/>", ""],
    ["elements are members", "<a><b>1</b><c>2</c></a>", map({ b: "1", c: "2" })],
    ["a repeated element is a list", "<a><b>1</b><c/><b>2</b></a>", map({ b: ["1", "2"], c: "" })],
    ["an attribute is @name", '<a b="1"/>', map({ "@b": "1" })],
    ["text beside an attribute is #text", '<a b="1">x</a>', map({ "@b": "1", "#text": "x" })],
    [
      "prefixes go",
      '<a xmlns:p="urn:p"><p:b p:c="1">x</p:b></a>',
      map({ b: map({ "@c": "1", "#text": "x" }) }),
    ],
    ["a declaration is no attribute", '<a xmlns="urn:a">x</a>', "x"],
    ["xsi:type is left out", `<a ${XSI} xsi:type="xs:string">x</a>`, "x"],
    ["type beside xsi:type stays", `<a ${XSI} xsi:type="t" type="k"/>`, map({ "@type": "k" })],
    [
      "xsi:nil is null, whatever its prefix",
      `<a ${XSI.replace("xsi", "i")}><b i:nil="true"/></a>`,
      map({ b: null }),
    ],
    [
      "attributes of older XML Schema instances are left out",
      '<a xmlns:o="http://www.w3.org/1999/XMLSchema-instance" xmlns:p="http://www.w3.org/2000/10/XMLSchema-instance"><b o:type="t">x</b><b p:type="t">y</b></a>',
      map({ b: ["x", "y"] }),
    ],
    [
      "nil was null in 1999",
      '<a xmlns:o="http://www.w3.org/1999/XMLSchema-instance"><b o:null="1"/></a>',
      map({ b: null }),
    ],
    [
      "SOAP's own attributes are left out",
      '<a xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:t="http://www.w3.org/2003/05/soap-envelope" xmlns:e="http://schemas.xmlsoap.org/soap/encoding/" s:encodingStyle="" t:mustUnderstand="1" e:arrayType="x[1]">x</a>',
      "x",
    ],
    ["xml:lang is left out", '<a xml:lang="en">x</a>', "x"],
    ["references are decoded", "<a>&lt;&amp;&#65;&#x1F600;</a>", "<&A😀"],
    ["references in attributes are decoded", '<a b="&quot;&#10;"/>', map({ "@b": '"\n' })],
    ["CDATA is text as written", "<a>x<![CDATA[<b>&amp;]]>y</a>", "x<b>&amp;y"],
    ["DOCTYPE inside CDATA is text", "<a><![CDATA[<!DOCTYPE html>]]></a>", "<!DOCTYPE html>"],
    ["a comment does not split text", "<a>Per<!-- > -->mit</a>", "Permit"],
    ["a processing instruction is passed over", "<a><?x y?>k</a>", "k"],
    ["100 levels are read", `${"<a>".repeat(50)}x${"</a>".repeat(50)}`, expect.any(Map)],
  ])("%s", (_, text, expected) => {
    expect(tree(text).get("a")).toEqual(expected);
  });

  it("takes names that JavaScript objects have for names like any other", () => {
    const text =
      '<constructor toString="1"><__proto__ constructor="2" __proto__="3">x</__proto__><valueOf/></constructor>';
    expect(tree(text).get("constructor")).toEqual(
      new Map<string, unknown>([
        ["@toString", "1"],
        [
          "__proto__",
          new Map([
            ["@constructor", "2"],
            ["@__proto__", "3"],
            ["#text", "x"],
          ]),
        ],
        ["valueOf", ""],
      ]),
    );
  });

  it("reads past a declaration, a byte order mark and comments", () => {
    expect(tree('<?xml version="1.0"?>\n<!-- c -->\n<a>x</a>\n<!-- d -->\n')).toEqual(map({ a: "x" }));
    expect(tree("\ufeff<a>x</a>")).toEqual(map({ a: "x" }));
  });

  const laughs = `<!DOCTYPE a [<!ENTITY l0 "ha">${Array.from({ length: 9 }, (_, i) => `<!ENTITY l${i + 1} "${`&l${i};`.repeat(10)}">`).join("")}]><a>&l9;</a>`;

  it.each([
    ["cut off", "<a><Decision>Permit", /Invalid/],
    ["cut off in a tag", "<a><b", /./],
    ["two roots", "<a/><b/>", /exactly one root/],
    ["two roots with text", "<a></a><b></b>", /./],
    ["text after the root", "<a/>Permit", /text after/],
    ["text before the root", "Permit<a/>", /./],
    ["no element", "<!-- nothing -->", /Start tag/],
    ["a DOCTYPE", "<!DOCTYPE a><a/>", /DOCTYPE/],
    ["a billion laughs", laughs, /DOCTYPE/],
    ["an external entity", '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', /DOCTYPE/],
    [
      "a DOCTYPE behind a comment in an instruction",
      '<?p <!-- ?><!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a><!-- -->',
      /DOCTYPE/,
    ],
    ["an entity that XML does not define", "<a>&nbsp;</a>", /"&nbsp;" is not defined/],
    ["an entity named as a member of objects", "<a>&constructor;</a>", /not defined/],
    ["a NUL by reference", "<a>&#0;</a>", /not defined/],
    ["a lone surrogate by reference", "<a>&#xD800;</a>", /not defined/],
    ["an ampersand alone", "<a>a & b</a>", /&/],
    ["an element's prefix undeclared", "<p:a/>", /prefix of "p:a"/],
    ["an attribute's prefix undeclared", '<a p:b="1"/>', /prefix of "p:b"/],
    ["a prefix declared elsewhere", '<a><b xmlns:p="u"/><p:c/></a>', /prefix of "p:c"/],
    ["nested 100,000 deep", "<a>".repeat(100_000), /longer than/],
    ["nested 200 deep", `${"<a>".repeat(200)}${"</a>".repeat(200)}`, /nested/],
    ["larger than 64 KiB", `<a>${"x".repeat(65_536)}</a>`, /longer than 65536/],
  ])("refuses what is %s", (_, text, message) => {
    expect(() => parseXml(text)).toThrow(XmlError);
    expect(() => parseXml(text)).toThrow(message);
  });

  it.each([
    ["elements", `<a>${"<b/>".repeat(16_000)}</a>`],
    ["attributes", `<a ${Array.from({ length: 6_000 }, (_, i) => `b${i}=''`).join(" ")}/>`],
    ["blanks", `<a>x${" ".repeat(65_000)}x</a>`],
    ["open quotes", "<a '".repeat(16_000)],
    ["open tags", "<".repeat(65_000)],
    ["open comments", "<!--".repeat(16_000)],
    [
      "declarations",
      `<a ${Array.from({ length: 4_000 }, (_, i) => `xmlns:p${i}="u"`)
        .join(" ")
        .slice(0, 60_000)}>`,
    ],
  ])("is done soon with 64 KB of %s", (_, text) => {
    const start = performance.now();
    try {
      parseXml(text);
    } catch (error) {
      expect(error).toBeInstanceOf(XmlError);
    }
    expect(performance.now() - start).toBeLessThan(2_000);
  });
});

describe("namespaces", () => {
  it("hold within the element that declares them, and what they stood in front of holds behind it", () => {
    const { children } = parseXml(
      '<a xmlns="u" xmlns:p="v"><b xmlns="w" xmlns:p="x"><p:c/><d/></b><p:c/><d/></a>',
    );
    const named = (items: readonly unknown[]) =>
      items.map((item) => (item as { namespace: string }).namespace);
    expect(named(children)).toEqual(["w", "v", "u"]);
    expect(named((children[0] as { children: readonly unknown[] }).children)).toEqual(["x", "w"]);
  });

  it("cost no more where many others are declared", () => {
    const within = (name: string) =>
      `<a ${Array.from({ length: 1_800 }, (_, i) => `${name}${i}="u"`).join(" ")}>${'<b xmlns:z="abcdefghijk"/>'.repeat(1_000)}</a>`;
    const times = { declared: Number.POSITIVE_INFINITY, others: Number.POSITIVE_INFINITY };
    for (let round = 0; round < 5; round++) {
      times.declared = Math.min(times.declared, timeOf(within("xmlns:p")));
      times.others = Math.min(times.others, timeOf(within("xmlnss")));
    }
    expect(times.declared).toBeLessThan(4 * times.others);
  });
});

function timeOf(text: string): number {
  const start = performance.now();
  parseXml(text);
  return performance.now() - start;
}
