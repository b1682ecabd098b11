/**
 * The attributes of a request, by name: a map that is read and never written.
 *
 * Postfix sends about thirty, always the same in the same order, and what is asked of a service concerns a few. So the
 * names are kept once for all requests, as a layout, and the text of a request stays whole: of it a request has where
 * each line begins, and a value is cut out when it is asked for.
 */
import { ATTRIBUTE_NAMES } from "../model/request.ts";

/** Attributes by name, as sent. */
export type Attributes = ReadonlyMap<string, string>;

/** The names of a request's lines, each once, and each one that Postfix documents. */
interface Layout {
  readonly names: readonly string[];
  readonly lines: ReadonlyMap<string, number>;
  /** How each line begins: its name, and the equals sign. */
  readonly beginnings: readonly Uint8Array[];
}

const KNOWN_NAMES: ReadonlySet<string> = new Set(ATTRIBUTE_NAMES);
const LF = 0x0a;

/** Those of the last requests: one for each version of Postfix that asks. */
const layouts: Layout[] = [];
const MOST_LAYOUTS = 4;

/**
 * The attributes in lines of `name=value`, each with its line end.
 *
 * @param bytes of which those from `begin` on, as many as there are characters, are the text, where all of it is ASCII
 * @returns undefined when a line has no name, or there are more than `most` lines
 */
export function readAttributes(
  text: string,
  bytes: Uint8Array,
  begin: number,
  end: number,
  most: number,
): Attributes | undefined {
  // A character that takes more than a byte would stand elsewhere in the text.
  if (text.length === end - begin) {
    for (const layout of layouts) {
      const starts = layout.names.length <= most ? startsOfLines(layout, bytes, begin, end) : undefined;
      if (starts !== undefined) return new LaidOutAttributes(layout, text, starts);
    }
  }
  return inAnyLayout(text, most);
}

/** Where each line begins, from `begin`, and where the last one ends; undefined where the names are others. */
function startsOfLines(
  { beginnings }: Layout,
  bytes: Uint8Array,
  begin: number,
  end: number,
): number[] | undefined {
  const starts = new Array<number>(beginnings.length + 1);
  let at = begin;
  for (let line = 0; line < beginnings.length; line++) {
    const beginning = beginnings[line]!;
    starts[line] = at - begin;
    for (let n = 0; n < beginning.length; n++, at++) if (bytes[at] !== beginning[n]) return undefined;
    while (bytes[at] !== LF) at++;
    at++;
  }
  starts[beginnings.length] = at - begin;
  return at === end ? starts : undefined;
}

/** How many characters of memory attributes hold. */
export function charactersOf(attributes: Attributes): number {
  if (attributes instanceof LaidOutAttributes) return attributes.characters;
  let characters = 0;
  for (const [name, value] of attributes) characters += name.length + value.length;
  return characters;
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
  layouts.unshift({
    names,
    lines: new Map(names.map((name, line) => [name, line])),
    beginnings: names.map((name) => Buffer.from(`${name}=`)),
  });
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

  /** Of the whole text. */
  get characters(): number {
    return this.#text.length;
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
