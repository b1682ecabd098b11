/** Looking around in a description's XML: children, attributes, names with their prefix. */

import { charsetOf, decodeText, readContentType } from "../../mapping/charset.ts";
import { parseXml, type XmlElement, XmlError } from "../../mapping/xml.ts";
import type { ProblemError } from "../../source/problem.ts";
import { unusable } from "../../source/problem.ts";
import { excerpt } from "../../text/excerpt.ts";
import type { Document } from "../documents.ts";
import { problemAt } from "../place.ts";

/** A document that was read. */
export interface XmlDocument {
  readonly document: Document;
  readonly text: string;
  readonly root: XmlElement;
}

/** In characters; the documents are limited in bytes already. */
const LIMIT = 2 * 1024 * 1024;

/** @throws ProblemError */
export function readXml(document: Document): XmlDocument {
  const { address, bytes } = document;
  const charset = charsetOf(bytes, readContentType(document.contentType), true);
  const text = decodeText(bytes, charset);
  if (text === null) throw unusable(address, `its character set, ${excerpt(charset)}, is not known`);
  try {
    return { document, text, root: parseXml(text, LIMIT, true) };
  } catch (error) {
    if (!(error instanceof XmlError)) throw error;
    const what = /^\s*[{[]|^\s*(?:openapi|swagger)\b/.test(text)
      ? "; for an OpenAPI document: pfxbridge import openapi"
      : "";
    const message = `expected a WSDL document; this cannot be read as XML: ${error.message}${what}`;
    if (error.place === undefined) throw unusable(address, message);
    const lines = text.split("\n").slice(0, error.place.line - 1);
    const offset = lines.reduce((sum, line) => sum + line.length + 1, error.place.column - 1);
    throw problemAt(address, text, Math.min(offset, text.length), message);
  }
}

/** A problem with an element of a document. */
export function elementProblem(xml: XmlDocument, element: XmlElement, message: string): ProblemError {
  return problemAt(xml.document.address, xml.text, element.source?.offset, message);
}

export function childrenOf(element: XmlElement, namespace: string, name?: string): XmlElement[] {
  return element.children.filter(
    (child): child is XmlElement =>
      typeof child !== "string" &&
      child.namespace === namespace &&
      (name === undefined || child.name === name),
  );
}

export function childOf(element: XmlElement, namespace: string, name: string): XmlElement | undefined {
  return childrenOf(element, namespace, name)[0];
}

export function attributeOf(element: XmlElement, name: string, namespace = ""): string | undefined {
  return element.attributes.find((attribute) => attribute.name === name && attribute.namespace === namespace)
    ?.value;
}

export interface QName {
  readonly namespace: string;
  readonly name: string;
}

/** What a value such as `tns:Check` means where it stands; a prefix that nothing declares has no namespace. */
export function qnameOf(element: XmlElement, value: string): QName {
  const text = value.trim();
  const colon = text.indexOf(":");
  const prefix = colon === -1 ? "" : text.slice(0, colon);
  return { namespace: element.source?.prefixes.get(prefix) ?? "", name: text.slice(colon + 1) };
}

/** For maps. */
export function keyOf({ namespace, name }: QName): string {
  return `{${namespace}}${name}`;
}
