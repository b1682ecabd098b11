/**
 * What a description says of a message: a tree of members with their types. The same for XML Schema and JSON Schema, so
 * that what is guessed, asked and written of it is so once.
 */

/** A text, number or bool. */
export interface ValueShape {
  readonly kind: "value";
  readonly type: "text" | "integer" | "number" | "boolean";
  /** As the description calls it, for people: `xsd:dateTime`, `string (email)`. */
  readonly typeName: string;
  /** The only values that it may have; empty where any may be. */
  readonly values: readonly Scalar[];
  /** A value that the description allows. */
  readonly example: Scalar;
}

export type Scalar = string | number | boolean;

export interface ObjectShape {
  readonly kind: "object";
  readonly members: readonly Member[];
  /** Of XML: the text beside its attributes. */
  readonly text?: ValueShape;
  /** Of an alternative that was taken, for people: what the others are. */
  readonly note?: string;
}

interface ListShape {
  readonly kind: "list";
  readonly item: Shape;
}

/** Members whose names the description leaves open. */
interface MapShape {
  readonly kind: "map";
  readonly value: Shape;
}

/** Anything: the description says no more, or goes round in a circle. */
export interface OpenShape {
  readonly kind: "open";
}

export type Shape = ValueShape | ObjectShape | ListShape | MapShape | OpenShape;

export interface Member {
  readonly name: string;
  readonly required: boolean;
  readonly shape: Shape;
  readonly description?: string;
  readonly xml?: XmlMember;
}

/** How a member is written in XML. A member that may be repeated has the shape of a list. */
export interface XmlMember {
  /** Empty for an element or attribute without one. */
  readonly namespace: string;
  readonly attribute: boolean;
  /** Of SOAP encoding: the type that stands with it (`xsi:type`). */
  readonly type?: { readonly namespace: string; readonly name: string };
}

export const OPEN: OpenShape = { kind: "open" };

/** A way into a message: names of members, `[0]` into a list, `*` to a member whose name is open. */
export type Way = readonly Step[];
export type Step = { readonly name: string } | "[0]" | "*";

/** `result.items.decision`, for people and for the names of what is not chosen. */
export function wayName(way: Way): string {
  return way
    .filter((step) => step !== "[0]")
    .map((step) => (step === "*" ? "*" : step.name))
    .join(".");
}
