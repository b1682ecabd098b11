/**
 * How much an expression may do. `exists` within `exists` over two lists of a reply takes as long as their lengths
 * multiplied, and nobody else is served meanwhile; cel-js has no limit for that.
 *
 * Counted is what runs again and again: each node within the body of `exists`, `all`, `filter`, `map` and `exists_one`,
 * with what it gives by its size, since what is done with that takes longer; and each text that is worked through or
 * written.
 * All expressions over one request, or one reply, share one allowance. Whoever uses it up gets no value, whatever an
 * `||` around it would say.
 */
import type { ASTNode } from "@marcbachmann/cel-js";
import { EvaluationError } from "./error.ts";
import { COMPREHENSIONS, nodesIn } from "./syntax.ts";
import type { Variables } from "./variables.ts";

/** About 10 ms, a step being 100 ns, and twice that before the code is warm; ten thousand recipients, or a thousand of the longest, are looked at in half of it. */
const MAX_STEPS = 100_000;
/** Of a list, map or object so many items take as long as a step, of a text so many characters. */
const ITEMS_PER_STEP = 8;
const CHARACTERS_PER_STEP = 128;
/** The same for what cel-js does character by character. */
const SLOW: ReadonlySet<string> = new Set(["size", "split"]);
const SLOW_PER_STEP = 8;
/** The same for a text that a pattern looks through, and for JSON that is written. */
export const MATCHED_PER_STEP = 16;
export const WRITTEN_PER_STEP = 4;

/** Those of ours that say themselves what they take, wherever they stand. */
const SPENDING: ReadonlySet<string> = new Set(["matches", "json", "urlencode"]);

const TOO_MANY = new EvaluationError(
  `the expressions take more than ${MAX_STEPS} steps; look at less of it, or let the service do that`,
);

/** Used up by what has begun with these variables. */
const used = new WeakMap<Variables, number>();
/** Left for the expression that runs; expressions run one at a time. */
let left = Number.POSITIVE_INFINITY;

/** The part of cel-js's syntax tree that evaluates. A node exchanges its own `evaluate` when it first runs. */
interface EvaluatedNode {
  evaluate(...args: unknown[]): unknown;
}

/** Counts the steps of an expression, once it is compiled; false where it repeats nothing. */
export function countSteps(root: ASTNode): boolean {
  let counts = false;
  function visit(node: ASTNode, repeated: boolean, use: Use, end?: boolean): void {
    if (repeated && node.op !== "value") count(node as unknown as EvaluatedNode, use, end);
    const method = node.op === "rcall" || node.op === "call" ? node.args[0] : "";
    if (node.op === "rcall" && COMPREHENSIONS.has(method)) {
      counts = true;
      const [, receiver, [, ...body]] = node.args;
      visit(receiver, repeated, "whole");
      for (const child of body) visit(child, true, "whole", ENDS.get(method));
      return;
    }
    if (SPENDING.has(method)) counts = true;
    const isAccess = node.op === "." || node.op === ".?" || node.op === "[]" || node.op === "[?]";
    for (const child of nodesIn(node.args))
      visit(child, repeated, isAccess ? "member" : SLOW.has(method) ? "slow" : "whole");
  }
  visit(root, false, "whole");
  return counts;
}

/** What is done with a value: a member of it is looked up, or it is gone through, by a slow function or not. */
type Use = "member" | "whole" | "slow";

/**
 * What ends these at once. They pass over an error and go on with the next item, however many there are; what they give
 * is of no account once there are no steps left.
 */
const ENDS: ReadonlyMap<string, boolean> = new Map([
  ["exists", true],
  ["all", false],
]);

/** @param end what the node gives when there are no steps left, in place of an error */
function count(node: EvaluatedNode, use: Use, end?: boolean): void {
  let evaluate = node.evaluate;
  let first = true;
  const counted = (...args: unknown[]): unknown => {
    try {
      spend(1);
      if (first) node.evaluate = evaluate;
      const value = evaluate.apply(node, args);
      spend(weight(value, use));
      return value;
    } catch (error) {
      if (end !== undefined && left < 0) return end;
      throw error;
    } finally {
      if (first && node.evaluate !== counted) {
        first = false;
        evaluate = node.evaluate;
        node.evaluate = counted;
      }
    }
  };
  node.evaluate = counted;
}

/** In steps: what an operator or function does with a value. */
function weight(value: unknown, use: Use): number {
  if (typeof value === "string") return value.length / (use === "slow" ? SLOW_PER_STEP : CHARACTERS_PER_STEP);
  if (use === "member" || typeof value !== "object" || value === null) return 0;
  return itemsIn(value) / ITEMS_PER_STEP;
}

function itemsIn(value: object): number {
  const items = Array.isArray(value)
    ? value
    : value instanceof Map
      ? [...value.values()]
      : Object.values(value);
  let count = items.length;
  for (const item of items) if (typeof item === "object" && item !== null) count += itemsIn(item);
  return count;
}

/**
 * For a function that takes each character of a text in hand.
 *
 * @throws EvaluationError
 */
export function spendOn(text: string, charactersPerStep: number): void {
  spend(text.length / charactersPerStep);
}

function spend(steps: number): void {
  left -= steps;
  if (left < 0) throw TOO_MANY;
}

/**
 * Runs an expression that counts, with what is left for these variables.
 *
 * @throws EvaluationError when that is not enough, besides what `run` throws
 */
export function withSteps<T>(variables: Variables, run: () => T): T {
  left = MAX_STEPS - (used.get(variables) ?? 0);
  try {
    const value = run();
    if (left < 0) throw TOO_MANY;
    return value;
  } catch (error) {
    throw left < 0 ? TOO_MANY : error;
  } finally {
    used.set(variables, MAX_STEPS - left);
    left = Number.POSITIVE_INFINITY;
  }
}
