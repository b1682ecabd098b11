/** Elements with their values as XML text, indented, with the namespaces declared that they need. */
import type { Filled, FilledValue } from "./fill.ts";
import type { Member } from "./shape.ts";

const XSI = "http://www.w3.org/2001/XMLSchema-instance";
const KNOWN: ReadonlyMap<string, string> = new Map([
  [XSI, "xsi"],
  ["http://www.w3.org/2001/XMLSchema", "xsd"],
  ["http://schemas.xmlsoap.org/soap/encoding/", "soapenc"],
  ["http://www.w3.org/2003/05/soap-encoding", "soapenc"],
  ["http://www.w3.org/XML/1998/namespace", "xml"],
]);

/** Attributes of the outermost element besides its own. */
export interface Outermost {
  /** SOAP's rules of encoding, with the namespace of the envelope. */
  readonly encoding?: { readonly envelope: string; readonly style: string };
}

/**
 * @param which the text of a mapping, or what comes of it in the examples
 * @example memberXml(member, filled, "template") === '<m:Check xmlns:m="urn:a">\n  <m:Sender>${sender}</m:Sender>\n</m:Check>'
 */
export function memberXml(
  member: Member,
  value: Filled,
  which: "template" | "sample",
  outermost: Outermost = {},
): string {
  const writer = new Writer(which);
  const lines = writer.element(member, value, "");
  const declarations = [...writer.prefixes]
    .filter(([, prefix]) => prefix !== "xml")
    .map(([namespace, prefix]) => ` xmlns:${prefix}="${attributeText(namespace)}"`);
  const { encoding } = outermost;
  if (encoding !== undefined) {
    declarations.push(` xmlns:env="${encoding.envelope}" env:encodingStyle="${encoding.style}"`);
  }
  const [first = "", ...rest] = lines;
  return [first.replace(/^<[^\s/>]+/, (tag) => tag + declarations.join("")), ...rest].join("\n");
}

class Writer {
  /** By namespace. */
  readonly prefixes = new Map<string, string>();
  readonly #which: "template" | "sample";

  constructor(which: "template" | "sample") {
    this.#which = which;
  }

  element(member: Member, value: Filled, indent: string): string[] {
    if (value.kind === "list") return value.items.flatMap((item) => this.element(member, item, indent));
    const tag = this.#name(member);
    const type = member.xml?.type;
    const own =
      type === undefined
        ? ""
        : ` ${this.#prefix(XSI)}:type="${type.namespace === "" ? "" : `${this.#prefix(type.namespace)}:`}${type.name}"`;
    if (value.kind === "value") return [`${indent}<${tag}${own}>${this.#text(value)}</${tag}>`];
    if (value.kind === "map") return [`${indent}<${tag}${own}/>`];
    const attributes = value.members
      .filter(({ member: inner }) => inner.xml?.attribute)
      .map(({ member: inner, value: content }) => ` ${this.#name(inner)}="${this.#attribute(content)}"`)
      .join("");
    const start = `${indent}<${tag}${own}${attributes}`;
    if (value.text !== undefined) return [`${start}>${this.#text(value.text)}</${tag}>`];
    const children = value.members
      .filter(({ member: inner }) => !inner.xml?.attribute)
      .flatMap(({ member: inner, value: content }) => this.element(inner, content, `${indent}  `));
    return children.length === 0 ? [`${start}/>`] : [`${start}>`, ...children, `${indent}</${tag}>`];
  }

  #name({ name, xml }: Member): string {
    return xml === undefined || xml.namespace === "" ? name : `${this.#prefix(xml.namespace)}:${name}`;
  }

  #prefix(namespace: string): string {
    const known = this.prefixes.get(namespace) ?? KNOWN.get(namespace);
    const own = [...this.prefixes.values()].filter((prefix) => /^m\d*$/.test(prefix)).length;
    const prefix = known ?? (own === 0 ? "m" : `m${own + 1}`);
    this.prefixes.set(namespace, prefix);
    return prefix;
  }

  #text(value: FilledValue): string {
    if (this.#which === "template") return literalParts(String(value.template), elementText);
    return elementText(value.sample === null ? "" : String(value.sample));
  }

  #attribute(value: Filled): string {
    if (value.kind !== "value") return "";
    if (this.#which === "template") return literalParts(String(value.template), attributeText);
    return attributeText(String(value.sample ?? ""));
  }
}

/** An expression stays as it is: it is taken out before the XML is read. */
function literalParts(template: string, escaped: (text: string) => string): string {
  return /^\$\{.*\}$/s.test(template) ? template : escaped(template);
}

function elementText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function attributeText(text: string): string {
  return elementText(text).replaceAll('"', "&quot;").replaceAll("\n", "&#10;").replaceAll("\t", "&#9;");
}
