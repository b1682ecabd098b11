/**
 * Methods of cel-js that do something else than their documentation, or CEL's, says, replaced by ours: it lets none be
 * registered again, so they are registered under another name, which the syntax tree gets before it is checked.
 */
import type { ASTNode, Environment } from "@marcbachmann/cel-js";
import { JSON_LIMIT, JsonError, parseJsonForExpressions } from "./json.ts";
import { nodesIn } from "./syntax.ts";

const REPLACED: ReadonlyMap<string, string> = new Map([
  ["lowerAscii", "asciiToLower"],
  ["upperAscii", "asciiToUpper"],
  ["json", "jsonToValue"],
]);

export function registerReplaced(environment: Environment): void {
  const sync = { async: false };
  environment
    .registerFunction("string.asciiToLower(): string", lowerAscii, sync)
    .registerFunction("string.asciiToUpper(): string", upperAscii, sync)
    .registerFunction("bytes.jsonToValue(): dyn", jsonToValue, sync);
}

/** To be called between parsing and checking. */
export function replaceMethods(node: ASTNode): void {
  if (node.op === "rcall" && node.args[2].length === 0) {
    node.args[0] = REPLACED.get(node.args[0]) ?? node.args[0];
  }
  for (const child of nodesIn(node.args)) replaceMethods(child);
}

/**
 * A to Z in lower case, and nothing else: not every character has one lower case everywhere, and the Kelvin sign's is the
 * letter k.
 */
export function lowerAscii(text: string): string {
  return /^[\x00-\x7f]*$/.test(text) ? text.toLowerCase() : text.replace(/[A-Z]+/g, (a) => a.toLowerCase());
}

function upperAscii(text: string): string {
  return /^[\x00-\x7f]*$/.test(text) ? text.toUpperCase() : text.replace(/[a-z]+/g, (a) => a.toUpperCase());
}

function jsonToValue(bytes: Uint8Array): unknown {
  if (bytes.length > JSON_LIMIT) throw new JsonError(`the JSON is longer than ${JSON_LIMIT} bytes`);
  return parseJsonForExpressions(Buffer.from(bytes).toString());
}
