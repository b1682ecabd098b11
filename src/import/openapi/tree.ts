/**
 * OpenAPI documents as data, with the `$ref`s in them followed: within a document, and to others that `Documents` lets
 * pass. Read with the YAML library that is there already; JSON is YAML. What is not needed is not read: references are
 * followed from the operation that was chosen.
 */
import { isMap, isNode, isScalar, isSeq, parseDocument } from "yaml";
import type { Path } from "../../source/position.ts";
import { unusable } from "../../source/problem.ts";
import { excerpt } from "../../text/excerpt.ts";
import { oneLine } from "../../text/one-line.ts";
import type { Document, Documents } from "../documents.ts";
import { problemAt } from "../place.ts";

/** A value in a document. */
export interface DocumentNode {
  readonly tree: Tree;
  readonly path: Path;
  readonly value: unknown;
}

/** A document that was read. */
interface Tree {
  readonly document: Document;
  readonly text: string;
  readonly value: unknown;
  /** The documents that its references name, by what is in front of `#`. */
  readonly others: Map<string, Tree | { readonly problem: string }>;
}

export type Fields = Readonly<Record<string, unknown>>;

const MOST_ALIASES = 100;
const DEEPEST = 100;
/** References in a row that lead to nothing but references. */
const MOST_STEPS = 20;

/** @throws ProblemError */
export async function readTree(source: string, documents: Documents): Promise<DocumentNode> {
  const tree = treeOf(await documents.first(source));
  return { tree, path: [], value: tree.value };
}

function treeOf(document: Document): Tree {
  const text = document.bytes.toString("utf8").replace(/^\ufeff/, "");
  return { document, text, value: parse(document.address, text), others: new Map() };
}

function parse(address: string, text: string): unknown {
  // Far quicker than as YAML; where it fails, YAML says where.
  if (/^\s*\{/.test(text)) {
    try {
      return limited(address, JSON.parse(text));
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
  try {
    const yaml = parseDocument(text, { prettyErrors: false, logLevel: "error" });
    const [error] = yaml.errors;
    if (error !== undefined) {
      const hint = /^\s*</.test(text) ? "; for a WSDL: pfxbridge import wsdl" : "";
      throw problemAt(address, text, error.pos[0], `expected JSON or YAML; ${oneLine(error.message)}${hint}`);
    }
    return limited(address, yaml.toJS({ maxAliasCount: MOST_ALIASES }));
  } catch (error) {
    if (error instanceof RangeError) throw tooDeep(address);
    if (error instanceof ReferenceError)
      throw unusable(address, "its aliases repeat more than a description does");
    throw error;
  }
}

function tooDeep(address: string): Error {
  return unusable(address, `it is nested deeper than ${DEEPEST} levels`);
}

function limited(address: string, value: unknown): unknown {
  const level = (at: unknown, depth: number): void => {
    if (depth > DEEPEST) throw tooDeep(address);
    if (typeof at === "object" && at !== null) for (const inner of Object.values(at)) level(inner, depth + 1);
  };
  level(value, 0);
  return value;
}

/** A problem with a value of a document, or with the innermost part of the way to it. */
export function placeProblem({ tree, path }: DocumentNode, message: string): Error {
  return problemAt(tree.document.address, tree.text, offsetOf(tree.text, path), message);
}

function offsetOf(text: string, path: Path): number {
  let node: unknown = parseDocument(text, { prettyErrors: false, logLevel: "error" }).contents;
  let offset = isNode(node) ? (node.range?.[0] ?? 0) : 0;
  for (const step of path) {
    const pair = isMap(node)
      ? node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step))
      : undefined;
    const found: unknown = isMap(node) ? pair?.key : isSeq(node) ? node.items[Number(step)] : undefined;
    if (!isNode(found)) break;
    offset = found.range?.[0] ?? offset;
    node = isMap(node) ? pair?.value : found;
  }
  return offset;
}

export function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}

/** A member of a value, its reference followed; undefined where there is none. */
export function member(place: DocumentNode, ...steps: Path): DocumentNode | undefined {
  let at: DocumentNode = followed(place);
  for (const step of steps) {
    const { value } = at;
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) return undefined;
    at = followed({ tree: at.tree, path: [...at.path, step], value: (value as Fields)[String(step)] });
  }
  return at;
}

/** The text of a member; undefined where there is none. */
export function textAt(place: DocumentNode, ...steps: Path): string | undefined {
  const value = member(place, ...steps)?.value;
  return typeof value === "string" ? value : undefined;
}

export function members(place: DocumentNode | undefined): (DocumentNode & { readonly name: string })[] {
  const fields = place && fieldsOf(followed(place).value);
  if (place === undefined || fields === undefined) return [];
  const at = followed(place);
  return Object.keys(fields).flatMap((name) => {
    const found = member(at, name);
    return found === undefined ? [] : [{ ...found, name }];
  });
}

export function items(place: DocumentNode | undefined): DocumentNode[] {
  if (place === undefined) return [];
  const at = followed(place);
  if (!Array.isArray(at.value)) return [];
  return at.value.map((_, index) => member(at, index) as DocumentNode);
}

/**
 * The same value, for comparison.
 */
export function identity({ tree, path }: DocumentNode): string {
  return `${tree.document.address}#${path.join("/")}`;
}

/** What a `$ref` leads to; the value itself where it is none. */
function followed(place: DocumentNode): DocumentNode {
  let at = place;
  for (let steps = 0; steps < MOST_STEPS; steps++) {
    const reference = fieldsOf(at.value)?.$ref;
    if (typeof reference !== "string") return at;
    at = target(at, reference);
  }
  throw placeProblem(place, "this reference leads to references without end");
}

function target(place: DocumentNode, reference: string): DocumentNode {
  const [address = "", pointer = ""] = splitAt(reference);
  const other = address === "" ? place.tree : place.tree.others.get(address);
  if (other === undefined) throw placeProblem(place, `the document of "${excerpt(reference)}" was not read`);
  if ("problem" in other) throw placeProblem(place, other.problem);
  let value: unknown = other.value;
  const path = pointer.split("/").slice(1).map(unescaped);
  for (const step of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) {
      throw placeProblem(place, `"${excerpt(reference)}" leads to nothing`);
    }
    value = (value as Fields)[step];
  }
  return { tree: other, path, value };
}

function splitAt(reference: string): [string, string] {
  const at = reference.indexOf("#");
  return at === -1 ? [reference, ""] : [reference.slice(0, at), reference.slice(at + 1)];
}

/** RFC 6901 §4, in a URI fragment. */
function unescaped(step: string): string {
  const text = /%[0-9a-f]{2}/i.test(step) ? safelyDecoded(step) : step;
  return text.replaceAll("~1", "/").replaceAll("~0", "~");
}

function safelyDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Reads the documents that a value needs, by its references and those of what they lead to. */
export async function readReferred(place: DocumentNode, documents: Documents): Promise<void> {
  const trees = new Map<string, Tree>([[place.tree.document.address, place.tree]]);
  const seen = new Set<string>();
  const waiting: DocumentNode[] = [place];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    if (typeof at.value !== "object" || at.value === null) continue;
    for (const reference of referencesIn(at.value)) {
      const key = `${at.tree.document.address} ${reference}`;
      if (seen.has(key)) continue;
      seen.add(key);
      await readOther(at.tree, splitAt(reference)[0], documents, trees);
      waiting.push(...reachable(at, reference));
    }
  }
}

async function readOther(
  tree: Tree,
  address: string,
  documents: Documents,
  trees: Map<string, Tree>,
): Promise<void> {
  if (address === "" || tree.others.has(address)) return;
  const found = await documents.referred(address, tree.document);
  if ("problem" in found) {
    tree.others.set(address, found);
    return;
  }
  const known = trees.get(found.address) ?? treeOf(found);
  trees.set(found.address, known);
  tree.others.set(address, known);
}

/** What leads nowhere is told when it is needed. */
function reachable(place: DocumentNode, reference: string): DocumentNode[] {
  try {
    return [target(place, reference)];
  } catch {
    return [];
  }
}

function referencesIn(value: object): string[] {
  return Object.entries(value).flatMap(([name, inner]) => {
    if (name === "$ref" && typeof inner === "string") return [inner];
    return typeof inner === "object" && inner !== null ? referencesIn(inner) : [];
  });
}
