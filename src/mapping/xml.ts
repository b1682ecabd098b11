/**
 * XML text to elements, for text that cannot be trusted.
 *
 * fast-xml-parser does the reading; what it lets pass is refused here: DOCTYPE (and with it every entity of the
 * document's own), a second root, prefixes that nothing declares, characters and references that XML does not define. Size and depth
 * are limited, since parsing blocks the process. Names keep their case and lose their prefix; the namespace is beside.
 * Values stay text: `007` is no number and `true` no bool. Throws `XmlError`.
 */
import type { XMLParser } from "fast-xml-parser";
import { fastXml } from "./fast-xml.ts";

export class XmlError extends Error {
  /** Where in the text, from 1; undefined where the whole of it is meant. */
  readonly place: { readonly line: number; readonly column: number } | undefined;

  constructor(message: string, place?: XmlError["place"]) {
    super(message);
    this.place = place;
  }
}

export interface XmlElement {
  /** Without prefix. */
  readonly name: string;
  /** The namespace's URI; empty for none. */
  readonly namespace: string;
  /** Without the declarations of namespaces. */
  readonly attributes: readonly XmlAttribute[];
  /** Elements and pieces of text, in order. */
  readonly children: readonly (XmlElement | string)[];
  /** Only where `parseXml` was asked for it. */
  readonly source?: XmlSource;
}

/** What a description in XML needs besides: where an element stands, and what a prefix in a value of its attributes means. */
interface XmlSource {
  /** In characters, from 0. */
  readonly offset: number;
  readonly prefixes: ReadonlyMap<string, string>;
}

interface XmlAttribute {
  readonly name: string;
  readonly namespace: string;
  readonly value: string;
}

/** In bytes: parsing this much takes about as long as a garbage collection, and holds up nobody. */
export const XML_LIMIT = 65_536;

export const MAX_DEPTH = 100;
/** Of the limit, for each tag, comment, attribute or the like: parsing takes its time for these, not for text. */
export const BYTES_PER_TAG = 13;
const XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace";

// A name in front of which `=` stands cannot be one that the parser refuses (`constructor`) or renames (`toString`).
const ELEMENT = "=";
const ATTRIBUTE = "@";
const TEXT = "#text";
const CDATA = "#cdata";
const ATTRIBUTES = ":@";

let parser: XMLParser | null = null;

function xmlParser(): XMLParser {
  parser ??= newParser(false);
  return parser;
}

function newParser(withSource: boolean): XMLParser {
  return new (fastXml().XMLParser)({
    captureMetaData: withSource,
    preserveOrder: true,
    ignoreAttributes: false,
    attributeNamePrefix: ATTRIBUTE,
    textNodeName: TEXT,
    cdataPropName: CDATA,
    transformTagName: (name) => (name.startsWith(ELEMENT) ? name : ELEMENT + name),
    parseTagValue: false,
    parseAttributeValue: false,
    trimValues: false,
    processEntities: false,
    ignoreDeclaration: true,
    ignorePiTags: true,
    maxNestedTags: MAX_DEPTH,
    jPath: false,
  });
}

/**
 * The root element of a document.
 *
 * @param limit in characters
 * @param withSource whether elements say where they stand
 * @throws XmlError with a message for people; it may quote the document
 */
export function parseXml(text: string, limit = XML_LIMIT, withSource = false): XmlElement {
  if (text.length > limit) throw new XmlError(`it is longer than ${limit} characters`);
  limitTags(text, Math.floor(limit / BYTES_PER_TAG));
  refuseCharacters(text);
  refuseDeclarations(text);
  const valid = fastXml().XMLValidator.validate(text);
  if (valid !== true) {
    const { msg, line, col } = valid.err;
    throw new XmlError(`${msg} (line ${line})`, { line, column: Math.max(col ?? 1, 1) });
  }
  const roots = parseNodes(text, withSource ? newParser(true) : xmlParser()).map((node) =>
    elementOf(node, new Map(KNOWN_PREFIXES)),
  );
  const root = roots[0];
  if (roots.length !== 1 || root === undefined) throw new XmlError("it must have exactly one root element");
  if (!text.trimEnd().endsWith(">")) throw new XmlError("there is text after the root element");
  return root;
}

type ParsedNode = Readonly<Record<string, unknown>>;

function parseNodes(text: string, parser: XMLParser): ParsedNode[] {
  try {
    return parser.parse(text) as ParsedNode[];
  } catch (error) {
    throw new XmlError(error instanceof Error ? error.message : "it cannot be parsed");
  }
}

function limitTags(text: string, most: number): void {
  let tags = 0;
  for (let at = text.indexOf("<"); at !== -1; at = text.indexOf("<", at + 1)) tags++;
  const attribute = /=\s*["']/g;
  if (tags <= most) while (attribute.test(text)) tags++;
  if (tags > most) throw new XmlError(`it holds more than ${most} tags and attributes`);
}

/** What is no character of XML (XML 1.0 §2.2), wherever it stands: a text in which it does is not well-formed. */
const NO_CHARACTER = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/u;

function refuseCharacters(text: string): void {
  const at = text.search(NO_CHARACTER);
  if (at === -1) return;
  const before = text.slice(0, at).split("\n");
  const line = before.length;
  const code = text.charCodeAt(at).toString(16).toUpperCase().padStart(4, "0");
  const message = `the character U+${code} has no place in XML (line ${line})`;
  throw new XmlError(message, { line, column: before[line - 1]!.length + 1 });
}

/** `<!DOCTYPE` and the like, outside comments, CDATA and processing instructions. */
function refuseDeclarations(text: string): void {
  const closings: Record<string, string> = { "!--": "-->", "![CDATA[": "]]>", "?": "?>" };
  const opening = /<(!--|!\[CDATA\[|\?|!)/g;
  for (let match = opening.exec(text); match !== null; match = opening.exec(text)) {
    const closing = closings[match[1] ?? ""];
    if (closing === undefined) throw new XmlError("a DOCTYPE or other declaration is not accepted");
    const end = text.indexOf(closing, opening.lastIndex);
    if (end === -1) throw new XmlError(`a ${match[0]} is not closed`);
    opening.lastIndex = end + closing.length;
  }
}

/** Namespaces by prefix, as they are declared where the walk is: to copy them for each element would take for ever. */
type Prefixes = Map<string, string>;
const KNOWN_PREFIXES: ReadonlyMap<string, string> = new Map([
  ["", ""],
  ["xml", XML_NAMESPACE],
]);

function elementOf(node: ParsedNode, prefixes: Prefixes): XmlElement {
  const attributes: [name: string, value: string][] = [];
  /** What the element's own declarations stand in front of. */
  const outer: [prefix: string, namespace: string | undefined][] = [];
  for (const [key, raw] of Object.entries((node[ATTRIBUTES] ?? {}) as Record<string, string>)) {
    const name = key.slice(ATTRIBUTE.length);
    const value = decodeReferences(raw);
    if (name === "xmlns" || name.startsWith("xmlns:")) {
      const prefix = name.slice("xmlns:".length);
      outer.push([prefix, prefixes.get(prefix)]);
      prefixes.set(prefix, value);
    } else {
      attributes.push([name, value]);
    }
  }
  const key = Object.keys(node).find((name) => name.startsWith(ELEMENT));
  if (key === undefined) throw new XmlError("there is text outside the root element");
  const name = key.slice(ELEMENT.length);
  const element: XmlElement = {
    name: localName(name),
    namespace: namespaceOf(name, prefixes, true),
    attributes: attributesOf(attributes, prefixes),
    children: childrenOf(node[key] as ParsedNode[], prefixes),
  };
  const offset = offsetOf(node);
  const known =
    offset === undefined ? element : { ...element, source: { offset, prefixes: new Map(prefixes) } };
  for (const [prefix, namespace] of outer) {
    if (namespace === undefined) prefixes.delete(prefix);
    else prefixes.set(prefix, namespace);
  }
  return known;
}

/** Known to a parser that was told to keep it. */
function offsetOf(node: ParsedNode): number | undefined {
  const key = fastXml().XMLParser.getMetaDataSymbol() as unknown as string;
  return (node[key] as unknown as { startIndex?: number } | undefined)?.startIndex;
}

/** No two may have the same name in the same namespace, whatever their prefixes (Namespaces in XML 1.0 §6.3). */
function attributesOf(pairs: readonly (readonly [string, string])[], prefixes: Prefixes): XmlAttribute[] {
  const seen = new Set<string>();
  return pairs.map(([name, value]) => {
    const attribute = { name: localName(name), namespace: namespaceOf(name, prefixes, false), value };
    const expanded = `${attribute.namespace} ${attribute.name}`;
    if (seen.has(expanded))
      throw new XmlError(`the attribute "${attribute.name}" stands twice in one element`);
    seen.add(expanded);
    return attribute;
  });
}

function childrenOf(nodes: readonly ParsedNode[], prefixes: Prefixes): (XmlElement | string)[] {
  const children: (XmlElement | string)[] = [];
  for (const node of nodes) {
    const text = node[TEXT];
    const cdata = node[CDATA];
    if (typeof text === "string") children.push(decodeReferences(text));
    else if (Array.isArray(cdata)) children.push(String((cdata[0] as ParsedNode | undefined)?.[TEXT] ?? ""));
    else children.push(elementOf(node, prefixes));
  }
  return children;
}

function localName(name: string): string {
  return name.slice(name.indexOf(":") + 1);
}

function namespaceOf(name: string, prefixes: Prefixes, useDefault: boolean): string {
  const colon = name.indexOf(":");
  if (colon === -1) return useDefault ? (prefixes.get("") ?? "") : "";
  const namespace = prefixes.get(name.slice(0, colon));
  if (!namespace || name.indexOf(":", colon + 1) !== -1 || colon === name.length - 1) {
    throw new XmlError(`the prefix of "${name}" is not declared`);
  }
  return namespace;
}

const PREDEFINED = new Map(
  Object.entries({ "lt;": "<", "gt;": ">", "amp;": "&", "quot;": '"', "apos;": "'" }),
);

function decodeReferences(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(/&([^;&]{0,12};?)/g, (reference, body: string) => {
    const known = PREDEFINED.get(body);
    if (known !== undefined) return known;
    const digits = /^#(?:x([0-9a-fA-F]+)|([0-9]+));$/.exec(body);
    const code =
      digits === null ? Number.NaN : Number.parseInt(digits[1] ?? digits[2] ?? "", digits[1] ? 16 : 10);
    if (!isXmlCharacter(code)) throw new XmlError(`the reference "${reference}" is not defined in XML`);
    return String.fromCodePoint(code);
  });
}

/** XML 1.0 §2.2, production 2. */
function isXmlCharacter(code: number): boolean {
  return (
    code === 0x9 ||
    code === 0xa ||
    code === 0xd ||
    (code >= 0x20 && code <= 0xd7ff) ||
    (code >= 0xe000 && code <= 0xfffd) ||
    (code >= 0x10000 && code <= 0x10ffff)
  );
}
