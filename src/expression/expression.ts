/**
 * CEL expressions, compiled and type-checked when they are loaded (mappings/README.md, "Expressions").
 *
 * In: the text and the scope that says what it can name. Out: functions of the variables. A mistake in the text throws
 * `ExpressionError`, with the place; a value that cannot be worked out throws `EvaluationError`.
 */
import { type ASTNode, Optional } from "@marcbachmann/cel-js";
import { directFunction } from "./direct.ts";
import { environmentOf } from "./environment.ts";
import { type EvaluationError, ExpressionError } from "./error.ts";
import { explainCompile, explainEvaluation } from "./explain.ts";
import { inspect } from "./inspect.ts";
import { replaceMethods } from "./replaced.ts";
import type { Scope } from "./scope.ts";
import { countSteps, withSteps } from "./steps.ts";
import type { Variables } from "./variables.ts";

export { EvaluationError, ExpressionError } from "./error.ts";

export interface Expression {
  readonly text: string;
  /** Its type in CEL's words; `dyn` where only the run can tell. */
  readonly type: string;
  /** The variables that it reads. */
  readonly names: ReadonlySet<string>;
  /**
   * Its value: a string, bigint (int), number (double), boolean, null, array, Map or plain object. An optional value is
   * what is in it, or null.
   *
   * @throws EvaluationError
   */
  evaluate(variables: Variables): unknown;
}

/** An expression that says yes or no. */
export interface Condition extends Expression {
  /** The error is a value here: a condition that cannot be evaluated is an expected outcome. */
  test(variables: Variables): boolean | EvaluationError;
}

/** Longer expressions are refused. */
const MAX_LENGTH = 10_000;

/**
 * @throws ExpressionError
 * @example
 * compileExpression("domain(recipient)", createScope("request", [])).evaluate(variables)   // "example.org"
 */
export function compileExpression(text: string, scope: Scope): Expression {
  try {
    return compile(text, scope);
  } catch (error) {
    throw explainCompile(error, text, scope);
  }
}

function compile(text: string, scope: Scope): Expression {
  if (text.trim() === "") throw new ExpressionError("the expression is empty", 0);
  if (text.length > MAX_LENGTH)
    throw new ExpressionError(`an expression has at most ${MAX_LENGTH} characters`, 0);
  const program = environmentOf(scope.kind).parse(text);
  const names = inspect(program.ast, scope);
  refuseTypeName(program.ast, names, scope);
  replaceMethods(program.ast);
  const { valid, type = "dyn", error } = program.check();
  if (!valid) throw error;
  const direct = directFunction(program.ast, scope.kind);
  const run = countSteps(program.ast)
    ? (variables: Variables) => evaluate((given) => withSteps(given, () => program(given)), variables)
    : (variables: Variables) => evaluate(program, variables);
  return { text, type, names, evaluate: direct ?? run };
}

/** `list`, `string`, `cel` and the like are values to CEL, but no mail administrator means them. */
function refuseTypeName(root: ASTNode, names: ReadonlySet<string>, scope: Scope): void {
  if (root.op !== "id" || names.has(root.args) || !environmentOf(scope.kind).hasVariable(root.args)) return;
  throw new ExpressionError(`there is no attribute or variable "${root.args}"`, root.start);
}

function evaluate(program: (variables: Variables) => unknown, variables: Variables): unknown {
  try {
    const value = program(variables);
    return value instanceof Optional ? (value.hasValue() ? value.value() : null) : value;
  } catch (error) {
    throw explainEvaluation(error);
  }
}

/**
 * An expression for `when`: its type must be bool, or dynamic and then checked when it runs.
 *
 * @throws ExpressionError
 */
export function compileCondition(text: string, scope: Scope): Condition {
  const expression = compileExpression(text, scope);
  if (expression.type !== "bool" && expression.type !== "dyn") {
    const hint = expression.type.startsWith("optional")
      ? "; add .orValue(false)"
      : "; compare it with something";
    throw new ExpressionError(
      `a condition must be true or false, but this is of type ${expression.type}${hint}`,
      0,
    );
  }
  return { ...expression, test: (variables) => test(expression, variables) };
}

function test(expression: Expression, variables: Variables): boolean | EvaluationError {
  try {
    const value = expression.evaluate(variables);
    if (typeof value === "boolean") return value;
    return explainEvaluation(new Error(`the condition is neither true nor false: ${expression.text}`));
  } catch (error) {
    return explainEvaluation(error);
  }
}

/** Whether a text is an expression by its syntax, whatever it names. */
export function parses(text: string, scope: Scope): boolean {
  try {
    environmentOf(scope.kind).parse(text);
    return true;
  } catch {
    return false;
  }
}
