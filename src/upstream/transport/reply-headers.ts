/**
 * The headers of a reply as they came, looked at only when somebody asks.
 *
 * Of most replies nobody wants to know more than one field, so that a map of all is made only for those who go through it.
 */
import { textOfWire } from "../../model/header.ts";

export class ReplyHeaders implements ReadonlyMap<string, string> {
  readonly #raw: readonly Buffer[];
  #all: ReadonlyMap<string, string> | null = null;

  /** @param raw names and values in turn, as sent */
  constructor(raw: readonly Buffer[]) {
    this.#raw = raw;
  }

  /** @param name in lower case */
  get(name: string): string | undefined {
    let value: string | undefined;
    for (let at = 0; at < this.#raw.length; at += 2) {
      const field = this.#raw[at]!;
      if (field.length === name.length && lowerCase(field) === name) {
        value = joined(value, this.#raw[at + 1]!);
      }
    }
    return value;
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  get size(): number {
    return this.#map().size;
  }

  forEach(callback: (value: string, name: string, map: ReadonlyMap<string, string>) => void): void {
    this.#map().forEach(callback);
  }

  entries(): MapIterator<[string, string]> {
    return this.#map().entries();
  }

  keys(): MapIterator<string> {
    return this.#map().keys();
  }

  values(): MapIterator<string> {
    return this.#map().values();
  }

  [Symbol.iterator](): MapIterator<[string, string]> {
    return this.#map().entries();
  }

  #map(): ReadonlyMap<string, string> {
    if (this.#all !== null) return this.#all;
    const all = new Map<string, string>();
    for (let at = 0; at < this.#raw.length; at += 2) {
      const name = lowerCase(this.#raw[at]!);
      all.set(name, joined(all.get(name), this.#raw[at + 1]!));
    }
    this.#all = all;
    return all;
  }
}

function lowerCase(name: Buffer): string {
  return name.toString("latin1").toLowerCase();
}

/** RFC 9110 §5.2. */
function joined(before: string | undefined, field: Buffer): string {
  const value = textOfWire(field);
  return before === undefined ? value : `${before}, ${value}`;
}
