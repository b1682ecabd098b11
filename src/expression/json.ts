/**
 * JSON text to values, for text that cannot be trusted. What is cut off or no JSON throws `JsonError`, and so does what
 * says two things (a member that stands twice in its object, RFC 8259 §4) and what is nested too deeply or holds too much.
 *
 * Numbers keep their value: an integer that a double cannot tell from its neighbours (beyond 2^53) is a bigint as far as
 * CEL's int reaches (64 bits), and beyond that, as any number too large for a double, its text.
 *
 * JSON.parse does the reading. A look over the text before it tells whether that can be all: how many members there must
 * be, and whether there are numbers that it would change. Only where there are, the text is read once more here.
 */
import { excerpt } from "../text/excerpt.ts";

export class JsonError extends Error {}

/** The largest JSON that is parsed, in bytes: it holds up others no longer than XML of its limit does. */
export const JSON_LIMIT = 256 * 1024;

/** As deep as XML may be nested. */
const MAX_DEPTH = 100;
/** Of the limit, for each value of whatever kind: what services send has twice as many. */
const BYTES_PER_VALUE = 8;

/**
 * The value of a JSON text: objects, arrays, strings, numbers, bigints, booleans, null.
 *
 * @param limit in bytes, by which goes how many values it may hold; that the text keeps to it is the caller's affair
 * @throws JsonError with a message for people; it may quote a member's name
 */
export function parseJson(text: string, limit = JSON_LIMIT): unknown {
  return read(text, limit, false);
}

/**
 * The same as `parseJson`, as expressions take it: where a member is named `constructor`, on which the expression
 * engine fails (it tells types by that property), every object is a Map instead.
 */
export function parseJsonForExpressions(text: string, limit = JSON_LIMIT): unknown {
  return read(text, limit, true);
}

function read(text: string, limit: number, forExpressions: boolean): unknown {
  const { members, exact } = survey(text, Math.floor(limit / BYTES_PER_VALUE));
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new JsonError("it is cut off or no JSON");
  }
  if (!exact && countMembers(value, forExpressions ? "constructor" : null) === members) return value;
  return new ExactReader(text, forExpressions).value();
}

interface Survey {
  /** Members of all objects. */
  readonly members: number;
  /** There may be a number that a double does not hold. */
  readonly exact: boolean;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const POINT = 0x2e;
const COLON = 0x3a;
const BACKSLASH = 0x5c;

/** An integer of so many digits is one that a double holds; 2^53 has sixteen. */
const SAFE_DIGITS = 15;

/** Looks over a text that need not be JSON. */
function survey(text: string, mostValues: number): Survey {
  let depth = 0;
  let values = 1;
  let members = 0;
  let exact = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    switch (code) {
      case QUOTE:
        i = endOfString(text, i);
        break;
      case COMMA:
        values++;
        break;
      case COLON:
        members++;
        break;
      case 0x5b: // [
      case 0x7b: // {
        values++;
        if (++depth > MAX_DEPTH) throw new JsonError(`it is nested deeper than ${MAX_DEPTH} levels`);
        break;
      case 0x5d: // ]
      case 0x7d: // }
        depth--;
        break;
      case 0x45: // E
      case 0x65: // e
        exact ||= isDigit(text.charCodeAt(i - 1));
        break;
      default: {
        if (!isDigit(code)) break;
        const end = endOfDigits(text, i);
        exact ||= end - i > SAFE_DIGITS && text.charCodeAt(i - 1) !== POINT;
        i = end - 1;
      }
    }
  }
  if (values > mostValues) throw new JsonError(`it holds more than ${mostValues} values`);
  return { members, exact };
}

/** The place of a string's closing quote. */
function endOfString(text: string, start: number): number {
  let i = start + 1;
  for (; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) break;
    if (code === BACKSLASH) i++;
  }
  return i;
}

function endOfDigits(text: string, start: number): number {
  let i = start + 1;
  while (isDigit(text.charCodeAt(i))) i++;
  return i;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** How many members JSON.parse left, which keeps one of each name; NaN where one is called `unfit`. */
function countMembers(value: unknown, unfit: string | null): number {
  if (typeof value !== "object" || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value) count += countMembers(item, unfit);
    return count;
  }
  for (const name in value) {
    if (name === unfit) return Number.NaN;
    count += 1 + countMembers((value as Record<string, unknown>)[name], unfit);
  }
  return count;
}

const MAX_INT = 2n ** 63n - 1n;
const MIN_INT = -(2n ** 63n);
const LONGEST_INT = String(MIN_INT).length;

/** Reads what JSON.parse has found to be JSON: nothing in it need be checked. */
class ExactReader {
  readonly #text: string;
  readonly #asMaps: boolean;
  #at = 0;

  /** @param asMaps gives Maps in place of objects */
  constructor(text: string, asMaps: boolean) {
    this.#text = text;
    this.#asMaps = asMaps;
  }

  value(): unknown {
    this.#passBetween();
    switch (this.#text[this.#at]) {
      case "{":
        return this.#object();
      case "[":
        return this.#array();
      case '"':
        return this.#string();
      case "t":
        return this.#literal("true", true);
      case "f":
        return this.#literal("false", false);
      case "n":
        return this.#literal("null", null);
      default:
        return this.#number();
    }
  }

  #object(): unknown {
    const members = new Map<string, unknown>();
    this.#at++;
    while (!this.#ends("}")) {
      const name = this.#string();
      if (members.has(name)) throw new JsonError(`the member "${excerpt(name)}" stands twice in one object`);
      members.set(name, this.value());
    }
    return this.#asMaps ? members : Object.fromEntries(members);
  }

  #array(): unknown[] {
    const items: unknown[] = [];
    this.#at++;
    while (!this.#ends("]")) items.push(this.value());
    return items;
  }

  /** Goes to what comes next within an object or array, or past its end. */
  #ends(bracket: string): boolean {
    this.#passBetween();
    if (this.#text[this.#at] !== bracket) return false;
    this.#at++;
    return true;
  }

  /** White space, commas and colons. */
  #passBetween(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (!(code <= 0x20 || code === COMMA || code === COLON)) return;
      this.#at++;
    }
  }

  #string(): string {
    const end = endOfString(this.#text, this.#at) + 1;
    const quoted = this.#text.slice(this.#at, end);
    this.#at = end;
    return quoted.includes("\\") ? (JSON.parse(quoted) as string) : quoted.slice(1, -1);
  }

  #literal<T>(word: string, value: T): T {
    this.#at += word.length;
    return value;
  }

  #number(): unknown {
    const start = this.#at;
    while (isOfNumber(this.#text.charCodeAt(this.#at))) this.#at++;
    return exactNumber(this.#text.slice(start, this.#at));
  }
}

/** Digits, and the `-`, `+`, `.`, `e` and `E` among them. */
function isOfNumber(code: number): boolean {
  return isDigit(code) || code === 0x2d || code === 0x2b || code === POINT || (code | 0x20) === 0x65;
}

function exactNumber(text: string): unknown {
  const number = Number(text);
  if (Number.isSafeInteger(number)) return number;
  if (!/^-?\d+$/.test(text)) return Number.isFinite(number) ? (writtenInt(text, number) ?? number) : text;
  if (text.length > LONGEST_INT) return text;
  const integer = BigInt(text);
  return isInt(integer) ? integer : text;
}

function isInt(integer: bigint): boolean {
  return integer >= MIN_INT && integer <= MAX_INT;
}

/** The int that is written with a point or an exponent, `9007199254740993.0`; null where it is none, or a double holds it. */
function writtenInt(text: string, number: number): bigint | null {
  if (!Number.isInteger(number) || Math.abs(number) > Number(MAX_INT)) return null;
  const [mantissa = "", exponent = "0"] = text.toLowerCase().split("e");
  const [whole = "", fraction = ""] = mantissa.split(".");
  const digits = whole + fraction;
  const places = digits.length - fraction.length + Number(exponent);
  if (/[1-9]/.test(digits.slice(places))) return null;
  const integer = BigInt(digits.slice(0, places).padEnd(places, "0"));
  return isInt(integer) && integer !== BigInt(number) ? integer : null;
}
