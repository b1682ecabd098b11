/**
 * An XML element as a value that rules can look into (mappings/README.md, "XML").
 *
 * An element with text alone is that string; with elements or attributes it is a map: names without prefix, attributes as
 * `@name`, text beside them as `#text`, a repeated element a list. White space around text is dropped. Attributes of
 * XML Schema instance, of SOAP's own namespaces and xml:* are left out; `xsi:nil="true"` makes the element null. Maps, not
 * objects: a member named `constructor` or `__proto__` is a member like any other.
 */
import { SOAP_NAMESPACES } from "./render/envelope.ts";
import { SOAP_ENCODINGS } from "./soap-encoding.ts";
import type { XmlElement } from "./xml.ts";

export type XmlValue = string | null | XmlValue[] | Map<string, XmlValue>;

/** XML Schema instance, and as it was called before 2001: Axis and SOAP::Lite still write these. */
const SCHEMA_INSTANCES: ReadonlySet<string> = new Set([
  "http://www.w3.org/2001/XMLSchema-instance",
  "http://www.w3.org/2000/10/XMLSchema-instance",
  "http://www.w3.org/1999/XMLSchema-instance",
]);
/** What their attributes say is for whoever reads XML, and no part of a value. */
const NO_DATA: ReadonlySet<string> = new Set([
  ...SCHEMA_INSTANCES,
  "http://www.w3.org/XML/1998/namespace",
  ...Object.values(SOAP_NAMESPACES),
  ...SOAP_ENCODINGS,
]);

/**
 * What is inside an element.
 *
 * @example
 * xmlTree(parseXml('<a id="1"><b>x</b><b>y</b></a>')) // Map { "@id" => "1", "b" => ["x", "y"] }
 */
export function xmlTree(element: XmlElement): XmlValue {
  const members = new Map<string, XmlValue>();
  for (const { name, namespace, value } of element.attributes) {
    if (isNil(name, namespace, value)) return null;
    if (NO_DATA.has(namespace)) continue;
    if (namespace === "" || !members.has(`@${name}`)) members.set(`@${name}`, value);
  }
  const text = addChildren(members, element.children);
  if (members.size === 0) return text;
  if (text !== "") members.set("#text", text);
  return members;
}

/** `nil` was called `null` before 2001. */
function isNil(name: string, namespace: string, value: string): boolean {
  return (
    (name === "nil" || name === "null") &&
    SCHEMA_INSTANCES.has(namespace) &&
    (value.trim() === "true" || value.trim() === "1")
  );
}

/** Elements as the members of a map, without what is around them. */
export function xmlMembers(children: XmlElement["children"]): Map<string, XmlValue> {
  const members = new Map<string, XmlValue>();
  addChildren(members, children);
  return members;
}

function addChildren(members: Map<string, XmlValue>, children: XmlElement["children"]): string {
  let text = "";
  const lists = new Map<string, XmlValue[]>();
  for (const child of children) {
    if (typeof child === "string") {
      text += child;
      continue;
    }
    const value = xmlTree(child);
    const list = lists.get(child.name);
    if (list !== undefined) {
      list.push(value);
      if (list.length === 2) members.set(child.name, list);
    } else {
      lists.set(child.name, [value]);
      members.set(child.name, value);
    }
  }
  return trimXml(text);
}

/** Without white space as XML defines it (XML 1.0 §2.3), which is less than JavaScript's. */
export function trimXml(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x9 || code === 0xa || code === 0xd;
}
