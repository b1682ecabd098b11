/**
 * Text with `${…}` in it. An expression ends at the first `}` up to which it parses, so that strings and maps in it may
 * hold braces; `$${` is a literal `${`.
 */
import { compileExpression, type Expression, ExpressionError, parses } from "./expression.ts";
import type { Scope } from "./scope.ts";
import { toText } from "./text.ts";
import type { Variables } from "./variables.ts";

/** An expression and where its `${…}` stands in the template's text. */
export interface Slot {
  readonly expression: Expression;
  readonly start: number;
  readonly end: number;
}

export interface Template {
  /** As written. */
  readonly text: string;
  /** The text itself, when it holds no expression. */
  readonly literal: string | null;
  /** The expression, when there is nothing else but white space. */
  readonly whole: Expression | null;
  /** Literal text and expressions, in order; no literal is empty. */
  readonly parts: readonly (string | Slot)[];
  /** The variables that its expressions read. */
  readonly names: ReadonlySet<string>;
  /**
   * The text with its values; `encode` is applied to each value, not to the literal text.
   *
   * @throws EvaluationError
   */
  render(variables: Variables, encode?: (value: string) => string): string;
}

/** So many `}` are tried as an expression's end. */
const MAX_ENDS = 200;

/**
 * @throws ExpressionError with the offset in `text`
 * @example
 * compileTemplate("[${client_address}]", scope).render(variables)   // "[192.0.2.1]"
 */
export function compileTemplate(text: string, scope: Scope): Template {
  const parts = splitTemplate(text, scope).map((part) =>
    typeof part === "string" ? part : { ...part, expression: compileAt(part.source, part.start + 2, scope) },
  );
  return templateOf(text, parts);
}

function templateOf(text: string, parts: readonly (string | Slot)[]): Template {
  const slots = parts.filter((part) => typeof part !== "string");
  const blank = parts.every((part) => typeof part !== "string" || part.trim() === "");
  return {
    text,
    literal: slots.length === 0 ? parts.join("") : null,
    whole: slots.length === 1 && blank ? (slots[0]?.expression ?? null) : null,
    parts,
    names: new Set(slots.flatMap((slot) => [...slot.expression.names])),
    render(variables, encode) {
      let rendered = "";
      for (const part of parts) {
        if (typeof part === "string") {
          rendered += part;
        } else {
          const value = toText(part.expression.evaluate(variables));
          rendered += encode === undefined ? value : encode(value);
        }
      }
      return rendered;
    },
  };
}

function compileAt(source: string, offset: number, scope: Scope): Expression {
  try {
    return compileExpression(source, scope);
  } catch (error) {
    if (error instanceof ExpressionError) throw new ExpressionError(error.message, offset + error.offset);
    throw error;
  }
}

interface Source {
  readonly source: string;
  readonly start: number;
  readonly end: number;
}

function splitTemplate(text: string, scope: Scope): (string | Source)[] {
  const parts: (string | Source)[] = [];
  let literal = "";
  let position = 0;
  while (position < text.length) {
    const dollar = text.indexOf("$", position);
    if (dollar === -1) break;
    literal += text.slice(position, dollar);
    if (text.startsWith("$${", dollar)) {
      literal += "${";
      position = dollar + 3;
    } else if (text.startsWith("${", dollar)) {
      if (literal !== "") parts.push(literal);
      literal = "";
      const end = expressionEnd(text, dollar + 2, scope);
      parts.push({ source: text.slice(dollar + 2, end), start: dollar, end: end + 1 });
      position = end + 1;
    } else {
      literal += "$";
      position = dollar + 1;
    }
  }
  literal += text.slice(position);
  if (literal !== "") parts.push(literal);
  return parts;
}

/** The place of the `}`. Where nothing parses it is the first, so that the error is about the shortest text. */
function expressionEnd(text: string, start: number, scope: Scope): number {
  const first = text.indexOf("}", start);
  if (first === -1) {
    throw new ExpressionError(
      "the expression is not closed: } is missing; a literal ${ is written $${",
      start - 2,
    );
  }
  let end = first;
  for (let tried = 0; end !== -1 && tried < MAX_ENDS; tried++) {
    if (parses(text.slice(start, end), scope)) return end;
    end = text.indexOf("}", end + 1);
  }
  return first;
}
