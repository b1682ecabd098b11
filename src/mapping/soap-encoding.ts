/**
 * What SOAP encoding adds to XML, taken out of a reply (SOAP 1.1 §5, SOAP 1.2 part 2 §3). Services of the rpc/encoded
 * kind, Apache Axis 1 above all, put a value beside the answer and refer to it: `<checkReturn href="#id0"/>` and
 * `<multiRef id="id0">…</multiRef>`.
 *
 * Each reference is replaced by what it refers to, and what stands beside the answer only to be referred to is gone
 * from the Body, so that rules see what the service meant. Only elements to which `encodingStyle` applies are touched:
 * elsewhere `id` and `href` are data. A reference that leads nowhere, to two elements or into itself, or references
 * that make more of a reply than a large one may hold, are an `XmlError`.
 */
import { BYTES_PER_TAG, MAX_DEPTH, type XmlElement, XmlError } from "./xml.ts";

interface Encoding {
  readonly namespace: string;
  /** Where its `id` and its reference are. */
  readonly attributes: string;
  readonly reference: string;
}

const SOAP_11 = "http://schemas.xmlsoap.org/soap/encoding/";
const SOAP_12 = "http://www.w3.org/2003/05/soap-encoding";
const ENCODINGS: readonly Encoding[] = [
  { namespace: SOAP_11, attributes: "", reference: "href" },
  { namespace: SOAP_12, attributes: SOAP_12, reference: "ref" },
];

/** The namespaces of SOAP encoding's own attributes. */
export const SOAP_ENCODINGS: readonly string[] = ENCODINGS.map(({ namespace }) => namespace);

/**
 * The Body of an envelope with nothing of SOAP encoding left in it; the same one where nothing is encoded.
 *
 * @param limit how much may come out of references, in characters
 * @throws XmlError
 */
export function withoutEncoding(envelope: XmlElement, body: XmlElement, limit: number): XmlElement {
  const references = new References(envelope.namespace, limit);
  references.collect(body, references.encodingOf(envelope, null));
  return references.isEmpty ? body : { ...body, children: references.resolveBody(body) };
}

class References {
  readonly #soap: string;
  readonly #limit: number;
  readonly #encoded = new Map<XmlElement, Encoding>();
  /** By id; null where several elements have it. */
  readonly #targets = new Map<string, XmlElement | null>();
  readonly #referred = new Set<string>();
  /** The elements that the walk is in. */
  readonly #open = new Set<XmlElement>();
  #references = 0;
  #copied = 0;

  /** @param soap the namespace of the envelope */
  constructor(soap: string, limit: number) {
    this.#soap = soap;
    this.#limit = limit;
  }

  /** Whether nothing is encoded. */
  get isEmpty(): boolean {
    return this.#encoded.size === 0;
  }

  /** SOAP 1.1 §4.1.1: a list of URIs, empty for none; it holds inside the element until another one says otherwise. */
  encodingOf(element: XmlElement, outer: Encoding | null): Encoding | null {
    const style = attribute(element, this.#soap, "encodingStyle");
    if (style === undefined) return outer;
    const uris = style.split(/\s+/);
    return ENCODINGS.find(({ namespace }) => uris.some((uri) => uri.startsWith(namespace))) ?? null;
  }

  /** Finds what is encoded, what can be referred to, and what is. */
  collect(element: XmlElement, outer: Encoding | null): void {
    const encoding = this.encodingOf(element, outer);
    if (encoding !== null) {
      this.#encoded.set(element, encoding);
      const id = this.#idOf(element);
      if (id !== undefined) this.#targets.set(id, this.#targets.has(id) ? null : element);
      const reference = this.#referenceOf(element);
      if (reference !== undefined) this.#referred.add(reference);
    }
    for (const child of element.children) if (typeof child !== "string") this.collect(child, encoding);
  }

  resolveBody({ children }: XmlElement): XmlElement["children"] {
    const roots = children.filter((child) => {
      const id = typeof child === "string" ? undefined : this.#idOf(child);
      return id === undefined || !this.#referred.has(id);
    });
    return this.#resolveAll(roots, 0);
  }

  #resolveAll(children: XmlElement["children"], depth: number): XmlElement["children"] {
    return children.map((child) => (typeof child === "string" ? child : this.#resolve(child, depth + 1)));
  }

  #resolve(element: XmlElement, depth: number): XmlElement {
    if (depth > MAX_DEPTH)
      throw new XmlError(`with its references it is nested deeper than ${MAX_DEPTH} levels`);
    if (this.#references > 0) this.#count(element);
    if (this.#open.has(element)) throw new XmlError("an element refers to itself, or to one around it");
    this.#open.add(element);
    const reference = this.#referenceOf(element);
    const resolved =
      reference === undefined
        ? {
            ...element,
            attributes: this.#ownAttributes(element),
            children: this.#resolveAll(element.children, depth),
          }
        : this.#follow(element, reference, depth);
    this.#open.delete(element);
    return resolved;
  }

  /** The element with what the other one holds. */
  #follow({ name, namespace, children }: XmlElement, reference: string, depth: number): XmlElement {
    const target = this.#targets.get(reference);
    if (target === undefined) throw new XmlError(`an element refers to "#${reference}", which is not there`);
    if (target === null)
      throw new XmlError(`an element refers to "#${reference}", and several elements have that id`);
    if (children.some((child) => typeof child !== "string" || child.trim() !== ""))
      throw new XmlError("an element that refers to another has content of its own");
    this.#references++;
    const value = this.#resolve(target, depth + 1);
    this.#references--;
    return { ...value, name, namespace };
  }

  /** What is referred to many times, and holds what is, must not grow without end. */
  #count({ attributes, children }: XmlElement): void {
    const texts = [
      ...attributes.map(({ value }) => value),
      ...children.filter((child) => typeof child === "string"),
    ];
    this.#copied += texts.reduce((sum, text) => sum + text.length, BYTES_PER_TAG);
    if (this.#copied > this.#limit)
      throw new XmlError(`its references make more of it than ${this.#limit} characters`);
  }

  #idOf(element: XmlElement): string | undefined {
    const encoding = this.#encoded.get(element);
    return encoding && attribute(element, encoding.attributes, "id");
  }

  /** The id that it refers to in the same message; what is elsewhere (`cid:…`) stays what it is. */
  #referenceOf(element: XmlElement): string | undefined {
    const encoding = this.#encoded.get(element);
    const reference = encoding && attribute(element, encoding.attributes, encoding.reference);
    if (reference === undefined) return undefined;
    if (reference.startsWith("#")) return reference.slice(1);
    // SOAP 1.2 has the bare id there; PHP writes "#" nevertheless.
    return encoding?.namespace === SOAP_12 ? reference : undefined;
  }

  /** Those that are data: values of SOAP encoding are never attributes. */
  #ownAttributes(element: XmlElement): XmlElement["attributes"] {
    const encoding = this.#encoded.get(element);
    return element.attributes.filter(
      ({ name, namespace }) =>
        !(namespace === this.#soap && name === "encodingStyle") &&
        !(
          encoding !== undefined &&
          (namespace === encoding.namespace || (namespace === encoding.attributes && name === "id"))
        ),
    );
  }
}

function attribute(element: XmlElement, namespace: string, name: string): string | undefined {
  return element.attributes.find((each) => each.name === name && each.namespace === namespace)?.value;
}
