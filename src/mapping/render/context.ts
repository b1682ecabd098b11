/**
 * What the compilers of a call's parts share: where mistakes are reported to, how a value that cannot be had or placed
 * is told at request time, and the literal text and values that a part is made of.
 */
import { EvaluationError, type Expression, ExpressionError } from "../../expression/expression.ts";
import type { Scope } from "../../expression/scope.ts";
import { compileTemplate, type Template } from "../../expression/template.ts";
import { toText } from "../../expression/text.ts";
import type { Variables } from "../../expression/variables.ts";
import type { Path } from "../../source/position.ts";
import { PlacementError } from "./escape.ts";

export interface CompileContext {
  readonly scope: Scope;
  /** A mistake in the mapping, at keys and list indices from its top; compiling goes on. `offset` is the place in the text at `path`, if it is one. */
  report(path: Path, message: string, offset?: number): void;
}

/** Thrown while a call is rendered, and made a `mapping_error` by it: no further than that. */
export class RenderError extends Error {}

/** Gives a piece of the call for one policy request. */
export type Render = (variables: Variables) => string;

/** Names that compiled expressions read are added here. */
export type Names = Set<string>;

/** `request.json.items[2].from` */
export function placeName(path: Path): string {
  return path.reduce<string>((name, key) => {
    if (typeof key === "number") return `${name}[${key}]`;
    return name === "" ? key : `${name}.${key}`;
  }, "");
}

/** A template, or null after its mistake has been reported. */
export function compileText(
  text: string,
  path: Path,
  context: CompileContext,
  names: Names,
): Template | null {
  try {
    const template = compileTemplate(text, context.scope);
    for (const name of template.names) names.add(name);
    return template;
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    context.report(path, error.message, error.offset);
    return null;
  }
}

/** Text in which no `${…}` may stand, `$${` resolved; null after the mistake has been reported. */
export function compileLiteral(
  text: string,
  what: string,
  path: Path,
  context: CompileContext,
): string | null {
  const template = compileText(text, path, context, new Set());
  if (template === null || template.literal !== null) return template?.literal ?? null;
  const slot = template.parts.find((part) => typeof part !== "string");
  context.report(path, `\${…} cannot stand in ${what}`, typeof slot === "object" ? slot.start : 0);
  return null;
}

/** The value of an expression, encoded for its place. */
export function renderValue(expression: Expression, path: Path, encode: (value: unknown) => string): Render {
  return (variables) => {
    try {
      return encode(expression.evaluate(variables));
    } catch (error) {
      throw renderError(error, path, expression);
    }
  };
}

/** The same for a value that goes into text. */
export function renderText(expression: Expression, path: Path, encode: (value: string) => string): Render {
  return renderValue(expression, path, (value) => encode(typeof value === "string" ? value : toText(value)));
}

function renderError(error: unknown, path: Path, { text }: Expression): unknown {
  if (error instanceof PlacementError)
    return new RenderError(`${placeName(path)}: the value of \${${text}}: ${error.message}`);
  if (error instanceof EvaluationError) {
    const hint = error.message.endsWith(" is missing") ? "; first(…) gives it a default" : "";
    return new RenderError(`${placeName(path)}: ${error.message}${hint}`);
  }
  return error;
}

/** Pieces one after the other, neighbouring literals made one. */
export function concatenate(pieces: readonly (string | Render)[]): Render {
  const parts: (string | Render)[] = [];
  for (const piece of pieces) {
    const last = parts.at(-1);
    if (typeof piece === "string" && typeof last === "string") parts[parts.length - 1] = last + piece;
    else if (piece !== "") parts.push(piece);
  }
  const [only] = parts;
  if (only === undefined) return () => "";
  if (parts.length === 1) return typeof only === "string" ? () => only : only;
  return (variables) => {
    let text = "";
    for (const part of parts) text += typeof part === "string" ? part : part(variables);
    return text;
  };
}

/** The pieces of a template: its literal text by `literal`, its values by `encode`. */
export function templatePieces(
  template: Template,
  path: Path,
  encode: (value: string) => string,
  literal: (text: string) => string = (text) => text,
): (string | Render)[] {
  return template.parts.map((part) =>
    typeof part === "string" ? literal(part) : renderText(part.expression, path, encode),
  );
}
