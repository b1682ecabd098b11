/**
 * `json:` of a mapping's request: a YAML value with `${…}` in its strings, compiled to JSON text with gaps.
 *
 * A string that is one expression and nothing else keeps the expression's type. With `omit_empty`, what an expression
 * left an empty string is left out, then the objects and arrays that this leaves with nothing.
 */

import type { Template } from "../../expression/template.ts";
import { toJson } from "../../expression/text.ts";
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
import { jsonStringText } from "./escape.ts";

/** Deeper YAML than anyone writes. */
const MAX_DEPTH = 100;

export function compileJson(
  value: unknown,
  path: Path,
  context: CompileContext,
  omitEmpty: boolean,
  names: Names,
): Render {
  if (omitEmpty) {
    const node = sparseNode(value, path, context, names);
    return (variables) => node(variables) ?? emptyValue(value);
  }
  return concatenate(jsonPieces(value, path, context, names));
}

function emptyValue(value: unknown): string {
  return typeof value === "string" ? '""' : Array.isArray(value) ? "[]" : "{}";
}

function jsonPieces(value: unknown, path: Path, context: CompileContext, names: Names): (string | Render)[] {
  if (tooDeep(path, context)) return [];
  if (typeof value === "string") return stringPieces(compileText(value, path, context, names), path);
  if (typeof value !== "object" || value === null) return [scalarJson(value, path, context)];
  const list = Array.isArray(value);
  const pieces: (string | Render)[] = [list ? "[" : "{"];
  for (const [index, [key, prefix, item]] of members(value, path, context).entries()) {
    if (index > 0) pieces.push(",");
    pieces.push(prefix, ...jsonPieces(item, [...path, key], context, names));
  }
  pieces.push(list ? "]" : "}");
  return pieces;
}

/** The text before each member, `"name":` in an object and nothing in an array, and its value. */
function members(
  value: object,
  path: Path,
  context: CompileContext,
): (readonly [key: string | number, prefix: string, item: unknown])[] {
  if (Array.isArray(value)) return value.map((item: unknown, index) => [index, "", item]);
  return Object.entries(value).map(([key, item]: [string, unknown]) => {
    const name = key.includes("${") ? compileLiteral(key, "a JSON key", [...path, key], context) : key;
    return [key, `${JSON.stringify(name ?? key)}:`, item];
  });
}

function stringPieces(template: Template | null, path: Path): (string | Render)[] {
  if (template === null) return [];
  if (template.literal !== null) return [JSON.stringify(template.literal)];
  if (template.whole !== null) return [renderValue(template.whole, path, toJson)];
  return ['"', ...templatePieces(template, path, jsonStringText, jsonStringText), '"'];
}

function scalarJson(value: unknown, path: Path, context: CompileContext): string {
  if (value === null || value === undefined) return "null";
  if (typeof value === "boolean" || typeof value === "bigint") return String(value);
  if (typeof value === "number" && Number.isFinite(value)) return JSON.stringify(value);
  context.report(path, `${String(value)} cannot be written as JSON; put it in quotes to send it as text`);
  return "null";
}

function tooDeep(path: Path, context: CompileContext): boolean {
  if (path.length <= MAX_DEPTH) return false;
  context.report(path, `this is nested more than ${MAX_DEPTH} levels deep`);
  return true;
}

/** JSON text, or null for what is left out. */
type Sparse = (variables: Variables) => string | null;

function sparseNode(value: unknown, path: Path, context: CompileContext, names: Names): Sparse {
  if (typeof value === "string") {
    const template = compileText(value, path, context, names);
    const render = concatenate(stringPieces(template, path));
    if (template === null || template.literal !== null) return render;
    return (variables) => {
      const text = render(variables);
      return text === '""' ? null : text;
    };
  }
  if (typeof value !== "object" || value === null || tooDeep(path, context)) {
    return concatenate(jsonPieces(value, path, context, names));
  }
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  const nodes = members(value, path, context).map(
    ([key, prefix, item]) => [prefix, sparseNode(item, [...path, key], context, names)] as const,
  );
  // What the mapping itself wrote empty stays.
  if (nodes.length === 0) return () => open + close;
  return (variables) => {
    let text = "";
    for (const [prefix, node] of nodes) {
      const item = node(variables);
      if (item !== null) text += `${text === "" ? "" : ","}${prefix}${item}`;
    }
    return text === "" ? null : open + text + close;
  };
}
