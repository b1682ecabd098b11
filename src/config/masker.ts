/**
 * Takes every known secret out of text that came from elsewhere, such as a reply that echoes its request.
 *
 * A secret may have changed its shape on the way: upper and lower case, hexadecimal, base64 wherever it began, and any of
 * its characters percent-encoded, a character reference of XML, or escaped as in JSON, once or more than once. So it is
 * looked for in the bytes of the text, and again in what those are after each decoding. What is found is taken out of the
 * text as it was.
 *
 * Texts are cut before they come here, an action at 400 bytes, an excerpt sooner, and a token is often longer than that. So
 * the beginning of a secret is one, too.
 */
import { MASK } from "./secret.ts";

/** Values shorter than this are not looked for in text: they would take ordinary words with them. */
const MIN_MASKED_LENGTH = 4;
/** So much of a secret's beginning is taken out wherever it stands. */
const TELLING_BEGINNING = 16;
/** So much, and half of it, where the text seems to be cut behind; less might be a word. */
const CUT_BEGINNING = 8;
/** What stands behind a text that was cut: an ellipsis (its first byte), a quote, or an escape that was cut as well. */
const CUT = /["'%&\\\xe2]/;
/** Text in JSON in a line of JSON, of a URL in XML. */
const MOST_DECODINGS = 3;
/** Whether there is nothing that decoding would change, or that is more than one byte. */
const PLAIN = /^[^%&\\\u0080-\uffff]*$/;
const BASE64_CHARACTER = /[a-z0-9+/_-]/;

/** What is looked for: bytes as Latin-1, in lower case. */
interface Form {
  readonly text: string;
  /** The beginning that it is found by. */
  readonly seed: string;
  /** Characters of base64 that stand before and after, and hold a part of the secret together with what is beside it. */
  readonly before: 0 | 1;
  readonly after: 0 | 1;
}

export class Masker {
  #forms = new Map<string, Form>();
  /** Of values that come and go: the forms of each, besides those of all others. */
  readonly #passing: Map<string, Form>[][] = [];
  readonly #lasting = this.#forms;

  /**
   * Gives a function for values of which each takes the place of the one before, as tokens do: the last two are masked.
   */
  passing(): (value: string) => void {
    const mine: Map<string, Form>[] = [];
    this.#passing.push(mine);
    return (value) => {
      const others = new Masker();
      others.add(value);
      mine.push(others.#lasting);
      if (mine.length > 2) mine.shift();
      this.#join();
    };
  }

  /**
   * From now on masks `value`, and the forms it takes on its way.
   *
   *     masker.add("hunter2");
   *     masker.mask("got aHVudGVyMg== and h%75nter2")   // "got *** and ***"
   */
  add(value: string): void {
    if (value.length < MIN_MASKED_LENGTH) return;
    const bytes = Buffer.from(value, "utf8");
    const plain = [value, value.replaceAll(" ", "+"), bytes.toString("hex")];
    // UTF-8 that somebody took for Latin-1.
    if (bytes.length !== value.length) plain.push(bytes.toString("latin1"));
    // Escapes in a secret would be decoded with the rest: it is looked for as it looks then, too.
    for (const text of plain) {
      let view = viewOf(text);
      for (let decodings = 0; decodings < MOST_DECODINGS; decodings++) {
        this.#addForm(view.bytes, { before: 0, after: 0 });
        view = decoded(view);
      }
    }
    for (const offset of [0, 1, 2] as const) {
      const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString("base64");
      const first = Math.ceil((8 * offset) / 6);
      const last = Math.floor((8 * (offset + bytes.length)) / 6);
      const text = encoded.slice(first, last);
      const partly = {
        before: offset === 0 ? 0 : 1,
        after: (offset + bytes.length) % 3 === 0 ? 0 : 1,
      } as const;
      for (const form of [text, text.replaceAll("+", "-").replaceAll("/", "_")]) {
        this.#addForm(form, partly);
      }
    }
    if (this.#passing.length > 0) this.#join();
  }

  /** `text` with `***` for every secret in it. */
  readonly mask = (text: string): string => {
    if (this.#forms.size === 0) return text;
    if (!this.#holdsAny(text)) return text;
    const found = PLAIN.test(text)
      ? this.#find({ bytes: text.toLowerCase(), places: null })
      : this.#findDecoding(text);
    return found.length === 0 ? text : without(text, found);
  };

  #addForm(value: string, beside: Pick<Form, "before" | "after">): void {
    const text = value.toLowerCase();
    if (text.length < MIN_MASKED_LENGTH) return;
    const half = Math.max(CUT_BEGINNING, Math.ceil(text.length / 2));
    const seed = text.slice(0, Math.min(half, TELLING_BEGINNING));
    this.#lasting.set(`${text}\0${beside.before}${beside.after}`, { ...beside, text, seed });
  }

  #join(): void {
    this.#forms = new Map([this.#lasting, ...this.#passing.flat()].flatMap((forms) => [...forms]));
  }

  /** Whether there may be anything to be found; where it stands is of no account yet, for nearly every line holds nothing. */
  #holdsAny(text: string): boolean {
    if (PLAIN.test(text)) return this.#isIn(text);
    let bytes = latin1s(text);
    for (let decodings = 0; !this.#isIn(bytes); decodings++) {
      if (decodings === MOST_DECODINGS || !BEGINS_ESCAPE.test(bytes)) return false;
      const next = bytes.replace(ESCAPES, (...match) => meaning(match));
      if (next.length === bytes.length) return false;
      bytes = next;
    }
    return true;
  }

  #isIn(bytes: string): boolean {
    const lower = bytes.toLowerCase();
    for (const { seed } of this.#forms.values()) if (lower.includes(seed)) return true;
    return false;
  }

  #findDecoding(text: string): Range[] {
    const found: Range[] = [];
    let view = viewOf(text);
    for (let decodings = 0; ; decodings++) {
      found.push(...this.#find({ ...view, bytes: view.bytes.toLowerCase() }));
      const next = decodings < MOST_DECODINGS ? decoded(view) : view;
      if (next.bytes.length === view.bytes.length) return found;
      view = next;
    }
  }

  #find({ bytes, places }: View): Range[] {
    const found: Range[] = [];
    for (const { text, seed, before, after } of this.#forms.values()) {
      let end = 0;
      for (let at = bytes.indexOf(seed); at !== -1; at = bytes.indexOf(seed, end)) {
        let start = at;
        end = endOfCommon(bytes, at, text);
        const isWhole = end - at === text.length;
        if (!isWhole && end - at < TELLING_BEGINNING && end < bytes.length && !CUT.test(bytes.charAt(end))) {
          end = at + 1;
          continue;
        }
        if (before === 1 && BASE64_CHARACTER.test(bytes.charAt(start - 1))) start--;
        if (isWhole && after === 1 && BASE64_CHARACTER.test(bytes.charAt(end))) end++;
        if (isWhole && after === 1) while (bytes[end] === "=") end++;
        found.push(places === null ? [start, end] : [places[start] ?? 0, places[end] ?? 0]);
      }
    }
    return found;
  }
}

/** Where `bytes`, read from `at`, is no longer what `text` is. */
function endOfCommon(bytes: string, at: number, text: string): number {
  let length = 0;
  while (length < text.length && bytes.charCodeAt(at + length) === text.charCodeAt(length)) length++;
  return at + length;
}

/** From, and to before, in characters. */
type Range = readonly [start: number, end: number];

interface View {
  /** Bytes as Latin-1. */
  readonly bytes: string;
  /** Where each byte begins in the text, and at last where the text ends; null: where it stands. */
  readonly places: readonly number[] | null;
}

function viewOf(text: string): View {
  const bytes: string[] = [];
  const places: number[] = [];
  let place = 0;
  for (const character of text) {
    for (const byte of latin1(character)) {
      bytes.push(byte);
      places.push(place);
    }
    place += character.length;
  }
  return { bytes: bytes.join(""), places: [...places, place] };
}

/** The bytes of UTF-8. */
function latin1(character: string): string {
  return character < "\u0080" ? character : Buffer.from(character, "utf8").toString("latin1");
}

const ESCAPES =
  /%([0-9a-f]{2})|&#x0*([0-9a-f]{1,6});|&#0*([0-9]{1,7});|&(amp|lt|gt|quot|apos);|((?:\\u[0-9a-f]{4})+)|\\x([0-9a-f]{2})|\\(["'\\/bfnrt])/gi;
const BEGINS_ESCAPE = /[%&\\]/;
const NAMED: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

/** What the bytes mean when one layer of escapes is taken off. */
function decoded({ bytes, places }: View): View {
  const pieces: string[] = [];
  const from: number[] = [];
  let rest = 0;
  const keep = (end: number) => {
    pieces.push(bytes.slice(rest, end));
    for (let at = rest; at < end; at++) from.push(places?.[at] ?? at);
  };
  for (const match of bytes.matchAll(ESCAPES)) {
    keep(match.index);
    rest = match.index + match[0].length;
    const meant = meaning(match);
    pieces.push(meant);
    for (let n = 0; n < meant.length; n++) from.push(places?.[match.index] ?? match.index);
  }
  keep(bytes.length);
  from.push(places?.[bytes.length] ?? bytes.length);
  return { bytes: pieces.join(""), places: from };
}

/** @param match of ESCAPES, with its groups */
function meaning([
  whole,
  percent,
  hexadecimal,
  decimal,
  named,
  units,
  hex,
  short,
]: readonly string[]): string {
  const byte = percent ?? hex;
  if (byte !== undefined) return String.fromCharCode(Number.parseInt(byte, 16));
  if (units !== undefined) {
    return latin1s(
      units.replace(/\\u([0-9a-f]{4})/gi, (_, unit: string) =>
        String.fromCharCode(Number.parseInt(unit, 16)),
      ),
    );
  }
  if (hexadecimal !== undefined || decimal !== undefined) {
    const code = hexadecimal === undefined ? Number(decimal) : Number.parseInt(hexadecimal, 16);
    return code <= 0x10ffff ? latin1s(String.fromCodePoint(code)) : (whole ?? "");
  }
  const name = (named ?? short ?? "").toLowerCase();
  return NAMED[name] ?? name;
}

function latin1s(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

/** Ranges that overlap are one secret in another. */
function without(text: string, found: readonly Range[]): string {
  const ranges = found.toSorted(([a, endA], [b, endB]) => a - b || endB - endA);
  let masked = "";
  let rest = 0;
  for (const [start, end] of ranges) {
    if (end <= rest) continue;
    if (start >= rest) masked += text.slice(rest, start) + MASK;
    rest = end;
  }
  return masked + text.slice(rest);
}
