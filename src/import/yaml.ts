/** YAML with comments, as a person would write it: data in the order given, a comment above what it belongs to. */
import { Document, isMap, isScalar, Pair, Scalar, YAMLMap, YAMLSeq } from "yaml";
import { oneLine } from "../text/one-line.ts";
import { visible } from "../text/visible.ts";

/** Plain data, in which tables are lists of entries. */
export type Yaml =
  | string
  | number
  | boolean
  | null
  | Table
  | readonly Yaml[]
  | { readonly items: readonly Item[] };

export class Table {
  readonly entries: readonly Entry[];
  /** On one line, in braces. */
  readonly inline: boolean;

  constructor(entries: readonly (Entry | null)[], inline = false) {
    this.inline = inline;
    this.entries = entries.filter((entry) => entry !== null);
  }
}

export interface Entry {
  readonly key: string;
  readonly value: Yaml;
  /** Lines above it. */
  readonly above: readonly string[];
  /** With an empty line before it. */
  readonly apart: boolean;
}

/** An item of a list with lines above it. */
export interface Item {
  readonly value: Yaml;
  readonly above: readonly string[];
}

export function entry(key: string, value: Yaml, above: readonly string[] = [], apart = false): Entry {
  return { key, value, above, apart };
}

/** Longer words of a description are cut. */
const LONGEST_COMMENT = 300;

/** Words of a description as one line of a comment. */
export function comment(text: string): string {
  return visible(oneLine(text.replace(/\s+/g, " ").trim(), LONGEST_COMMENT));
}

/** The text of a file. */
export function writeYaml(head: readonly string[], table: Table): string {
  const document = new Document();
  document.contents = nodeOf(table) as never;
  const text = document.toString({ lineWidth: 0, flowCollectionPadding: true });
  return `${head.map((line) => (line === "" ? "#" : `# ${line}`)).join("\n")}\n\n${text}`;
}

function nodeOf(value: Yaml): YAMLMap | YAMLSeq | Scalar {
  if (value instanceof Table) {
    const map = new YAMLMap();
    for (const { key, value: inner, above, apart } of value.entries) {
      const name = new Scalar(key);
      if (above.length > 0) name.commentBefore = above.map((line) => ` ${line}`).join("\n");
      if (apart) name.spaceBefore = true;
      map.items.push(new Pair(name, nodeOf(inner)));
    }
    map.flow = map.items.length === 0 || value.inline;
    return map;
  }
  if (typeof value === "object" && value !== null) {
    const items = "items" in value ? value.items : value.map((item) => ({ value: item, above: [] }));
    const list = new YAMLSeq();
    for (const { value: inner, above } of items) {
      const node = nodeOf(inner);
      if (above.length > 0) node.commentBefore = above.map((line) => ` ${line}`).join("\n");
      if (above.length > 0 && isMap(node) && isScalar(node.items[0]?.key))
        node.spaceBefore = list.items.length > 0;
      list.items.push(node);
    }
    list.flow = list.items.length === 0;
    return list;
  }
  return new Scalar(value);
}
