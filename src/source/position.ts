/** Where in the text something stands: a path of the data, a key, a character of a scalar's value. */
import { isAlias, isMap, isScalar, isSeq, type Node } from "yaml";
import type { Anchors } from "./data.ts";
import { offsetInScalar } from "./scalar-offset.ts";

export type Path = readonly (string | number)[];

interface Found {
  readonly node: unknown;
  /** The key that leads to the node, if the last step was into a table. */
  readonly key: Node | undefined;
  /** Whether the whole path was there; if not, this is as far as it went. */
  readonly complete: boolean;
}

/**
 * The offset of what `path` leads to: its key if `key` is set, else its value; of a table or list in block
 * form, and of an empty value, the key too, which is what a reader looks for. A path that is not there leads
 * to the innermost part that is.
 *
 * `offset` counts in the scalar's value, escapes and folded lines resolved.
 */
export function locate(
  root: Node | null,
  text: string,
  anchors: Anchors,
  path: Path,
  options: { readonly key?: boolean; readonly offset?: number },
): number {
  const { node, key, complete } = follow(root, anchors, path);
  const start = (node as Node | null)?.range?.[0];
  const ofKey = key?.range?.[0];
  if (complete && options.key !== true && isScalar(node) && start !== undefined) {
    if (options.offset !== undefined) return offsetInScalar(node, text, options.offset);
    if (node.range?.[1] !== start) return start;
  }
  const flow = (isMap(node) || isSeq(node)) && node.flow === true && complete && options.key !== true;
  return (flow ? start : (ofKey ?? start)) ?? 0;
}

function follow(root: Node | null, anchors: Anchors, path: Path): Found {
  let found: Found = { node: root, key: undefined, complete: true };
  for (const step of path) {
    const next = enter(found.node, anchors, step);
    if (next === undefined) return { ...found, complete: false };
    found = next;
  }
  return found;
}

function enter(node: unknown, anchors: Anchors, step: string | number): Found | undefined {
  const target = isAlias(node) ? anchors.get(node.source) : node;
  if (isMap(target)) {
    for (const { key, value } of target.items) {
      if (isScalar(key) && String(key.value ?? "") === String(step))
        return { node: value, key, complete: true };
    }
  }
  if (isSeq(target)) {
    const item = target.items[Number(step)];
    if (item !== undefined) return { node: item, key: undefined, complete: true };
  }
  return undefined;
}
