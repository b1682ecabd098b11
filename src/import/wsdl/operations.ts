/**
 * A WSDL 1.1 document as operations: services, their ports, and what each port's binding says how messages are written
 * (WSDL 1.1 §2 and §3). Bindings other than SOAP 1.1 and 1.2 over HTTP are passed over.
 *
 * Read by a reader of our own, on the parser that reads the service's replies: entities and DOCTYPE are refused, and nothing is
 * fetched but what `Documents` lets pass.
 */
import type { SoapVersion } from "../../mapping/render/envelope.ts";
import type { XmlElement } from "../../mapping/xml.ts";
import { excerpt } from "../../text/excerpt.ts";
import type { Documents } from "../documents.ts";
import type { Operation } from "../operation.ts";
import type { Member, ObjectShape } from "../shape.ts";
import {
  attributeOf,
  childOf,
  childrenOf,
  elementProblem,
  keyOf,
  type QName,
  qnameOf,
  readXml,
  type XmlDocument,
} from "./elements.ts";
import { type Declaration, type Schema, Schemas, XSD } from "./schemas.ts";
import { XsdShapes } from "./shapes.ts";

const WSDL = "http://schemas.xmlsoap.org/wsdl/";
const SOAP_BINDINGS: ReadonlyMap<string, SoapVersion> = new Map([
  ["http://schemas.xmlsoap.org/wsdl/soap/", "1.1"],
  ["http://schemas.xmlsoap.org/wsdl/soap12/", "1.2"],
]);

/** An operation of a port, not yet looked into: of hundreds one is wanted. */
export interface PortOperation {
  readonly service: string;
  readonly port: string;
  readonly name: string;
  /** The name of its input, which tells operations of the same name apart (WSDL 1.1 §2.4.5); empty where it has none. */
  readonly input: string;
  readonly version: SoapVersion;
  /** `document/literal`, `rpc/encoded` … */
  readonly style: string;
  /** @throws ProblemError where the description lacks something */
  read(): Operation;
}

export interface WsdlDescription {
  readonly operations: readonly PortOperation[];
  /** Why a document was not read. */
  readonly unread: readonly string[];
}

/** @throws ProblemError */
export async function readWsdl(source: string, documents: Documents): Promise<WsdlDescription> {
  const definitions = new Definitions(documents);
  const first = readXml(await documents.first(source));
  await definitions.add(first, 0);
  const operations = definitions.operations();
  if (operations.length === 0) {
    throw elementProblem(
      first,
      first.root,
      `expected a service with a port for SOAP over HTTP; there is none${definitions.unread.map((why) => `; ${why}`).join("")}`,
    );
  }
  return { operations, unread: [...definitions.unread, ...definitions.schemas.unread] };
}

type Part = "message" | "portType" | "binding";

/** Imports in a row. */
const DEEPEST = 10;

class Definitions {
  readonly schemas: Schemas;
  readonly unread: string[] = [];
  readonly #documents: Documents;
  readonly #parts = new Map<string, Declaration>();
  readonly #services: Declaration[] = [];
  readonly #seen = new Set<string>();
  #policy = "";

  constructor(documents: Documents) {
    this.#documents = documents;
    this.schemas = new Schemas(documents);
  }

  async add(xml: XmlDocument, depth: number): Promise<void> {
    const { root } = xml;
    this.#seen.add(xml.document.address);
    if (root.name === "schema" && root.namespace === XSD && depth > 0) return this.schemas.add(xml, root);
    if (root.name !== "definitions" || root.namespace !== WSDL) {
      const hint = root.namespace === "http://www.w3.org/ns/wsdl" ? " (WSDL 2.0 is not read)" : "";
      throw elementProblem(
        xml,
        root,
        `expected a WSDL 1.1 document, <definitions> in ${WSDL}; this is <${excerpt(root.name)}>${hint}`,
      );
    }
    const schema: Schema = {
      xml,
      namespace: attributeOf(root, "targetNamespace") ?? "",
      qualifiedElements: false,
      qualifiedAttributes: false,
    };
    if (/UsernameToken/.test(xml.text)) this.#policy = "ws_security";
    for (const element of childrenOf(root, WSDL)) {
      const name = attributeOf(element, "name") ?? "";
      if (element.name === "service") this.#services.push({ schema, element });
      else if (element.name === "import") await this.#import(xml, element, depth);
      else if (element.name === "types") {
        for (const child of childrenOf(element, XSD, "schema")) await this.schemas.add(xml, child);
      } else
        this.#parts.set(`${element.name} ${keyOf({ namespace: schema.namespace, name })}`, {
          schema,
          element,
        });
    }
  }

  async #import(xml: XmlDocument, element: XmlElement, depth: number): Promise<void> {
    const location = attributeOf(element, "location");
    if (location === undefined) return;
    if (depth === DEEPEST)
      throw elementProblem(xml, element, `documents import each other more than ${DEEPEST} deep`);
    const found = await this.#documents.referred(location, xml.document);
    if ("problem" in found) this.unread.push(found.problem);
    else if (!this.#seen.has(found.address)) await this.add(readXml(found), depth + 1);
  }

  operations(): PortOperation[] {
    return this.#services.flatMap((service) =>
      childrenOf(service.element, WSDL, "port").flatMap((port) =>
        this.#portOperations(service, { schema: service.schema, element: port }),
      ),
    );
  }

  #portOperations(service: Declaration, port: Declaration): PortOperation[] {
    const binding = this.#find("binding", attributeOf(port.element, "binding") ?? "", port);
    const soap = soapChild(binding.element, "binding");
    if (soap === undefined) return [];
    const style = attributeOf(soap.element, "style") ?? "document";
    const names = {
      service: attributeOf(service.element, "name") ?? "",
      port: attributeOf(port.element, "name") ?? "",
      version: soap.version,
    };
    return childrenOf(binding.element, WSDL, "operation").map((element) => {
      const body = bodyOf(element, "input");
      const own = soapChild(element, "operation")?.element;
      const inputName = inputNameOf(element);
      const operationStyle = (own && attributeOf(own, "style")) ?? style;
      const use = (body && attributeOf(body, "use")) ?? "literal";
      return {
        ...names,
        name: attributeOf(element, "name") ?? "",
        input: inputName,
        style: `${operationStyle}/${use}`,
        read: () =>
          this.#operation({
            ...names,
            style: operationStyle,
            use,
            url: addressOf(port.element),
            action: (own && attributeOf(own, "soapAction")) ?? "",
            binding,
            operation: { schema: binding.schema, element },
          }),
      };
    });
  }

  #operation(of: BoundOperation): Operation {
    const name = attributeOf(of.operation.element, "name") ?? "";
    const portType = this.#find("portType", attributeOf(of.binding.element, "type") ?? "", of.binding);
    const named = childrenOf(portType.element, WSDL, "operation").filter(
      (operation) => attributeOf(operation, "name") === name,
    );
    const input = inputNameOf(of.operation.element);
    const abstract = named.find((operation) => inputNameOf(operation) === input) ?? named[0];
    if (abstract === undefined) {
      throw elementProblem(
        of.operation.schema.xml,
        of.operation.element,
        `the port type declares no operation "${excerpt(name)}"`,
      );
    }
    const declared = { schema: portType.schema, element: abstract };
    const output = childOf(abstract, WSDL, "output");
    const body = this.#body(of, declared, "input", name);
    const reply: ObjectShape =
      output === undefined
        ? { kind: "object", members: [] }
        : { kind: "object", members: this.#body(of, declared, "output", `${name}Response`) };
    const encoded = of.use === "encoded";
    const notes: string[] = [];
    if (encoded) {
      notes.push(
        "rpc/encoded: a server such as Apache Axis 1 may send what is no simple value as multiRef, beside the answer and not in it; `pfxbridge try` shows what comes.",
      );
    }
    if (output === undefined) notes.push("The operation has no reply.");
    return {
      id: name,
      title: `${name} of ${of.service} (SOAP ${of.version}, ${of.style}/${of.use})`,
      url: of.url,
      call: {
        kind: "soap",
        version: of.version,
        action: of.action,
        body,
        header: this.#header(of),
        ...(encoded ? { encoding: ENCODINGS[of.version] } : {}),
      },
      reply: { kind: "soap", shape: reply },
      auth:
        this.#policy === ""
          ? []
          : [
              "# The description names a WS-Security UsernameToken: auth: (or header: in the mapping) must show it.",
            ],
      notes,
    };
  }

  /** What is inside Body (WSDL 1.1 §3.5). */
  #body(
    of: BoundOperation,
    operation: Declaration,
    direction: "input" | "output",
    wrapper: string,
  ): Member[] {
    const reference = childOf(operation.element, WSDL, direction);
    if (reference === undefined) return [];
    const message = this.#find("message", attributeOf(reference, "message") ?? "", {
      schema: operation.schema,
      element: reference,
    });
    const body = bodyOf(of.operation.element, direction);
    const only = body && attributeOf(body, "parts");
    const headers = headersOf(of.operation.element, direction).map((header) => attributeOf(header, "part"));
    const parts = childrenOf(message.element, WSDL, "part").filter((part) => {
      const name = attributeOf(part, "name");
      return only === undefined ? !headers.includes(name) : only.split(/\s+/).includes(name ?? "");
    });
    const shapes = new XsdShapes(this.schemas, of.use === "encoded");
    if (of.style !== "rpc")
      return parts.map((part) => partMember(shapes, { schema: message.schema, element: part }));
    const members = parts.map((part) => partMember(shapes, { schema: message.schema, element: part }));
    const namespace = (body && attributeOf(body, "namespace")) ?? message.schema.namespace;
    return [
      {
        name: wrapper,
        required: true,
        shape: { kind: "object", members },
        xml: { namespace, attribute: false },
      },
    ];
  }

  #header(of: BoundOperation): Member[] {
    return headersOf(of.operation.element, "input").flatMap((header) => {
      const name = attributeOf(header, "part");
      const from = { schema: of.operation.schema, element: header };
      const message = this.#find("message", attributeOf(header, "message") ?? "", from);
      const part = childrenOf(message.element, WSDL, "part").find(
        (item) => attributeOf(item, "name") === name,
      );
      if (part === undefined) return [];
      return [partMember(new XsdShapes(this.schemas, false), { schema: message.schema, element: part })];
    });
  }

  #find(kind: Part, written: string, from: Declaration): Declaration {
    const name: QName = qnameOf(from.element, written);
    const found = this.#parts.get(`${kind} ${keyOf(name)}`);
    if (found !== undefined) return found;
    const unread =
      this.unread.length === 0
        ? ""
        : `; perhaps in a document that was not read: ${this.unread.slice(0, 3).join("; ")}`;
    throw elementProblem(
      from.schema.xml,
      from.element,
      `expected the ${kind} "${excerpt(written)}", which nothing declares${unread}`,
    );
  }
}

interface BoundOperation {
  readonly service: string;
  readonly version: SoapVersion;
  readonly style: string;
  readonly use: string;
  readonly url: string;
  readonly action: string;
  readonly binding: Declaration;
  readonly operation: Declaration;
}

/** SOAP 1.1 §5.1, SOAP 1.2 part 2 §3. */
const ENCODINGS: Readonly<Record<SoapVersion, string>> = {
  "1.1": "http://schemas.xmlsoap.org/soap/encoding/",
  "1.2": "http://www.w3.org/2003/05/soap-encoding",
};

function partMember(shapes: XsdShapes, part: Declaration): Member {
  const { element } = part;
  const name = attributeOf(element, "name") ?? "";
  const reference = attributeOf(element, "element");
  if (reference !== undefined) return shapes.element(qnameOf(element, reference), part);
  const type = attributeOf(element, "type");
  if (type !== undefined) return shapes.part(name, qnameOf(element, type), "", part);
  throw elementProblem(
    part.schema.xml,
    element,
    `expected an element or a type for the part "${excerpt(name)}"`,
  );
}

function inputNameOf(operation: XmlElement): string {
  const input = childOf(operation, WSDL, "input");
  return (input && attributeOf(input, "name")) ?? "";
}

function soapChild(
  element: XmlElement,
  name: string,
): { version: SoapVersion; element: XmlElement } | undefined {
  for (const [namespace, version] of SOAP_BINDINGS) {
    const child = childOf(element, namespace, name);
    if (child !== undefined) return { version, element: child };
  }
  return undefined;
}

function bodyOf(operation: XmlElement, direction: "input" | "output"): XmlElement | undefined {
  const message = childOf(operation, WSDL, direction);
  return message && soapChild(message, "body")?.element;
}

function headersOf(operation: XmlElement, direction: "input" | "output"): XmlElement[] {
  const message = childOf(operation, WSDL, direction);
  return message === undefined
    ? []
    : [...SOAP_BINDINGS.keys()].flatMap((namespace) => childrenOf(message, namespace, "header"));
}

function addressOf(port: XmlElement): string {
  const address = soapChild(port, "address")?.element;
  return (address && attributeOf(address, "location")) ?? "";
}
