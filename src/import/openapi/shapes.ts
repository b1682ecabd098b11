/**
 * JSON Schema, as OpenAPI 3.0, 3.1 and Swagger 2.0 have it, as shapes. What goes round in a circle, or too deep, is open.
 */
import { type Member, type ObjectShape, OPEN, type Scalar, type Shape, type ValueShape } from "../shape.ts";
import { type DocumentNode, fieldsOf, identity, items, member, members, textAt } from "./tree.ts";

/** Who reads it: what only the other side sends is left out. */
export type Direction = "call" | "reply";

const DEEPEST = 12;
const MOST_MEMBERS = 2000;
/** Schemas looked at for one message: parts of parts multiply. */
const MOST_SCHEMAS = 20_000;

export function shapeOf(schema: DocumentNode | undefined, direction: Direction): Shape {
  return schema === undefined ? OPEN : new JsonShapes(direction).shape(schema, 0, []);
}

class JsonShapes {
  readonly #direction: Direction;
  #members = 0;
  #schemas = 0;

  constructor(direction: Direction) {
    this.#direction = direction;
  }

  shape(schema: DocumentNode, depth: number, within: readonly string[]): Shape {
    const fields = fieldsOf(schema.value);
    const own = identity(schema);
    if (fields === undefined || depth > DEEPEST || this.#schemas++ > MOST_SCHEMAS || within.includes(own))
      return OPEN;
    const inside = [...within, own];
    const parts = items(member(schema, "allOf"));
    if (parts.length > 0) return this.#all(schema, parts, depth, inside);
    const [alternative] = [...items(member(schema, "oneOf")), ...items(member(schema, "anyOf"))].filter(
      (place) => fieldsOf(place.value)?.type !== "null",
    );
    const type = typeOf(fields);
    if (alternative !== undefined && type === undefined) return this.shape(alternative, depth + 1, inside);
    if (type === "array") {
      const item = member(schema, "items");
      return { kind: "list", item: item === undefined ? OPEN : this.shape(item, depth + 1, inside) };
    }
    if (type === "object") return this.#object(schema, depth, inside);
    return type === undefined && !("enum" in fields) && !("const" in fields)
      ? OPEN
      : valueShape(fields, type);
  }

  #object(schema: DocumentNode, depth: number, within: readonly string[]): Shape {
    const properties = members(member(schema, "properties"));
    const additional = member(schema, "additionalProperties");
    if (properties.length === 0) {
      const inner = fieldsOf(additional?.value);
      return {
        kind: "map",
        value:
          additional === undefined || inner === undefined ? OPEN : this.shape(additional, depth + 1, within),
      };
    }
    const required = new Set(items(member(schema, "required")).map(({ value }) => value));
    const hidden = this.#direction === "call" ? "readOnly" : "writeOnly";
    const found: Member[] = [];
    for (const property of properties) {
      if (fieldsOf(property.value)?.[hidden] === true || this.#members++ > MOST_MEMBERS) continue;
      const description = textAt(property, "description");
      found.push({
        name: property.name,
        required: required.has(property.name),
        shape: this.shape(property, depth + 1, within),
        ...(description === undefined ? {} : { description }),
      });
    }
    return { kind: "object", members: found };
  }

  /** The members of all parts; where a part is no object, the first that says something. */
  #all(
    schema: DocumentNode,
    parts: readonly DocumentNode[],
    depth: number,
    within: readonly string[],
  ): Shape {
    const shapes = parts.map((part) => this.shape(part, depth + 1, within));
    if (member(schema, "properties") !== undefined) shapes.push(this.#object(schema, depth + 1, within));
    const objects = shapes.filter((shape): shape is ObjectShape => shape.kind === "object");
    if (objects.length === 0) return shapes.find(({ kind }) => kind !== "open") ?? OPEN;
    const required = new Set([
      ...items(member(schema, "required")).map(({ value }) => value),
      ...parts.flatMap((part) => items(member(part, "required")).map(({ value }) => value)),
    ]);
    const all = new Map(objects.flatMap((object) => object.members).map((item) => [item.name, item]));
    return {
      kind: "object",
      members: [...all.values()].map((item) => ({
        ...item,
        required: item.required || required.has(item.name),
      })),
    };
  }
}

type Type = "object" | "array" | "string" | "integer" | "number" | "boolean";

const TYPES: ReadonlySet<unknown> = new Set(["object", "array", "string", "integer", "number", "boolean"]);

function typeOf(fields: Readonly<Record<string, unknown>>): Type | undefined {
  const { type } = fields;
  const named = Array.isArray(type) ? type.find((item) => TYPES.has(item)) : type;
  if (TYPES.has(named)) return named as Type;
  if ("properties" in fields || "additionalProperties" in fields) return "object";
  return "items" in fields ? "array" : undefined;
}

function valueShape(fields: Readonly<Record<string, unknown>>, type: Type | undefined): ValueShape {
  const values = ("const" in fields ? [fields.const] : Array.isArray(fields.enum) ? fields.enum : []).filter(
    isScalar,
  );
  const known =
    type ??
    (typeof values[0] === "number" ? "number" : typeof values[0] === "boolean" ? "boolean" : "string");
  const format = typeof fields.format === "string" ? fields.format : "";
  return {
    kind: "value",
    type: known === "integer" || known === "number" || known === "boolean" ? known : "text",
    typeName: format === "" ? known : `${known} (${format})`,
    values,
    example: exampleOf(fields, known, format, values),
  };
}

function isScalar(value: unknown): value is Scalar {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

const FORMATS: Readonly<Record<string, string>> = {
  "date-time": "2026-01-01T00:00:00Z",
  date: "2026-01-01",
  time: "00:00:00Z",
  email: "user@example.org",
  hostname: "host.example.org",
  ipv4: "192.0.2.1",
  ipv6: "2001:db8::1",
  uri: "https://example.org/",
  uuid: "00000000-0000-4000-8000-000000000000",
  byte: "eA==",
};

function exampleOf(
  fields: Readonly<Record<string, unknown>>,
  type: string,
  format: string,
  values: readonly Scalar[],
): Scalar {
  const examples = Array.isArray(fields.examples) ? fields.examples : [];
  const wanted = type === "string" ? "string" : type === "boolean" ? "boolean" : "number";
  const given = [values[0], fields.example, examples[0], fields.default].find(
    (value) => typeof value === wanted,
  );
  if (isScalar(given)) return given;
  if (type === "boolean") return true;
  if (type === "string") {
    const length = Number(fields.minLength ?? 0);
    return FORMATS[format] ?? "string".padEnd(Math.min(length, 200), "x");
  }
  const least = Number(fields.minimum ?? fields.exclusiveMinimum ?? 0);
  return fields.exclusiveMinimum === undefined || fields.exclusiveMinimum === false ? least : least + 1;
}
