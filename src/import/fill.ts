/**
 * A message with its values: of a call with what it is filled with, of a reply with values that the description allows.
 *
 * Of a call: what must be there, and what a name says how to fill. A value that must be there and that nothing is known of is
 * `${attributes["CHOOSE …"]}`, which no policy request has: until somebody chooses, the call cannot be made (`mapping_error`),
 * rather than made with something that the service may take for an answerable question.
 */
import { guessValue } from "./guess-value.ts";
import {
  type Member,
  type ObjectShape,
  type Scalar,
  type Shape,
  type Step,
  type ValueShape,
  type Way,
  wayName,
} from "./shape.ts";

export type Filled = FilledValue | FilledObject | FilledList | FilledMap;

export interface FilledValue {
  readonly kind: "value";
  /** Text of a mapping, with `${…}`; or a value as it is. */
  readonly template: Scalar;
  /** What comes of it in the examples. */
  readonly sample: Scalar | null;
  /** What there is to choose; undefined where nothing is. */
  readonly choice?: string;
}

interface FilledObject {
  readonly kind: "object";
  readonly members: readonly { readonly member: Member; readonly value: Filled }[];
  readonly text?: FilledValue;
  /** What is left out, for people. */
  readonly leftOut: readonly string[];
}

interface FilledList {
  readonly kind: "list";
  readonly items: readonly Filled[];
  readonly choice?: string;
}

interface FilledMap {
  readonly kind: "map";
  readonly members: readonly { readonly name: string; readonly value: Filled }[];
}

/** Names in the attributes of a policy request that Postfix never sends. */
export const UNDECIDED = "CHOOSE";

/** What is found on the way, for the report and for the examples. */
export interface Findings {
  /** `user ← sasl_username` */
  readonly guesses: string[];
  /** Attributes that the examples set, so that the call can be made in them. */
  readonly undecided: Map<string, string>;
}

/** Fills a call. */
export function fillCall(shape: Shape, way: Way, findings: Findings, required = true): Filled | undefined {
  switch (shape.kind) {
    case "value":
      return fillValue(shape, way, findings, required);
    case "object":
      return fillObject(shape, way, findings, required);
    case "list":
      return fillList(shape.item, way, findings, required);
    case "map":
      return required ? { kind: "map", members: [] } : undefined;
    case "open":
      return required ? undecided({ ...TEXT, typeName: "anything" }, way, findings) : undefined;
  }
}

/** What stands for a text of which nothing more is known. */
const DEFAULT_TEXT = "string";
const TEXT: ValueShape = { kind: "value", type: "text", typeName: "text", values: [], example: DEFAULT_TEXT };

function fillValue(
  shape: ValueShape,
  way: Way,
  findings: Findings,
  required: boolean,
): FilledValue | undefined {
  const [only, ...others] = shape.values;
  if (only !== undefined && others.length === 0) {
    return required ? { kind: "value", template: literal(only), sample: only } : undefined;
  }
  const guess = guessValue(namesOf(way), shape);
  if (guess !== undefined) {
    findings.guesses.push(`${wayName(way)} ← ${guess.expression}`);
    return { kind: "value", template: `\${${guess.expression}}`, sample: guess.sample };
  }
  return required ? undecided(shape, way, findings) : undefined;
}

function undecided(shape: ValueShape, way: Way, findings: Findings): FilledValue {
  const name = `${UNDECIDED} ${wayName(way).replace(/[^\w.@-]/g, "_") || "value"}`;
  findings.undecided.set(name, String(shape.example));
  const among = shape.values.length > 0 ? `, one of ${shape.values.slice(0, 12).join(", ")}` : "";
  const given =
    shape.example === DEFAULT_TEXT || shape.values.length > 0 ? "" : `, for example ${shape.example}`;
  return {
    kind: "value",
    template: `\${${conversion(shape.type, `attributes[${JSON.stringify(name)}]`)}}`,
    sample: shape.example,
    choice: `${wayName(way) || "the value"} (${shape.typeName}${among}${given})`,
  };
}

function conversion(type: ValueShape["type"], text: string): string {
  if (type === "integer") return `int(${text})`;
  if (type === "number") return `double(${text})`;
  return type === "boolean" ? `${text} == "true"` : text;
}

function fillObject(
  shape: ObjectShape,
  way: Way,
  findings: Findings,
  required: boolean,
): FilledObject | undefined {
  const members: { member: Member; value: Filled }[] = [];
  const leftOut: string[] = [];
  for (const member of shape.members) {
    const inner = [...way, { name: member.name }];
    const value = fillCall(member.shape, inner, findings, member.required);
    if (value !== undefined) members.push({ member, value });
    else leftOut.push(`${wayName(inner)} (${typeName(member.shape)})`);
  }
  if (!required && members.length === 0) return undefined;
  if (!required && !hasGuess(members.map(({ value }) => value))) {
    // Nothing that is known could go into it: better without than with choices that nobody need make.
    for (const { value } of members) forget(value, findings);
    return undefined;
  }
  const text = shape.text && fillValue(shape.text, way, findings, true);
  return { kind: "object", members, leftOut, ...(text === undefined ? {} : { text }) };
}

function hasGuess(values: readonly Filled[]): boolean {
  return values.some((value) => {
    if (value.kind === "value")
      return (
        value.choice === undefined && typeof value.template === "string" && value.template.includes("${")
      );
    if (value.kind === "list") return hasGuess(value.items);
    return hasGuess(value.members.map((member) => member.value));
  });
}

function forget(value: Filled, findings: Findings): void {
  if (value.kind === "list") for (const item of value.items) forget(item, findings);
  else if (value.kind !== "value") for (const member of value.members) forget(member.value, findings);
  else {
    const name = /attributes\["(CHOOSE [^"]*)"\]/.exec(String(value.template))?.[1];
    if (name !== undefined) findings.undecided.delete(name);
  }
}

function fillList(item: Shape, way: Way, findings: Findings, required: boolean): Filled | undefined {
  const name = namesOf(way).at(-1) ?? "";
  if (item.kind === "value" && item.type === "text" && /^(?:recipients|rcpts)$/i.test(name)) {
    findings.guesses.push(`${wayName(way)} ← recipient`);
    return { kind: "list", items: [{ kind: "value", template: "${recipient}", sample: "bob@example.org" }] };
  }
  const filled = fillCall(item, [...way, "[0]"], findings, required);
  return filled === undefined ? undefined : { kind: "list", items: [filled] };
}

function namesOf(way: Way): string[] {
  return way.flatMap((step) => (typeof step === "string" ? [] : [step.name]));
}

/** A literal in a mapping's text: `${` in it is no expression. */
function literal(value: Scalar): Scalar {
  return typeof value === "string" ? withoutExpressions(value) : value;
}

/** Text of a description for a mapping, in which `${` would begin an expression. */
export function withoutExpressions(text: string): string {
  return text.replaceAll("${", () => "$${");
}

function typeName(shape: Shape): string {
  if (shape.kind === "value") return shape.typeName;
  return { object: "object", list: "list", map: "table", open: "anything" }[shape.kind];
}

/** Deeper examples than anybody reads. */
const DEEPEST = 10;

/**
 * A reply that the description allows: what must be there, and what `chosen` leads to.
 *
 * @param chosen ways with the value at their end
 */
export function fillReply(shape: Shape, chosen: readonly (readonly [Way, Scalar])[], depth = 0): Filled {
  const own = chosen.find(([way]) => way.length === 0);
  switch (shape.kind) {
    case "value":
    case "open": {
      const sample = own?.[1] ?? (shape.kind === "value" ? shape.example : null);
      return { kind: "value", template: "", sample };
    }
    case "list": {
      const inner = within(chosen, "[0]");
      return {
        kind: "list",
        items: inner.length > 0 || depth === 0 ? [fillReply(shape.item, inner, depth + 1)] : [],
      };
    }
    case "map": {
      const inner = within(chosen, "*");
      const members =
        inner.length > 0 ? [{ name: UNDECIDED, value: fillReply(shape.value, inner, depth + 1) }] : [];
      return { kind: "map", members };
    }
    case "object": {
      const members = shape.members.flatMap((member) => {
        const inner = within(chosen, { name: member.xml?.attribute ? `@${member.name}` : member.name });
        const wanted = inner.length > 0 || (member.required && depth < DEEPEST);
        return wanted ? [{ member, value: fillReply(member.shape, inner, depth + 1) }] : [];
      });
      const text =
        shape.text &&
        fillReply(
          shape.text,
          [...within(chosen, { name: "#text" }), ...chosen.filter(([way]) => way.length === 0)],
          depth + 1,
        );
      return { kind: "object", members, leftOut: [], ...(text?.kind === "value" ? { text } : {}) };
    }
  }
}

function within(chosen: readonly (readonly [Way, Scalar])[], step: Step): (readonly [Way, Scalar])[] {
  const same = (other: Step | undefined) =>
    typeof step === "string" || typeof other !== "object" ? step === other : step.name === other.name;
  return chosen.flatMap(([way, value]) => (same(way[0]) ? [[way.slice(1), value] as const] : []));
}

/** The value as JSON, as it comes out in the examples. */
export function sampleOf(filled: Filled): unknown {
  switch (filled.kind) {
    case "value":
      return filled.sample;
    case "list":
      return filled.items.map(sampleOf);
    case "object":
      return Object.fromEntries(filled.members.map(({ member, value }) => [member.name, sampleOf(value)]));
    case "map":
      return Object.fromEntries(filled.members.map(({ name, value }) => [name, sampleOf(value)]));
  }
}
