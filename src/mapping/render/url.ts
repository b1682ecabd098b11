/**
 * `path:` and `query:` of a mapping's request, to the part of the URL below the service's own.
 *
 * A value is escaped as part of one segment: it cannot add `/`, `?` or `#`, nor make a segment `.`, `..` or nothing,
 * which clients and servers resolve away. What is read from `param` alone comes from the administrator and may bring
 * segments of its own: `/v1/data/${param.package}` with `mail/authz`.
 */

import type { Slot, Template } from "../../expression/template.ts";
import type { Path } from "../../source/position.ts";
import { percentEncode } from "../../text/percent.ts";
import {
  type CompileContext,
  compileText,
  concatenate,
  type Names,
  placeName,
  type Render,
  RenderError,
  renderText,
} from "./context.ts";
import { type Field, type FieldOptions, joinFields, textField, wholeField } from "./fields.ts";

type Part = string | Slot;

/** A path without query, and the fields of its query. */
interface CompiledPath {
  readonly render: Render;
  readonly fields: readonly Field[];
}

/** @param queryFields what `query:` adds to a query in the path */
export function compileUrl(
  text: string,
  queryFields: readonly Field[],
  path: Path,
  context: CompileContext,
  options: FieldOptions,
  names: Names,
): Render {
  const compiled = compilePath(text, path, context, options, names);
  const fields = [...(compiled?.fields ?? []), ...queryFields];
  const renderPath = compiled?.render ?? (() => "");
  if (fields.length === 0) return renderPath;
  const renderQuery = joinFields(fields);
  return (variables) => {
    const query = renderQuery(variables);
    return query === "" ? renderPath(variables) : `${renderPath(variables)}?${query}`;
  };
}

function compilePath(
  text: string,
  path: Path,
  context: CompileContext,
  options: FieldOptions,
  names: Names,
): CompiledPath | null {
  const template = compileText(text, path, context, names);
  if (template === null) return null;
  const problem = literalProblem(template);
  if (problem !== null) context.report(path, problem);
  const [before = [], ...queries] = splitParts(template.parts, "?", 1);
  const fields = queries.flatMap((query) =>
    splitParts(query, "&").map((field) => queryField(field, path, options)),
  );
  return { render: renderSegments(before, path, context), fields };
}

/** A mistake in the text around the values, or null. */
function literalProblem({ parts }: Template): string | null {
  const [first] = parts;
  const literal = parts.filter((part) => typeof part === "string").join("");
  if (first !== undefined && (typeof first !== "string" || !/^[/?]/.test(first))) {
    return 'a path begins with "/"; the service\'s own URL comes before it';
  }
  if (literal.includes("#")) return 'a "#" is never sent to a server; write %23';
  if (/%(?![0-9a-fA-F]{2})/.test(literal))
    return 'a "%" in a path begins an escape such as %20; write %25 for the character';
  return null;
}

/** Text of the mapping: what may stand in a URL as it is, `%XX` included, stays. */
function encodeLiteral(text: string): string {
  return text.replace(/[^A-Za-z0-9._~!$&'()*+,;=:@/?%-]+/g, percentEncode);
}

/** Divides at each `separator` in the literal text, `limit` times at most. */
function splitParts(parts: readonly Part[], separator: string, limit = Number.POSITIVE_INFINITY): Part[][] {
  let current: Part[] = [];
  const groups = [current];
  for (const part of parts) {
    if (typeof part !== "string") {
      current.push(part);
      continue;
    }
    let rest = part;
    while (groups.length <= limit && rest.includes(separator)) {
      const at = rest.indexOf(separator);
      if (at > 0) current.push(rest.slice(0, at));
      rest = rest.slice(at + 1);
      current = [];
      groups.push(current);
    }
    if (rest !== "") current.push(rest);
  }
  return groups;
}

function renderSegments(parts: readonly Part[], path: Path, context: CompileContext): Render {
  const segments = splitParts(parts, "/").map((segment, index) => {
    const slash = index === 0 ? "" : "/";
    if (segment.every((part) => typeof part === "string")) {
      const literal = encodeLiteral(segment.join(""));
      if (isDotSegment(literal)) context.report(path, `a path cannot have "${literal}" as a segment`);
      return slash + literal;
    }
    const render = concatenate(
      segment.map((part) =>
        typeof part === "string"
          ? encodeLiteral(part)
          : renderText(part.expression, path, segmentEncoder(part)),
      ),
    );
    const sources = segment
      .map((part) => (typeof part === "string" ? part : `\${${part.expression.text}}`))
      .join("");
    return checkedSegment(render, slash, `${placeName(path)}: the segment ${sources}`);
  });
  return concatenate(segments);
}

function segmentEncoder({ expression: { names } }: Slot): (value: string) => string {
  const ofAdministrator = names.size === 1 && names.has("param");
  return ofAdministrator ? (value) => value.split("/").map(percentEncode).join("/") : percentEncode;
}

function checkedSegment(render: Render, slash: string, place: string): Render {
  return (variables) => {
    const text = render(variables);
    const bad = text.includes("/")
      ? text.split("/").some((segment) => segment === "" || isDotSegment(segment))
      : text === "" || isDotSegment(text);
    if (bad) {
      const what = text === "" ? "is empty" : `is "${text}"`;
      throw new RenderError(`${place} ${what}, which a URL cannot have there; first(…) gives it a default`);
    }
    return slash + text;
  };
}

/** `.` and `..`, also as the WHATWG URL standard spells them. */
export function isDotSegment(segment: string): boolean {
  return /^(?:\.|%2e){1,2}$/i.test(segment);
}

/** `name=value` of a query that stands in the path. */
function queryField(parts: readonly Part[], path: Path, options: FieldOptions): Field {
  const [first, ...rest] = parts;
  const equals = typeof first === "string" ? first.indexOf("=") : -1;
  if (typeof first !== "string" || equals === -1) return textField("", renderQueryText(parts, path), false);
  const prefix = encodeLiteral(first.slice(0, equals + 1));
  const start = first.slice(equals + 1);
  const value = start === "" ? rest : [start, ...rest];
  const [only] = value;
  if (value.length === 1 && typeof only === "object")
    return wholeField(prefix, only.expression, path, options);
  const optional = options.omitEmpty && value.some((part) => typeof part !== "string");
  return textField(prefix, renderQueryText(value, path), optional);
}

function renderQueryText(parts: readonly Part[], path: Path): Render {
  return concatenate(
    parts.map((part) =>
      typeof part === "string" ? encodeLiteral(part) : renderText(part.expression, path, percentEncode),
    ),
  );
}
