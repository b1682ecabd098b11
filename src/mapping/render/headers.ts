/** `headers:` of a mapping's request: names and values that are the mapping's business (RFC 9110 §5). */
import { toText } from "../../expression/text.ts";
import { isHeaderName, isReservedHeader } from "../../model/header.ts";
import type { Path } from "../../source/position.ts";
import { excerpt } from "../../text/excerpt.ts";
import {
  type CompileContext,
  compileText,
  concatenate,
  type Names,
  type Render,
  templatePieces,
} from "./context.ts";
import { headerText } from "./escape.ts";

export interface CompiledHeader {
  /** In lower case. */
  readonly name: string;
  readonly render: Render;
}

export function compileHeaders(
  headers: Readonly<Record<string, unknown>>,
  path: Path,
  context: CompileContext,
  names: Names,
): CompiledHeader[] {
  const compiled: CompiledHeader[] = [];
  for (const [key, value] of Object.entries(headers)) {
    const at = [...path, key];
    const name = key.toLowerCase();
    const problem = nameProblem(name, compiled) ?? valueProblem(value);
    if (problem !== null) context.report(at, problem);
    else compiled.push({ name, render: compileHeader(toText(value), at, context, names) });
  }
  return compiled;
}

/** Why a mapping cannot set a header of this name, given in lower case; null if it can. */
export function headerNameProblem(name: string): string | null {
  if (!isHeaderName(name)) return `"${excerpt(name)}" is no header name`;
  if (isReservedHeader(name))
    return `the header "${excerpt(name)}" is set by the bridge; a mapping cannot set it`;
  return null;
}

function nameProblem(name: string, others: readonly CompiledHeader[]): string | null {
  const problem = headerNameProblem(name);
  if (problem !== null) return problem;
  if (others.some((other) => other.name === name)) return `the header "${name}" is set twice`;
  return null;
}

function valueProblem(value: unknown): string | null {
  return typeof value === "object" && value !== null ? "a header takes text" : null;
}

function compileHeader(text: string, path: Path, context: CompileContext, names: Names): Render {
  const template = compileText(text, path, context, names);
  if (template === null) return () => "";
  if (template.parts.some((part) => typeof part === "string" && /[\x00-\x1f\x7f]/.test(part))) {
    context.report(path, "a header is one line without control characters");
  }
  return concatenate(templatePieces(template, path, headerText));
}
