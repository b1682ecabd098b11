/**
 * The attributes of a request, by name: a map that is read and never written.
 *
 * Postfix sends about thirty, always the same in the same order, and what is asked of a service concerns a few. So the
 * names are kept once for all requests, as a layout, and the text of a request stays whole: of it a request has where
 * each line begins, and a value is cut out when it is asked for.
 */
import { ATTRIBUTE_NAMES } from "./request.ts";

/** Attributes by name, as sent. */
export type Attributes = ReadonlyMap<string, string>;

/** The names of a request's lines, each once, and each one that Postfix documents. */
interface Layout {
  readonly names: readonly string[];
  readonly lines: ReadonlyMap<string, number>;
}

const KNOWN_NAMES: ReadonlySet<string> = new Set(ATTRIBUTE_NAMES);
const EQUALS = 0x3d;
const LF = 0x0a;

/** Those of the last requests: one for each version of Postfix that asks. */
const layouts: Layout[] = [];
const MOST_LAYOUTS = 4;

/**
 * The attributes in `text`, lines of `name=value`, each with its line end.
 *
 * @returns undefined when a line has no name, or there are more than `most` lines
 */
export function readAttributes(text: string, most: number): Attributes | undefined {
  for (const layout of layouts) {
    const attributes = inLayout(layout, text, most);
    if (attributes !== undefined) return attributes;
  }
  return inAnyLayout(text, most);
}

function inLayout(layout: Layout, text: string, most: number): Attributes | undefined {
  const { names } = layout;
  if (names.length > most) return undefined;
  const starts = new Array<number>(names.length + 1);
  let at = 0;
  for (let line = 0; line < names.length; line++) {
    const name = names[line]!;
    if (!text.startsWith(name, at) || text.charCodeAt(at + name.length) !== EQUALS) return undefined;
    starts[line] = at;
    at += name.length + 1;
    // Most values are short or empty: a search would cost more than it saves.
    while (text.charCodeAt(at) !== LF) at++;
    at++;
  }
  if (at !== text.length) return undefined;
  starts[names.length] = at;
  return new LaidOutAttributes(layout, text, starts);
}

function inAnyLayout(text: string, most: number): Attributes | undefined {
  const attributes = new Map<string, string>();
  let lines = 0;
  for (let at = 0; at < text.length; lines++) {
    const lineEnd = text.indexOf("\n", at);
    const equals = text.indexOf("=", at);
    if (equals <= at || equals > lineEnd || lines >= most) return undefined;
    const name = text.slice(at, equals);
    if (!attributes.has(name)) attributes.set(name, text.slice(equals + 1, lineEnd));
    at = lineEnd + 1;
  }
  if (attributes.size === lines) learn([...attributes.keys()]);
  return attributes;
}

function learn(sent: readonly string[]): void {
  if (!sent.every((name) => KNOWN_NAMES.has(name))) return;
  // Our own names, not cut out of somebody's request.
  const names = sent.map((name) => ATTRIBUTE_NAMES.find((known) => known === name)!);
  layouts.unshift({ names, lines: new Map(names.map((name, line) => [name, line])) });
  layouts.length = Math.min(layouts.length, MOST_LAYOUTS);
}

class LaidOutAttributes implements Attributes {
  readonly #layout: Layout;
  readonly #text: string;
  /** Where each line begins, and where the text ends. */
  readonly #starts: readonly number[];

  constructor(layout: Layout, text: string, starts: readonly number[]) {
    this.#layout = layout;
    this.#text = text;
    this.#starts = starts;
  }

  get size(): number {
    return this.#layout.names.length;
  }

  has(name: string): boolean {
    return this.#layout.lines.has(name);
  }

  get(name: string): string | undefined {
    const line = this.#layout.lines.get(name);
    return line === undefined ? undefined : this.#valueIn(line);
  }

  keys(): MapIterator<string> {
    return this.#whole().keys();
  }

  values(): MapIterator<string> {
    return this.#whole().values();
  }

  entries(): MapIterator<[string, string]> {
    return this.#whole().entries();
  }

  [Symbol.iterator](): MapIterator<[string, string]> {
    return this.#whole().entries();
  }

  forEach(callback: (value: string, name: string, map: Attributes) => void): void {
    this.#whole().forEach((value, name) => {
      callback(value, name, this);
    });
  }

  #valueIn(line: number): string {
    const name = this.#layout.names[line]!;
    return this.#text.slice(this.#starts[line]! + name.length + 1, this.#starts[line + 1]! - 1);
  }

  #whole(): Map<string, string> {
    return new Map(this.#layout.names.map((name, line) => [name, this.#valueIn(line)]));
  }
}
