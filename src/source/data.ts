/**
 * From YAML nodes to plain data: objects, arrays, strings, numbers, booleans, null.
 *
 * A walk of our own rather than the library's `toJS`, because on the way it finds what would silently become
 * something else than what was written: numbers that change, text that a comment cuts, keys that stand
 * twice, keys without a value, aliases that repeat themselves without end.
 */
import { type Alias, isAlias, isMap, isScalar, isSeq, type Node, type Pair, type Scalar } from "yaml";
import { excerpt, namesSecret } from "../text/excerpt.ts";
import type { Finding } from "./tokens.ts";
import { MAX_DEPTH, MAX_FINDINGS } from "./tokens.ts";

/** Nodes in one file, those that aliases repeat counted each time. */
const MAX_NODES = 50_000;

/** The nodes that bear each anchor. */
export type Anchors = ReadonlyMap<string, Node>;

interface Walk {
  readonly text: string;
  readonly anchors: Anchors;
  readonly findings: Finding[];
  /** Nodes that aliases are being followed through, so that one within itself is noticed. */
  readonly open: Set<Node>;
  nodes: number;
}

/** The plain data of `root`, and what was found wrong in it. */
export function toData(
  root: Node | null,
  text: string,
  anchors: Anchors,
): { value: unknown; findings: Finding[] } {
  const walk: Walk = { text, anchors, findings: [], open: new Set(), nodes: 0 };
  const value = visit(root, "", walk, 0);
  if (walk.nodes > MAX_NODES) {
    walk.findings.push({
      offset: 0,
      message: `the file holds more than ${MAX_NODES} values, aliases included`,
    });
  }
  return { value, findings: walk.findings };
}

function visit(node: unknown, key: string, walk: Walk, depth: number): unknown {
  walk.nodes += 1;
  if (walk.nodes > MAX_NODES) return null;
  if (isScalar(node)) {
    checkScalar(node, key, walk);
    return typeof node.value === "string" ? compact(node.value) : node.value;
  }
  if (!isMap(node) && !isSeq(node) && !isAlias(node)) return null;
  if (depth > MAX_DEPTH) {
    report(walk, node, `lists and tables are nested deeper than ${MAX_DEPTH} levels`);
    return null;
  }
  if (isAlias(node)) return visitAlias(node, key, walk, depth);
  walk.open.add(node);
  const value = isSeq(node)
    ? node.items.map((item) => visit(item, key, walk, depth + 1))
    : visitMap(node.items, walk, depth, node.flow === true);
  walk.open.delete(node);
  return value;
}

function visitAlias(alias: Alias, key: string, walk: Walk, depth: number): unknown {
  const target = walk.anchors.get(alias.source);
  if (target === undefined) return null;
  if (walk.open.has(target)) {
    report(walk, alias, `\`*${excerpt(alias.source)}\` stands within what it refers to`);
    return null;
  }
  return visit(target, key, walk, depth + 1);
}

function visitMap(pairs: readonly Pair[], walk: Walk, depth: number, flow: boolean): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  for (const pair of pairs) {
    if (!isScalar(pair.key)) {
      report(walk, pair.key, "a key is plain text; lists, tables and aliases cannot be keys");
      continue;
    }
    const key = keyText(pair.key, walk);
    if (key === undefined) continue;
    if (Object.hasOwn(object, key)) {
      report(walk, pair.key, `the key "${excerpt(key)}" stands twice`);
      continue;
    }
    if (flow && pair.value === null) {
      report(
        walk,
        pair.key,
        `\`${excerpt(key)}\` has no value; write \`key: value\`, and quotes around a value that holds a comma`,
      );
    }
    object[key] = visit(pair.value, key, walk, depth + 1);
  }
  return object;
}

function keyText(node: Scalar, walk: Walk): string | undefined {
  const source = sourceOf(node, walk.text);
  const key = typeof node.value === "string" ? node.value : source;
  if (key === "" && node.value === null) {
    report(walk, node, "a key is missing before the colon");
    return undefined;
  }
  if (key === "__proto__") {
    report(walk, node, "`__proto__` cannot be used as a key");
    return undefined;
  }
  return key;
}

function checkScalar(node: Scalar, key: string, walk: Walk): void {
  if (node.type !== "PLAIN") return;
  const source = sourceOf(node, walk.text);
  if (typeof node.value === "number" && source !== String(node.value)) {
    const instead = Number.isSafeInteger(node.value) ? `, or write ${node.value}` : "";
    const message = namesSecret(key)
      ? "this would be read as a number and changed; quote it"
      : `\`${excerpt(source)}\` would be sent as ${node.value}; quote it${instead}`;
    report(walk, node, message);
  } else if (typeof node.value === "boolean" && source !== String(node.value)) {
    report(walk, node, `\`${source}\` would be sent as ${node.value}; quote it, or write ${node.value}`);
  } else if (typeof node.value === "string") {
    checkComment(node, node.value, key, walk);
  }
}

/**
 * `REJECT see ticket #42` ends at `ticket`: ` #` begins a comment. After a text, only `# ` with a blank is
 * taken as meant that way; `#42` is not. After a number, a duration or the like nothing could belong to it.
 */
function checkComment(node: Scalar, value: string, key: string, walk: Walk): void {
  const end = node.range?.[1] ?? 0;
  const comment = /^[ \t]+(#[^\r\n]*)/.exec(walk.text.slice(end, end + 200))?.[1];
  if (comment === undefined || /^\d+(ms|s|m|h)$/.test(value)) return;
  const looksLikeText = /^#[^\s#]/.test(comment);
  const expressionIsOpen = value.lastIndexOf("${") > value.lastIndexOf("}");
  if (!looksLikeText && !expressionIsOpen) return;
  const shown = namesSecret(key) ? "#" : excerpt(/^#\s*\S*/.exec(comment)?.[0] ?? "#");
  report(
    walk,
    node,
    `the text ends before \`${shown}\`; quote it if it belongs, or put a blank after the # of a comment`,
    end + walk.text.slice(end).indexOf("#"),
  );
}

/**
 * The same text in one byte a character, where that is possible. Without, a single `…` in a comment of the file makes
 * V8 keep every text of it, and all that is put together from them for each request, in two.
 */
function compact(text: string): string {
  return /[^\0-\xff]/.test(text) ? text : Buffer.from(text, "latin1").toString("latin1");
}

function sourceOf(node: Scalar, text: string): string {
  return node.range ? text.slice(node.range[0], node.range[1]) : String(node.value);
}

function report(walk: Walk, node: unknown, message: string, offset?: number): void {
  if (walk.findings.length >= MAX_FINDINGS) return;
  const range = (node as Node | null)?.range;
  walk.findings.push({ offset: offset ?? range?.[0] ?? 0, message });
}
