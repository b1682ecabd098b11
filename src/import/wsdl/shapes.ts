/** XML Schema's elements and types as shapes. What goes round in a circle, or too deep, is open. */
import type { XmlElement } from "../../mapping/xml.ts";
import { excerpt } from "../../text/excerpt.ts";
import {
  type Member,
  type ObjectShape,
  OPEN,
  type Shape,
  type ValueShape,
  type XmlMember,
} from "../shape.ts";
import { attributeOf, childOf, childrenOf, elementProblem, keyOf, type QName, qnameOf } from "./elements.ts";
import { type Declaration, type Kind, type Schema, type Schemas, XSD } from "./schemas.ts";

const SOAP_ENCODINGS: ReadonlySet<string> = new Set([
  "http://schemas.xmlsoap.org/soap/encoding/",
  "http://www.w3.org/2003/05/soap-encoding",
]);
const WSDL = "http://schemas.xmlsoap.org/wsdl/";

/** Elements within each other. */
const DEEPEST = 12;
/** Members of one message, all in all. */
const MOST_MEMBERS = 2000;
/** Sequences, groups and the like with them: groups of groups multiply. */
const MOST_PARTICLES = 20_000;

export class XsdShapes {
  readonly #schemas: Schemas;
  /** Whether types are written with the elements (rpc/encoded). */
  readonly #encoded: boolean;
  #members = 0;
  #particles = 0;
  readonly #open: string[] = [];

  constructor(schemas: Schemas, encoded: boolean) {
    this.#schemas = schemas;
    this.#encoded = encoded;
  }

  /** An element that a message names. */
  element(name: QName, from: Declaration): Member {
    const { schema, element } = this.#find("element", name, from);
    return this.#elementMember(schema, element, schema.namespace, true, 0);
  }

  /** An element of this name with a type that a message names. */
  part(name: string, type: QName, namespace: string, from: Declaration): Member {
    const shape = this.#type(type, from, 0);
    const xml: XmlMember = { namespace, attribute: false, ...(this.#encoded ? { type } : {}) };
    return { name, required: true, shape, xml };
  }

  #find(kind: Kind, name: QName, { schema, element }: Declaration): Declaration {
    // A schema without a namespace that was included in one with: its own names are that one's.
    const found =
      this.#schemas.find(kind, name) ??
      (name.namespace === ""
        ? this.#schemas.find(kind, { ...name, namespace: schema.namespace })
        : undefined);
    if (found !== undefined) return found;
    const unread = this.#schemas.unread.slice(0, 3).join("; ");
    const why = unread === "" ? "" : `; perhaps in a schema that was not read: ${unread}`;
    throw elementProblem(
      schema.xml,
      element,
      `expected the ${kind} "${excerpt(name.name)}" of namespace "${excerpt(name.namespace)}", which no schema declares${why}`,
    );
  }

  #elementMember(
    schema: Schema,
    element: XmlElement,
    namespace: string,
    required: boolean,
    depth: number,
  ): Member {
    const name = attributeOf(element, "name") ?? "";
    const repeated = !/^[01]?$/.test(attributeOf(element, "maxOccurs") ?? "");
    const written = attributeOf(element, "type");
    const type = written === undefined ? undefined : qnameOf(element, written);
    const shape = this.#elementShape(schema, element, depth);
    const description = documentation(element);
    return {
      name,
      required: required && attributeOf(element, "minOccurs") !== "0",
      shape: repeated ? { kind: "list", item: shape } : shape,
      xml: { namespace, attribute: false, ...(this.#encoded && type !== undefined ? { type } : {}) },
      ...(description === "" ? {} : { description }),
    };
  }

  #elementShape(schema: Schema, element: XmlElement, depth: number): Shape {
    const from = { schema, element };
    const fixed = attributeOf(element, "fixed");
    const type = attributeOf(element, "type");
    const shape =
      type !== undefined
        ? this.#type(qnameOf(element, type), from, depth)
        : this.#inlineType(schema, element, depth);
    return fixed !== undefined && shape.kind === "value"
      ? { ...shape, values: [fixed], example: fixed }
      : shape;
  }

  #inlineType(schema: Schema, element: XmlElement, depth: number): Shape {
    const complex = childOf(element, XSD, "complexType");
    if (complex !== undefined) return this.#complex(schema, complex, depth);
    const simple = childOf(element, XSD, "simpleType");
    return simple === undefined ? OPEN : this.#simple(schema, simple, depth);
  }

  #type(name: QName, from: Declaration, depth: number): Shape {
    if (name.namespace === XSD) return name.name === "anyType" ? OPEN : builtIn(name.name);
    if (SOAP_ENCODINGS.has(name.namespace)) {
      return name.name === "Array" ? { kind: "list", item: OPEN } : builtIn(name.name);
    }
    const found = this.#find("type", name, from);
    const key = keyOf({ namespace: found.schema.namespace, name: name.name });
    if (depth > DEEPEST || this.#open.includes(key)) return OPEN;
    this.#open.push(key);
    try {
      return found.element.name === "simpleType"
        ? this.#simple(found.schema, found.element, depth)
        : this.#complex(found.schema, found.element, depth);
    } finally {
      this.#open.pop();
    }
  }

  #simple(schema: Schema, type: XmlElement, depth: number): Shape {
    const restriction = childOf(type, XSD, "restriction");
    // A list or union of other types is text.
    if (restriction === undefined) return builtIn("string");
    const base = attributeOf(restriction, "base");
    const inner =
      base === undefined
        ? this.#inlineType(schema, restriction, depth + 1)
        : this.#type(qnameOf(restriction, base), { schema, element: restriction }, depth + 1);
    const values = childrenOf(restriction, XSD, "enumeration").map(
      (value) => attributeOf(value, "value") ?? "",
    );
    if (inner.kind !== "value" || values.length === 0) return inner;
    return { ...inner, values, example: values[0] ?? inner.example };
  }

  #complex(schema: Schema, type: XmlElement, depth: number): Shape {
    const simple = childOf(type, XSD, "simpleContent");
    const complex = childOf(type, XSD, "complexContent");
    const content = simple ?? complex;
    const derivation =
      content && (childOf(content, XSD, "extension") ?? childOf(content, XSD, "restriction"));
    if (derivation === undefined) return this.#object(schema, [type], depth);
    const base = qnameOf(derivation, attributeOf(derivation, "base") ?? "");
    const from = { schema, element: derivation };
    if (SOAP_ENCODINGS.has(base.namespace) && base.name === "Array")
      return this.#array(schema, derivation, depth);
    if (derivation.name === "restriction" && simple === undefined)
      return this.#object(schema, [derivation], depth);
    const inherited =
      base.namespace === XSD && base.name === "anyType" ? undefined : this.#type(base, from, depth + 1);
    const own = this.#object(schema, [derivation], depth);
    if (inherited?.kind === "value") return { ...own, text: inherited };
    if (inherited?.kind !== "object") return own;
    return {
      ...own,
      members: [...inherited.members, ...own.members],
      ...(inherited.text ? { text: inherited.text } : {}),
    };
  }

  /** SOAP 1.1 §5.4.2: the type of its items is an attribute of WSDL's, or stands with an element. */
  #array(schema: Schema, restriction: XmlElement, depth: number): Shape {
    const attribute = childrenOf(restriction, XSD, "attribute").find(
      (item) => attributeOf(item, "arrayType", WSDL) !== undefined,
    );
    if (attribute === undefined) return { kind: "list", item: OPEN };
    const written = (attributeOf(attribute, "arrayType", WSDL) ?? "").replace(/\[[\d,]*\]$/, "");
    const type = qnameOf(attribute, written);
    const item = this.#type(type, { schema, element: attribute }, depth + 1);
    const xml: XmlMember = { namespace: "", attribute: false, ...(this.#encoded ? { type } : {}) };
    return {
      kind: "object",
      members: [{ name: "item", required: true, shape: { kind: "list", item }, xml }],
    };
  }

  #object(schema: Schema, holders: readonly XmlElement[], depth: number): ObjectShape {
    const members: Member[] = [];
    for (const holder of holders) this.#collect(schema, holder, true, depth, members);
    return { kind: "object", members };
  }

  /** The members of a sequence, choice, group and the like. */
  #collect(schema: Schema, holder: XmlElement, required: boolean, depth: number, members: Member[]): void {
    for (const child of childrenOf(holder, XSD)) {
      if (this.#members > MOST_MEMBERS || this.#particles++ > MOST_PARTICLES) return;
      const needed = required && attributeOf(child, "minOccurs") !== "0";
      switch (child.name) {
        case "element":
          this.#members++;
          members.push(this.#particle(schema, child, required, depth));
          break;
        case "sequence":
        case "all":
          this.#collect(schema, child, needed, depth, members);
          break;
        case "choice":
          this.#choice(schema, child, needed, depth, members);
          break;
        case "group":
        case "attributeGroup": {
          const ref = attributeOf(child, "ref");
          if (ref === undefined || depth > DEEPEST) break;
          const found = this.#find(child.name, qnameOf(child, ref), { schema, element: child });
          this.#collect(found.schema, found.element, needed, depth + 1, members);
          break;
        }
        case "attribute":
          if (attributeOf(child, "use") !== "prohibited") members.push(this.#attribute(schema, child, depth));
          break;
      }
    }
  }

  #particle(schema: Schema, element: XmlElement, required: boolean, depth: number): Member {
    const ref = attributeOf(element, "ref");
    if (ref === undefined) {
      const form = attributeOf(element, "form");
      const qualified = form === undefined ? schema.qualifiedElements : form === "qualified";
      if (depth > DEEPEST) return openMember(element);
      return this.#elementMember(schema, element, qualified ? schema.namespace : "", required, depth + 1);
    }
    const found = this.#find("element", qnameOf(element, ref), { schema, element });
    const key = `element ${keyOf({ namespace: found.schema.namespace, name: attributeOf(found.element, "name") ?? "" })}`;
    const closed = depth > DEEPEST || this.#open.includes(key);
    this.#open.push(key);
    try {
      const member = closed
        ? openMember(found.element)
        : this.#elementMember(found.schema, found.element, found.schema.namespace, required, depth + 1);
      const repeated = !/^[01]?$/.test(attributeOf(element, "maxOccurs") ?? "");
      return {
        ...member,
        required: required && !closed && attributeOf(element, "minOccurs") !== "0",
        shape: repeated ? { kind: "list", item: member.shape } : member.shape,
      };
    } finally {
      this.#open.pop();
    }
  }

  /** The first alternative must be there; the others may be. */
  #choice(schema: Schema, choice: XmlElement, required: boolean, depth: number, members: Member[]): void {
    const alternatives: Member[] = [];
    this.#collect(schema, choice, required, depth, alternatives);
    members.push(
      ...alternatives.map((member, index) => (index === 0 ? member : { ...member, required: false })),
    );
  }

  #attribute(schema: Schema, attribute: XmlElement, depth: number): Member {
    const ref = attributeOf(attribute, "ref");
    const use = attributeOf(attribute, "use");
    const required = use === "required";
    if (ref !== undefined) {
      const name = qnameOf(attribute, ref);
      const found = this.#schemas.find("attribute", name);
      const shape =
        found === undefined ? builtIn("string") : this.#elementShape(found.schema, found.element, depth + 1);
      return { name: name.name, required, shape, xml: { namespace: name.namespace, attribute: true } };
    }
    const form = attributeOf(attribute, "form");
    const qualified = form === undefined ? schema.qualifiedAttributes : form === "qualified";
    const shape = this.#elementShape(schema, attribute, depth + 1);
    return {
      name: attributeOf(attribute, "name") ?? "",
      required,
      shape: shape.kind === "open" ? builtIn("string") : shape,
      xml: { namespace: qualified ? schema.namespace : "", attribute: true },
    };
  }
}

/** Of a circle: what could go on without end is left out. */
function openMember(element: XmlElement): Member {
  return {
    name: attributeOf(element, "name") ?? "",
    required: false,
    shape: OPEN,
    xml: { namespace: "", attribute: false },
  };
}

function documentation(element: XmlElement): string {
  const annotation = childOf(element, XSD, "annotation");
  const text = annotation && childOf(annotation, XSD, "documentation");
  return (
    text?.children
      .filter((child) => typeof child === "string")
      .join("")
      .trim() ?? ""
  );
}

const INTEGERS =
  /^(?:int|integer|long|short|byte|nonNegativeInteger|positiveInteger|nonPositiveInteger|negativeInteger|unsigned(?:Int|Long|Short|Byte))$/;

const EXAMPLES: Readonly<Record<string, string | number>> = {
  positiveInteger: 1,
  negativeInteger: -1,
  dateTime: "2026-01-01T00:00:00Z",
  date: "2026-01-01",
  time: "00:00:00Z",
  duration: "PT1S",
  anyURI: "urn:example",
  base64Binary: "eA==",
  hexBinary: "78",
  QName: "name",
  language: "en",
  gYear: "2026",
};

/** A type of XML Schema's own (XML Schema part 2). */
function builtIn(name: string): ValueShape {
  const type =
    name === "boolean"
      ? "boolean"
      : INTEGERS.test(name)
        ? "integer"
        : /^(?:decimal|float|double)$/.test(name)
          ? "number"
          : "text";
  const example = EXAMPLES[name] ?? { boolean: true, integer: 0, number: 0, text: "string" }[type];
  return { kind: "value", type, typeName: `xsd:${name}`, values: [], example };
}
