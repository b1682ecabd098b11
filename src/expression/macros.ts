/**
 * The functions that need more than their arguments' values: `first` and `list` take what may be missing, `matches` and
 * `ip_in` are compiled when the expression is. All are macros of cel-js, which see the syntax tree.
 */
import { type ASTNode, type Environment, Optional, type TypeDeclaration } from "@marcbachmann/cel-js";
import { parseNetwork } from "./network.ts";
import { cachedPattern, compilePattern } from "./pattern.ts";
import { MATCHED_PER_STEP, spendOn } from "./steps.ts";
import { isEmpty } from "./text.ts";

/** The part of cel-js's type checker that its documentation shows to macros. */
interface Checker {
  check(node: ASTNode, context: unknown): TypeDeclaration;
  getType(name: string): TypeDeclaration;
  createError(code: string, message: string, node: ASTNode): Error;
}

interface Evaluator {
  run(node: ASTNode, context: unknown): unknown;
  tryEval(node: ASTNode, context: unknown): unknown;
  createError(code: string, message: string, node: ASTNode): Error;
}

interface MacroCall {
  readonly args: readonly ASTNode[];
  readonly receiver: ASTNode | null;
}

/** `first(a, b, …)` is registered for each number of arguments up to this, cel-js having no variadic functions. */
const MAX_FIRST = 16;

/** What cel-js calls an access to something that is not there. */
const MISSING = new Set(["no_such_key", "index_out_of_bounds", "optional_value_missing"]);

export function registerMacros(environment: Environment): void {
  for (let count = 1; count <= MAX_FIRST; count++) {
    const parameters = new Array<string>(count).fill("ast").join(", ");
    environment.registerFunction(`first(${parameters}): dyn`, firstMacro);
  }
  environment.registerFunction("list(ast): list<dyn>", listMacro);
  environment.registerFunction("ip_in(ast, ast): bool", networkMacro);
  // cel-js looks a macro up by name and number of arguments alone: this one, on a receiver of its own, takes the place
  // of its `string.matches`, which could not be registered again.
  environment.registerFunction("list.matches(ast): bool", patternMacro);
}

/** The value of an argument that may be missing; undefined if it is. Other errors are thrown. */
function valueOrMissing(evaluator: Evaluator, node: ASTNode, context: unknown): unknown {
  const value = evaluator.tryEval(node, context);
  if (value instanceof Error) {
    if ("code" in value && MISSING.has(String(value.code))) return undefined;
    throw value;
  }
  if (value instanceof Optional) return value.hasValue() ? value.value() : undefined;
  return value;
}

function firstMacro({ args }: MacroCall) {
  return {
    async: false,
    typeCheck(checker: Checker, _macro: unknown, context: unknown) {
      const types = args.map((argument) => checker.check(argument, context));
      return checker.getType(types.every((type) => type.name === "string") ? "string" : "dyn");
    },
    evaluate(evaluator: Evaluator, _macro: unknown, context: unknown) {
      for (const argument of args) {
        const value = valueOrMissing(evaluator, argument, context);
        if (!isEmpty(value)) return value;
      }
      return "";
    },
  };
}

function listMacro({ args }: MacroCall) {
  const argument = args[0] as ASTNode;
  return {
    async: false,
    typeCheck(checker: Checker, _macro: unknown, context: unknown) {
      const type = checker.check(argument, context);
      return type.kind === "list" ? type : checker.getType("list<dyn>");
    },
    evaluate(evaluator: Evaluator, _macro: unknown, context: unknown) {
      const value = valueOrMissing(evaluator, argument, context);
      if (Array.isArray(value)) return value;
      return isEmpty(value) ? [] : [value];
    },
  };
}

/** A macro of two strings whose second is compiled: once if it is a literal, else when it is known. */
function compiledMacro(
  name: string,
  subject: ASTNode,
  source: ASTNode,
  compile: (source: string, literal: boolean) => (subject: string) => boolean,
) {
  let compiled: ((subject: string) => boolean) | null = null;
  function compileAt(text: string, literal: boolean, errors: Pick<Checker, "createError">) {
    try {
      return compile(text, literal);
    } catch (error) {
      const reason = error instanceof Error ? error.message : "it cannot be read";
      throw errors.createError("invalid_argument", `${name}: ${reason}`, source);
    }
  }
  return {
    async: false,
    typeCheck(checker: Checker, _macro: unknown, context: unknown) {
      for (const node of [subject, source]) {
        const type = checker.check(node, context);
        if (type.kind === "dyn" || type.name === "string") continue;
        throw checker.createError("invalid_argument", `${name} takes strings, not ${type.name}`, node);
      }
      if (source.op === "value") compiled = compileAt(String(source.args), true, checker);
      return checker.getType("bool");
    },
    evaluate(evaluator: Evaluator, _macro: unknown, context: unknown) {
      const value = evaluator.run(subject, context);
      if (typeof value !== "string")
        throw evaluator.createError("invalid_argument", `${name} takes strings`, subject);
      if (compiled !== null) return compiled(value);
      const text = evaluator.run(source, context);
      if (typeof text !== "string")
        throw evaluator.createError("invalid_argument", `${name} takes strings`, source);
      return compileAt(text, false, evaluator)(value);
    },
  };
}

function patternMacro({ args, receiver }: MacroCall) {
  return compiledMacro("matches()", receiver as ASTNode, args[0] as ASTNode, (source, literal) => {
    const pattern = literal ? compilePattern(source) : cachedPattern(source);
    return (text) => {
      spendOn(text, MATCHED_PER_STEP);
      return pattern(text);
    };
  });
}

function networkMacro({ args }: MacroCall) {
  return compiledMacro("ip_in()", args[0] as ASTNode, args[1] as ASTNode, (source) => {
    const network = parseNetwork(source);
    if (network === null)
      throw new Error(`"${source}" is no network; write one like 10.0.0.0/8 or 2001:db8::/32`);
    return network;
  });
}
