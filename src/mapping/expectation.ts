/**
 * What an example expects of a call, against the call that was rendered.
 *
 * Only what the example names is compared: of the headers those that it lists; everything else as a whole. JSON is
 * compared as values, XML without white space between elements.
 */

import { isDeepStrictEqual } from "node:util";
import { JsonError, parseJson } from "../expression/json.ts";
import { toJson } from "../expression/text.ts";
import type { UpstreamRequest } from "../model/exchange.ts";
import { isPlainObject } from "../model/plain-object.ts";
import { excerpt } from "../text/excerpt.ts";
import { oneLine } from "../text/one-line.ts";
import { SOAP_NAMESPACES } from "./render/envelope.ts";
import type { ExampleDefinition } from "./schema.ts";
import { envelopeBody } from "./soap.ts";
import { parseXml, type XmlElement, XmlError } from "./xml.ts";
import { trimXml } from "./xml-tree.ts";

export type Expectation = NonNullable<ExampleDefinition["expect"]>;

/** What differs, for people; null if nothing does. */
export function compareCall(expected: Expectation, call: UpstreamRequest): string | null {
  for (const [what, wanted, got] of comparisons(expected, call)) {
    const found = difference(what, wanted, got);
    if (found !== null) return found;
  }
  return null;
}

/** The first place at which two values differ: `json.subject.id: expected "a", got "b"`. */
function difference(place: string, wanted: unknown, got: unknown): string | null {
  if (isDeepStrictEqual(wanted, got)) return null;
  if (isPlainObject(wanted) && isPlainObject(got)) {
    for (const name of new Set([...Object.keys(wanted), ...Object.keys(got)])) {
      const found = difference(`${place}.${excerpt(name)}`, wanted[name], got[name]);
      if (found !== null) return found;
    }
  }
  const quoted = typeof wanted !== typeof got;
  return `${place}: expected ${shown(wanted, quoted)}, got ${shown(got, quoted)}`;
}

type Comparison = readonly [what: string, wanted: unknown, got: unknown];

function* comparisons(expected: Expectation, call: UpstreamRequest): Iterable<Comparison> {
  const [path = "", query] = splitOnce(call.path, "?");
  if (expected.method !== undefined) yield ["method", expected.method, call.method];
  if (expected.path !== undefined) {
    yield ["path", expected.path, expected.path.includes("?") ? call.path : path];
  }
  if (expected.query !== undefined) yield ["query", fieldsOf(expected.query), parseFields(query ?? "")];
  for (const [name, value] of Object.entries(expected.headers ?? {})) {
    yield [`header ${name}`, value, call.headers[name.toLowerCase()] ?? null];
  }
  if (expected.form !== undefined) yield ["form", fieldsOf(expected.form), parseFields(call.body ?? "")];
  if (expected.json !== undefined) yield ["json", expected.json, parsedJson(call.body)];
  if (expected.text !== undefined) yield ["text", expected.text, call.body];
  if (expected.xml !== undefined) yield ["xml", documentText(expected.xml), documentText(call.body ?? "")];
  if (expected.soap !== undefined) {
    const { namespace, text } = soapText(call.body ?? "");
    yield ["soap", fragmentText(expected.soap, namespace), text];
  }
}

function splitOnce(text: string, separator: string): [string, string | null] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, null] : [text.slice(0, at), text.slice(at + 1)];
}

type Fields = Record<string, readonly string[]>;

function fieldsOf(values: NonNullable<Expectation["form"]>): Fields {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      (Array.isArray(value) ? value : [value]).map(String),
    ]),
  );
}

function parseFields(text: string): Fields {
  const fields = new URLSearchParams(text);
  return Object.fromEntries([...new Set(fields.keys())].map((name) => [name, fields.getAll(name)]));
}

function parsedJson(body: string | null): unknown {
  try {
    return parseJson(body ?? "");
  } catch (error) {
    if (error instanceof JsonError) return body;
    throw error;
  }
}

/** Prefixes that a piece of SOAP may use without declaring them, as inside an envelope. */
const DECLARATIONS =
  'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"';

function documentText(text: string): unknown {
  return readable(() => canonical(parseXml(text)));
}

/** @param namespace of `soap:`, which the pieces of an envelope may use, too */
function fragmentText(text: string, namespace: string): unknown {
  const open = `<fragment ${DECLARATIONS} xmlns:soap=${JSON.stringify(namespace)}>`;
  return readable(() => canonicalChildren(parseXml(`${open}${text}</fragment>`)));
}

function soapText(text: string): { readonly namespace: string; readonly text: unknown } {
  let namespace = SOAP_NAMESPACES["1.1"];
  const shown = readable(() => {
    const envelope = parseXml(text);
    const body = envelopeBody(envelope);
    if (body === undefined) return "(no SOAP envelope)";
    namespace = envelope.namespace;
    return canonicalChildren(body);
  });
  return { namespace, text: shown };
}

function readable(read: () => string): string {
  try {
    return read();
  } catch (error) {
    if (error instanceof XmlError) return `(not readable as XML: ${error.message})`;
    throw error;
  }
}

/** The same text for XML that means the same: names with their namespaces, attributes in order, no white space between elements. */
function canonical(element: XmlElement): string {
  const name = qualified(element);
  const attributes = element.attributes
    .map((attribute) => ` ${qualified(attribute)}=${JSON.stringify(attribute.value)}`)
    .sort()
    .join("");
  return `<${name}${attributes}>${canonicalChildren(element)}</${element.name}>`;
}

function canonicalChildren(element: XmlElement): string {
  const mixed = element.children.some((child) => typeof child !== "string");
  return element.children
    .map((child) => (typeof child === "string" ? (mixed ? trimXml(child) : child) : canonical(child)))
    .join("");
}

function qualified({ name, namespace }: { name: string; namespace: string }): string {
  return namespace === "" ? name : `{${namespace}}${name}`;
}

const LONGEST_SHOWN = 2_000;

function shown(value: unknown, quoted: boolean): string {
  if (value === undefined) return "nothing";
  const text = typeof value === "string" && value !== "" && !quoted ? value : toJson(value);
  return oneLine(text, LONGEST_SHOWN);
}
