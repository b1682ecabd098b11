/**
 * The commonest expressions as plain functions: an attribute by its name, and its comparison with a literal of the same
 * type. They give what the library would give, which for these can neither fail nor convert.
 */
import type { ASTNode } from "@marcbachmann/cel-js";
import { type ScopeKind, variableTypes } from "./scope.ts";
import type { Variables } from "./variables.ts";

/** The expression as a function, or null where the library is needed. */
export function directFunction(node: ASTNode, kind: ScopeKind): ((variables: Variables) => unknown) | null {
  if (node.op === "id") {
    const name = node.args;
    return scalarType(name, kind) === null ? null : (variables) => variables[name];
  }
  if (node.op !== "==" && node.op !== "!=") return null;
  const [left, right] = node.args;
  if (left.op !== "id" || right.op !== "value") return null;
  const name = left.args;
  const literal = right.args;
  const type = scalarType(name, kind);
  if (
    !(type === "string" && typeof literal === "string") &&
    !(type === "int" && typeof literal === "bigint")
  ) {
    return null;
  }
  return node.op === "=="
    ? (variables) => variables[name] === literal
    : (variables) => variables[name] !== literal;
}

function scalarType(name: string, kind: ScopeKind): "string" | "int" | null {
  const type = variableTypes(kind).get(name);
  return type === "string" || type === "int" ? type : null;
}
