/**
 * Where in a reply an expression looks and what for, told from its syntax tree: for messages about replies of another
 * shape. What it works out of a value (`size(…)`, `startsWith(…)`) is a look without anything wanted.
 */
import type { ASTNode } from "@marcbachmann/cel-js";
import { environmentOf } from "./environment.ts";
import { nodesIn } from "./syntax.ts";

/** The variables that the service fills, and that no message tells of yet. */
const ROOTS: ReadonlySet<string> = new Set(["body", "text", "headers"]);

/** `list(x)`: x, or a list of it alone. */
export const AS_LIST = Symbol("list()");
/** `[k]` with what only the run knows: any member. */
export const ANY = Symbol("any");
export type Step = string | number | typeof AS_LIST | typeof ANY;

export interface Wanted {
  /** As written, with its operator where that is not equality: `true`, `"OK"`, `< 0`. */
  readonly text: string;
  /** Undefined where it is no single value. */
  readonly value: string | number | boolean | null | undefined;
}

export interface Look {
  /** The variable, then the way to the value. */
  readonly steps: readonly [string, ...Step[]];
  readonly wanted: readonly Wanted[];
}

/** @param text an expression that was compiled */
export function looksOf(text: string): readonly Look[] {
  const looks: Look[] = [];
  visit(environmentOf("response").parse(text).ast, looks);
  return looks;
}

function visit(node: ASTNode, looks: Look[]): void {
  const path = pathOf(node);
  if (path !== null) {
    looks.push({ steps: path, wanted: [] });
    return;
  }
  const compared = comparison(node);
  if (compared !== null) {
    looks.push(...compared);
    return;
  }
  for (const child of nodesIn(node.args)) visit(child, looks);
}

const ORDERS: ReadonlySet<string> = new Set(["<", "<=", ">", ">="]);

/** Null where it compares no value of the reply with a literal. */
function comparison(node: ASTNode): Look[] | null {
  const equality = node.op === "==" || node.op === "in";
  if (!equality && !ORDERS.has(node.op)) return null;
  const [left, right] = node.args as [ASTNode, ASTNode];
  const literals = node.op === "in" && right.op === "list" ? nodesIn(right.args) : [right];
  const wanted = literals.map((literal) => literalOf(literal, equality ? "" : `${node.op} `));
  const places = alternatives(left);
  if (places.length === 0 || wanted.includes(null)) return null;
  return places.map((steps) => ({ steps, wanted: wanted as Wanted[] }));
}

/** The places that a value may come from: `first(a, b)` looks at two. */
function alternatives(node: ASTNode): Look["steps"][] {
  const path = pathOf(node);
  if (path !== null) return [path];
  if (node.op !== "call" || node.args[0] !== "first") return [];
  return nodesIn(node.args[1]).flatMap(alternatives);
}

function literalOf(node: ASTNode, operator: string): Wanted | null {
  const negative = node.op === "-_" && node.args.op === "value";
  if (node.op !== "value" && !negative) return null;
  const given: unknown = negative ? (node.args as ASTNode).args : node.args;
  const number = typeof given === "bigint" ? Number(given) : given;
  const value = negative && typeof number === "number" ? -number : number;
  const single = typeof value === "string" || typeof value === "boolean" || typeof value === "number";
  const equality = operator === "";
  const text = `${operator}${node.input.slice(node.start, node.end)}`;
  return { text, value: equality && (single || value === null) ? value : undefined };
}

/** The way from a variable of the reply; null where the node is anything else. */
function pathOf(node: ASTNode): Look["steps"] | null {
  if (node.op === "id") return ROOTS.has(node.args) ? [node.args] : null;
  if (node.op === "call" && node.args[0] === "list") return longer(nodesIn(node.args[1])[0], AS_LIST);
  if (node.op === "rcall" && node.args[0] === "orValue") return pathOf(node.args[1]);
  if (node.op !== "." && node.op !== ".?" && node.op !== "[]" && node.op !== "[?]") return null;
  const [object, key] = node.args;
  return longer(object, typeof key === "string" ? key : keyOf(key));
}

function longer(object: ASTNode | undefined, step: Step): Look["steps"] | null {
  const path = object === undefined ? null : pathOf(object);
  return path === null ? null : [...path, step];
}

function keyOf(node: ASTNode): Step {
  if (node.op !== "value") return ANY;
  const key: unknown = node.args;
  if (typeof key === "bigint") return Number(key);
  return typeof key === "string" || typeof key === "number" ? key : ANY;
}
