/** What those who walk an expression's syntax tree need of it. */
import type { ASTNode } from "@marcbachmann/cel-js";

/** Macros that bring a name with them, `exists(r, …)`, and run what follows once for each item. */
export const COMPREHENSIONS: ReadonlySet<string> = new Set(["all", "exists", "exists_one", "map", "filter"]);

/** The nodes among a node's arguments. */
export function nodesIn(args: unknown): ASTNode[] {
  if (Array.isArray(args)) return args.flatMap(nodesIn);
  return typeof args === "object" && args !== null && "op" in args ? [args as ASTNode] : [];
}
