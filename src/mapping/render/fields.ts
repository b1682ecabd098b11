/**
 * `form:` and `query:` of a mapping's request: names with values, joined by `&`. A list repeats its field. With
 * `omit_empty`, a field that a `${…}` left empty is left out.
 */
import type { Expression } from "../../expression/expression.ts";
import { toText } from "../../expression/text.ts";
import type { Variables } from "../../expression/variables.ts";
import type { Path } from "../../source/position.ts";
import {
  type CompileContext,
  compileLiteral,
  compileText,
  concatenate,
  type Names,
  type Render,
  renderValue,
  templatePieces,
} from "./context.ts";

/** Adds the field, or the fields of a list, to what is there. */
export type Field = (variables: Variables, before: string) => string;

/** How names and values are written: `percentEncode` in a query, `formEncode` in a form. */
type Encode = (value: string) => string;

export interface FieldOptions {
  readonly encode: Encode;
  readonly omitEmpty: boolean;
}

export function compileFields(
  fields: Readonly<Record<string, unknown>>,
  path: Path,
  context: CompileContext,
  options: FieldOptions,
  names: Names,
): Field[] {
  return Object.entries(fields).flatMap(([key, value]) => {
    const at = [...path, key];
    const name = key.includes("${") ? compileLiteral(key, "a name", at, context) : key;
    const prefix = `${options.encode(name ?? key)}=`;
    if (!Array.isArray(value)) return [compileField(prefix, value, at, context, options, names)];
    return value.map((item: unknown, index) =>
      compileField(prefix, item, [...at, index], context, options, names),
    );
  });
}

/** @returns the fields joined by `&`; empty when there is none */
export function joinFields(fields: readonly Field[]): Render {
  return (variables) => {
    let text = "";
    for (const field of fields) text = field(variables, text);
    return text;
  };
}

function compileField(
  prefix: string,
  value: unknown,
  path: Path,
  context: CompileContext,
  options: FieldOptions,
  names: Names,
): Field {
  if (typeof value === "object" && value !== null) {
    context.report(
      path,
      "a field takes text, a number, true, false or a list of these; json(…) sends a map as JSON text",
    );
    return (_variables, before) => before;
  }
  const template = compileText(toText(value), path, context, names);
  if (template === null) return (_variables, before) => before;
  if (template.whole !== null) return wholeField(prefix, template.whole, path, options);
  const render = concatenate(templatePieces(template, path, options.encode, options.encode));
  return textField(prefix, render, options.omitEmpty && template.literal === null);
}

/** A field of text that is escaped already; `optional` leaves it out when the text is empty. */
export function textField(prefix: string, render: Render, optional: boolean): Field {
  return (variables, before) => {
    const text = render(variables);
    if (optional && text === "") return before;
    return `${before}${before === "" ? "" : "&"}${prefix}${text}`;
  };
}

/** A field whose value is one expression, which may give a list. */
export function wholeField(prefix: string, expression: Expression, path: Path, options: FieldOptions): Field {
  const { encode, omitEmpty } = options;
  const render = renderValue(expression, path, (value) => {
    const items = Array.isArray(value) ? value.map(toText) : [toText(value)];
    const kept = omitEmpty ? items.filter((item) => item !== "") : items;
    return kept.map((item) => prefix + encode(item)).join("&");
  });
  return (variables, before) => {
    const text = render(variables);
    return text === "" || before === "" ? before + text : `${before}&${text}`;
  };
}
