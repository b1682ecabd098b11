/**
 * Secrets: values that leave the process only where they are meant to go.
 *
 * A `Secret` shows as `***` however it is printed; a `Masker` takes every known secret out of text that came
 * from elsewhere, such as a reply that echoes its request.
 */
import { inspect } from "node:util";
import { quoted } from "../text/quote.ts";

const MASK = "***";

/** Values shorter than this are not looked for in text: they would take ordinary words with them. */
const MIN_MASKED_LENGTH = 4;

export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself, for the one place that sends it. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return MASK;
  }

  toJSON(): string {
    return MASK;
  }

  [inspect.custom](): string {
    return MASK;
  }
}

/** Knows secret values and takes them out of text. */
export class Masker {
  readonly #known = new Set<string>();
  /** Longest first, so that a secret that holds another leaves nothing of itself. */
  #ordered: readonly string[] = [];

  /**
   * From now on masks `value`, and the forms it takes on its way: base64, percent-encoded, inside JSON.
   *
   *     masker.add("hunter2");
   *     masker.mask("got aHVudGVyMg==")   // "got ***"
   */
  add(value: string): void {
    if (value.length < MIN_MASKED_LENGTH) return;
    const base64 = Buffer.from(value).toString("base64");
    const forms = [
      value,
      base64,
      base64.replace(/=+$/, ""),
      Buffer.from(value).toString("base64url"),
      encodeURIComponent(Buffer.from(value).toString()),
      JSON.stringify(value).slice(1, -1),
      quoted(value),
    ];
    for (const form of forms) this.#known.add(form);
    this.#ordered = [...this.#known].sort((a, b) => b.length - a.length);
  }

  /** `text` with `***` for every secret in it. */
  readonly mask = (text: string): string => {
    let masked = text;
    for (const secret of this.#ordered) {
      if (masked.includes(secret)) masked = masked.replaceAll(secret, MASK);
    }
    return masked;
  };
}
