/** The library's errors in words for a mail administrator, on one line and without its drawings. */
import {
  EvaluationError as CelEvaluationError,
  TypeError as CelTypeError,
  ParseError,
} from "@marcbachmann/cel-js";
import { suggestion } from "../text/nearest.ts";
import { oneLine } from "../text/one-line.ts";
import { environmentOf } from "./environment.ts";
import { EvaluationError, ExpressionError } from "./error.ts";
import { type Scope, variableTypes } from "./scope.ts";

const TOKENS: Readonly<Record<string, string>> = {
  EOF: "the end",
  NUMBER: "a number",
  STRING: "a string",
  IDENTIFIER: "a name",
  LPAREN: "(",
  RPAREN: ")",
  LBRACKET: "[",
  RBRACKET: "]",
  LBRACE: "{",
  RBRACE: "}",
  DOT: ".",
  COMMA: ",",
  COLON: ":",
  QUESTION: "?",
  EQ: "==",
  NE: "!=",
  LT: "<",
  LE: "<=",
  GT: ">",
  GE: ">=",
  AND: "&&",
  OR: "||",
  NOT: "!",
  IN: "in",
  PLUS: "+",
  MINUS: "-",
  MULTIPLY: "*",
  DIVIDE: "/",
  MODULO: "%",
};

/** An error of parsing or type checking `text`. */
export function explainCompile(error: unknown, text: string, scope: Scope): ExpressionError {
  if (error instanceof ExpressionError) return error;
  if (error instanceof ParseError || error instanceof CelTypeError) {
    const offset = error.range?.start ?? 0;
    const message = unexpectedWord(error, text.slice(0, offset), text.slice(offset));
    return new ExpressionError(oneLine(message ?? compileMessage(error, scope)), offset);
  }
  return new ExpressionError(oneLine(error instanceof Error ? error.message : String(error)), 0);
}

function compileMessage({ code, summary }: ParseError | CelTypeError, scope: Scope): string {
  switch (code) {
    case "unknown_variable":
      return unknownName(summary.slice(summary.lastIndexOf(" ") + 1), scope);
    case "no_matching_overload":
      return unknownFunction(summary, scope);
    case "no_such_overload":
      return `${summary.replace("no such overload: ", "")} cannot be worked out: the types do not fit${typeHint(summary)}`;
    case "invalid_macro_argument":
      return summary.startsWith("has()")
        ? "has() takes a path of names, such as has(body.user.name)"
        : summary;
    case "unexpected_character":
      return `${summary}${characterHint(summary)}`;
    case "incompatible_ternary_branches":
      return `${summary}; wrap one in dyn( )`;
    default:
      return summary.replace(/\b[A-Z]{2,}\b/g, (token) => TOKENS[token] ?? token);
  }
}

const OPERATORS: Readonly<Record<string, string>> = { and: "&&", or: "||", is: "==", eq: "==", ne: "!=" };

/** Where a word stands that CEL does not have, the library speaks of its last letter. */
function unexpectedWord(
  { code }: ParseError | CelTypeError,
  before: string,
  rest: string,
): string | undefined {
  const word = /^[A-Za-z_]\w*/.exec(rest)?.[0];
  if (code !== "unexpected_character" || word === undefined) return undefined;
  if (/\bnot\s+$/i.test(before)) return "CEL has no `not`; write !( ) around what is denied";
  const operator = OPERATORS[word.toLowerCase()];
  return `the word "${word}" cannot stand here${operator === undefined ? "" : `; write ${operator}`}`;
}

function unknownName(name: string, scope: Scope): string {
  const constant = name.toLowerCase();
  if (constant === "true" || constant === "false" || constant === "null") {
    return `there is no attribute or variable "${name}"; write ${constant}`;
  }
  if (scope.kind === "request" && variableTypes("response").has(name)) {
    return `"${name}" belongs to the reply and is known in response rules only`;
  }
  const known = variableTypes(scope.kind);
  if (scope.kind !== "request" && scope.kind !== "response" && variableTypes("request").has(name)) {
    return `"${name}" belongs to a policy request; here is only ${[...known.keys()].join(", ")}`;
  }
  return `there is no attribute or variable "${name}"${suggestion(name, known.keys())}`;
}

function unknownFunction(summary: string, scope: Scope): string {
  const call = /'(?:.*\.)?(\w+)\((.*)\)'$/.exec(summary);
  const name = call?.[1] ?? "";
  const known = new Set(
    environmentOf(scope.kind)
      .getDefinitions()
      .functions.map((definition) => definition.name),
  );
  if (known.has(name)) return `${name}() does not take these arguments: ${call?.[0] ?? summary}`;
  return `there is no function "${name}"${suggestion(name, known)}`;
}

function typeHint(summary: string): string {
  return /\bint\b/.test(summary) && /\bstring\b/.test(summary) ? "; an int is written without quotes" : "";
}

function characterHint(summary: string): string {
  if (summary.includes("=")) return "; to compare, write ==";
  if (summary.includes("&")) return "; write && for and";
  if (summary.includes("|")) return "; write || for or";
  if (/[\u2018-\u201f\u00ab\u00bb]/.test(summary)) return "; strings are in straight quotes, \" or '";
  return "";
}

const MAX_EXCERPT = 80;

/** An error of evaluation: what is missing or does not fit, in the expression's own words. */
export function explainEvaluation(error: unknown): EvaluationError {
  if (error instanceof EvaluationError) return error;
  if (!(error instanceof CelEvaluationError)) {
    return new EvaluationError(error instanceof Error ? error.message : String(error));
  }
  const { node } = error;
  const source = node === undefined ? "" : node.input.slice(node.start, node.end);
  const excerpt = source.length > MAX_EXCERPT ? `${source.slice(0, MAX_EXCERPT)}…` : source;
  if (excerpt === "") return new EvaluationError(error.summary);
  if (error.code === "no_such_key" || error.code === "index_out_of_bounds") {
    return new EvaluationError(`${excerpt} is missing`);
  }
  return new EvaluationError(`${error.summary}, in: ${excerpt}`);
}
