import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { Documents } from "../../src/import/documents.ts";
import { description, drafted, listed, serving, written } from "./descriptions.ts";

const message = async (kind: "wsdl" | "openapi", text: string, name?: string): Promise<string> => {
  const file = await written(text, name);
  const error = await listed(kind, file).catch((thrown: Error) => thrown);
  return error instanceof Error ? error.message.replace(file, "FILE") : "no error";
};

const definitions = (inside: string) =>
  `<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/"\n xmlns:x="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" targetNamespace="urn:t">\n${inside}\n</definitions>`;

/** A service with one operation, whose message holds this. */
const service = (schema: string, part: string) =>
  definitions(`<types>${schema}</types>
  <message name="In">${part}</message>
  <portType name="P"><operation name="check"><input message="t:In"/></operation></portType>
  <binding name="B" type="t:P"><s:binding/><operation name="check"><input><s:body use="literal"/></input></operation></binding>
  <service name="S"><port name="Port" binding="t:B"><s:address location="http://127.0.0.1/"/></port></service>`);

describe("a WSDL that cannot be read", () => {
  it.each([
    [
      "that is cut off",
      "<definitions>\n  <types>",
      /^FILE:\d+:\d+: error: expected a WSDL document; this cannot be read as XML: /,
    ],
    [
      "with entities",
      '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><definitions>&x;</definitions>',
      /^FILE: error: expected a WSDL document; .*a DOCTYPE or other declaration is not accepted$/,
    ],
    [
      "that is a web page",
      "<html>\n<body/></html>",
      /^FILE:1:1: error: expected a WSDL 1\.1 document, .*; this is <html>$/,
    ],
    [
      "of WSDL 2.0",
      '<description xmlns="http://www.w3.org/ns/wsdl"/>',
      /expected a WSDL 1\.1 document.*\(WSDL 2\.0 is not read\)$/,
    ],
    ["that is an OpenAPI document", "openapi: 3.1.0", /for an OpenAPI document: pfxbridge import openapi$/],
    [
      "without a service",
      definitions(""),
      /^FILE:1:1: error: expected a service with a port for SOAP over HTTP; there is none$/,
    ],
    [
      "whose port names no binding that is there",
      definitions('<service name="S"><port name="P" binding="t:Nope"/></service>'),
      /^FILE:3:19: error: expected the binding "t:Nope", which nothing declares$/,
    ],
    ["that is deep", `${"<a>".repeat(200)}${"</a>".repeat(200)}`, /cannot be read as XML: /],
  ])("%s", async (_, text, expected) => {
    expect(await message("wsdl", text)).toMatch(expected);
  });

  it("says where a type is missing, and what was not read", async () => {
    const schema = '<x:schema><x:import namespace="urn:y" schemaLocation="nope.xsd"/></x:schema>';
    const file = await written(service(schema, '<part name="a" xmlns:y="urn:y" element="y:Question"/>'));
    await expect(drafted("wsdl", file, "check")).rejects.toThrow(
      /:4:\d+: error: expected the element "Question" of namespace "urn:y", which no schema declares; perhaps in a schema that was not read: .*nope\.xsd.* does not exist/,
    );
  });

  it("goes round in no circle", async () => {
    const schema = `<x:schema targetNamespace="urn:t" elementFormDefault="qualified">
      <x:complexType name="A"><x:sequence><x:element name="a" type="t:A"/><x:element name="sender" type="x:string"/></x:sequence></x:complexType>
      <x:element name="Q" type="t:A"/><x:group name="g"><x:sequence><x:group ref="t:g"/></x:sequence></x:group></x:schema>`;
    const file = await written(service(schema, '<part name="a" element="t:Q"/>'));
    expect(await drafted("wsdl", file, "check")).toContain("<m:sender>${sender}</m:sender>");
  });

  it("is not swamped by types that multiply", async () => {
    const types = Array.from(
      { length: 11 },
      (_, n) =>
        `<x:complexType name="T${n}"><x:sequence>${Array.from({ length: 10 }, (_, m) => `<x:element name="e${m}" type="${n === 10 ? "x:string" : `t:T${n + 1}`}"/>`).join("")}</x:sequence></x:complexType>`,
    );
    const schema = `<x:schema targetNamespace="urn:t">${types.join("")}<x:element name="Q" type="t:T0"/></x:schema>`;
    const file = await written(service(schema, '<part name="a" element="t:Q"/>'));
    expect((await drafted("wsdl", file, "check")).length).toBeLessThan(1_000_000);
  });
});

describe("a WSDL whose groups multiply", () => {
  it("is read as far as is sensible", async () => {
    const groups = Array.from(
      { length: 11 },
      (_, n) =>
        `<x:group name="g${n}"><x:sequence>${n === 10 ? "" : `<x:group ref="t:g${n + 1}"/>`.repeat(10)}</x:sequence></x:group>`,
    );
    const schema = `<x:schema targetNamespace="urn:t">${groups.join("")}<x:element name="Q"><x:complexType><x:group ref="t:g0"/></x:complexType></x:element></x:schema>`;
    const file = await written(service(schema, '<part name="a" element="t:Q"/>'));
    expect(await drafted("wsdl", file, "check")).toContain("<m:Q");
  });
});

describe("an OpenAPI document that cannot be read", () => {
  it.each([
    ["that is no YAML", "openapi: 3.0.0\npaths: {a: [}", /^FILE:2:\d+: error: expected JSON or YAML; /],
    [
      "that is cut-off JSON",
      '{"openapi": "3.0.0",\n "paths": {',
      /^FILE:\d+:\d+: error: expected JSON or YAML; /,
    ],
    ["that is a WSDL", "<definitions/>", /expected .*OpenAPI document|for a WSDL: pfxbridge import wsdl/],
    [
      "of another version",
      "openapi: 4.0.0\npaths: {}",
      /^FILE:1:1: error: expected an OpenAPI document, .*; this is "4\.0\.0"$/,
    ],
    [
      "without operations",
      "openapi: 3.0.0\npaths: {}",
      /^FILE:1:1: error: expected operations under paths; there are none$/,
    ],
    ["whose aliases multiply", bomb(), /its aliases repeat more than a description does$/],
    [
      "that is deep",
      `{"openapi":${"[".repeat(2000)}${"]".repeat(2000)}}`,
      /it is nested deeper than 100 levels$/,
    ],
  ])("%s", async (_, text, expected) => {
    expect(await message("openapi", text)).toMatch(expected);
  });

  it("is not swamped by parts that multiply", async () => {
    const schemas = Object.fromEntries(
      Array.from({ length: 11 }, (_, n) => [
        `s${n}`,
        n === 10 ? { type: "string" } : { allOf: Array(10).fill({ $ref: `#/components/schemas/s${n + 1}` }) },
      ]),
    );
    const post = {
      operationId: "check",
      requestBody: { content: { "application/json": { schema: { $ref: "#/components/schemas/s0" } } } },
      responses: {},
    };
    const text = JSON.stringify({ openapi: "3.0.0", paths: { "/check": { post } }, components: { schemas } });
    expect(await drafted("openapi", await written(text), "check")).toContain("path: /check");
  });

  it("says where a reference leads to nothing, or round in a circle", async () => {
    const of = (schema: string) => `openapi: 3.0.0
paths:
  /check:
    post:
      operationId: check
      requestBody: { content: { application/json: { schema: { $ref: "${schema}" } } } }
      responses: {}
components:
  schemas:
    round: { $ref: "#/components/schemas/round" }
`;
    await expect(drafted("openapi", await written(of("#/nope")), "check")).rejects.toThrow(
      /:6:\d+: error: "#\/nope" leads to nothing$/,
    );
    await expect(
      drafted("openapi", await written(of("#/components/schemas/round")), "check"),
    ).rejects.toThrow(/:6:\d+: error: this reference leads to references without end$/);
    await expect(
      drafted("openapi", await written(of("http://other.invalid/x.yaml#/x")), "check"),
    ).rejects.toThrow(
      /:6:\d+: error: http:\/\/other\.invalid\/x\.yaml was not fetched: it is on another host\. With --host other\.invalid it is$/,
    );
  });
});

function bomb(): string {
  const lines = ["a0: &a0 [x, x]"];
  for (let n = 1; n < 25; n++)
    lines.push(
      `a${n}: &a${n} [${Array(10)
        .fill(`*a${n - 1}`)
        .join(", ")}]`,
    );
  return `openapi: 3.0.0\n${lines.join("\n")}\n`;
}

describe("what is read", () => {
  it("is fetched from the host that was named, and from others only when they are", async () => {
    const schema = await readFile(description("wsdl/schemas/types.xsd"), "utf8");
    const asked: string[] = [];
    const other = await serving((request, response) => {
      asked.push(String(request.url));
      response.end(schema);
    });
    const text = service(
      `<x:schema targetNamespace="urn:t"><x:include schemaLocation="${other}/types.xsd"/><x:element name="Q" type="t:Mail"/></x:schema>`,
      '<part name="a" element="t:Q"/>',
    );
    const own = await serving((_, response) => void response.end(text));
    await expect(drafted("wsdl", `${own}/?wsdl`, "check")).rejects.toThrow(
      /was not fetched: it is on another host/,
    );
    expect(asked).toEqual([]);
    const documents = new Documents([new URL(other).host]);
    expect(await drafted("wsdl", `${own}/?wsdl`, "check", documents)).toContain(
      "<m:Sender>${sender}</m:Sender>",
    );
    expect(documents.read).toEqual([`${own}/?wsdl`, `${other}/types.xsd`]);
  });

  it("does not follow a redirect to another host, nor reach files from the net", async () => {
    const other = await serving((_, response) => void response.end("secret"));
    const own = await serving((_, response) => void response.writeHead(302, { location: `${other}/` }).end());
    await expect(listed("wsdl", own)).rejects.toThrow(
      /it is redirected to .*, which is on another host\. With --host 127\.0\.0\.1:\d+ it is followed/,
    );
    const text = service(
      '<x:schema><x:import namespace="urn:y" schemaLocation="file:///etc/passwd"/></x:schema>',
      "",
    );
    const server = await serving((_, response) => void response.end(text));
    const { unread } = await listed("wsdl", server);
    expect(unread()).toEqual([expect.stringContaining("is not read: ")]);
  });

  it("is bounded in size and number", async () => {
    const endless = await serving((_, response) => {
      response.write("<definitions>");
      const chunk = " ".repeat(65_536);
      const more = () => {
        while (response.writable && response.write(chunk));
      };
      response.on("drain", more);
      more();
    });
    await expect(listed("wsdl", endless)).rejects.toThrow(/it is larger than 2097152 bytes/);
    let count = 0;
    const schemas = await serving((request, response) => {
      const next = ++count;
      const inside = Array.from(
        { length: 10 },
        (_, n) => `<x:include schemaLocation="/${next}-${n}.xsd"/>`,
      ).join("");
      const schema = `<x:schema xmlns:x="http://www.w3.org/2001/XMLSchema">${inside}</x:schema>`;
      response.end(request.url === "/" ? service(schema, "") : schema);
    });
    await expect(listed("wsdl", `${schemas}/`)).rejects.toThrow(
      /more than 50 documents|import each other more than 10 deep/,
    );
    expect(count).toBeLessThanOrEqual(51);
  });

  it("says what to do where it may not", async () => {
    const closed = await serving((_, response) => void response.writeHead(401).end());
    await expect(listed("openapi", closed)).rejects.toThrow(
      /HTTP status 401; fetch the description with your credentials/,
    );
    await expect(listed("openapi", "http://user:secret@127.0.0.1/")).rejects.toThrow(
      /^http:\/\/127\.0\.0\.1\/: error: a URL with credentials is not asked/,
    );
  });
});
