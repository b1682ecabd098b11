/**
 * The XML Schemas of a description, those that it imports and includes too: what they declare, by name.
 *
 * A schema that is not read (on another host, not there) is no error until something that it declares is needed.
 */
import type { XmlElement } from "../../mapping/xml.ts";
import type { Documents } from "../documents.ts";
import {
  attributeOf,
  childrenOf,
  elementProblem,
  keyOf,
  type QName,
  readXml,
  type XmlDocument,
} from "./elements.ts";

export const XSD = "http://www.w3.org/2001/XMLSchema";

export type Kind = "element" | "type" | "group" | "attribute" | "attributeGroup";

/** Where a declaration stands. */
export interface Schema {
  readonly xml: XmlDocument;
  readonly namespace: string;
  readonly qualifiedElements: boolean;
  readonly qualifiedAttributes: boolean;
}

export interface Declaration {
  readonly schema: Schema;
  readonly element: XmlElement;
}

const KINDS: Readonly<Record<string, Kind>> = {
  element: "element",
  complexType: "type",
  simpleType: "type",
  group: "group",
  attribute: "attribute",
  attributeGroup: "attributeGroup",
};

/** Imports in a row; schemas that import each other in a circle are read once each. */
const DEEPEST = 10;

export class Schemas {
  readonly #documents: Documents;
  readonly #declarations = new Map<string, Declaration>();
  readonly #seen = new Set<string>();
  /** Why a schema was not read. */
  readonly unread: string[] = [];

  constructor(documents: Documents) {
    this.#documents = documents;
  }

  find(kind: Kind, name: QName): Declaration | undefined {
    return this.#declarations.get(`${kind} ${keyOf(name)}`);
  }

  /** @param including the namespace that a schema without one of its own takes on */
  async add(xml: XmlDocument, element: XmlElement, including = "", depth = 0): Promise<void> {
    const schema: Schema = {
      xml,
      namespace: attributeOf(element, "targetNamespace") ?? including,
      qualifiedElements: attributeOf(element, "elementFormDefault") === "qualified",
      qualifiedAttributes: attributeOf(element, "attributeFormDefault") === "qualified",
    };
    for (const child of childrenOf(element, XSD)) {
      const kind = KINDS[child.name];
      const name = attributeOf(child, "name");
      if (kind !== undefined && name !== undefined) {
        this.#declarations.set(`${kind} ${keyOf({ namespace: schema.namespace, name })}`, {
          schema,
          element: child,
        });
      }
      if (/^(?:import|include|redefine)$/.test(child.name)) await this.#refer(schema, child, depth);
    }
  }

  async #refer(schema: Schema, reference: XmlElement, depth: number): Promise<void> {
    const location = attributeOf(reference, "schemaLocation");
    if (location === undefined) return;
    const { document } = schema.xml;
    const including = reference.name === "import" ? "" : schema.namespace;
    const key = `${document.address} ${location} ${including}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    if (depth === DEEPEST) {
      throw elementProblem(schema.xml, reference, `schemas import each other more than ${DEEPEST} deep`);
    }
    const found = await this.#documents.referred(location, document);
    if ("problem" in found) {
      this.unread.push(found.problem);
      return;
    }
    const visit = `${found.address} ${including}`;
    if (this.#seen.has(visit)) return;
    this.#seen.add(visit);
    const xml = readXml(found);
    if (xml.root.name !== "schema" || xml.root.namespace !== XSD) {
      throw elementProblem(
        xml,
        xml.root,
        `expected an XML Schema, <schema> in ${XSD}; this is <${xml.root.name}>`,
      );
    }
    await this.add(xml, xml.root, including, depth + 1);
  }
}
