/**
 * The parser of policy requests: bytes in, attributes out (SMTPD_POLICY_README, "Protocol description").
 *
 * It knows bytes, lines and limits, and nothing of sockets. `push` takes bytes in any chunking, `next`
 * gives the requests that are complete, one at a time. Lines end with LF or CRLF; empty lines before a
 * request are ignored; of a repeated name the first value counts; bytes that are no UTF-8 become U+FFFD.
 * What is no policy request comes back as a `Malformed` value, and from then on the parser is dead: after
 * a mistake nobody knows where the next request begins.
 *
 * The ordinary request, whole in one chunk, is found with one search and decoded at once. Everything else
 * (pieces, CRLF, anything odd) goes line by line, and this slow way alone says what is wrong.
 */

import { type Attributes, readAttributes } from "./attributes.ts";

/** Limits, checked as bytes come in: what is over one of them is never stored. */
export interface ParserLimits {
  /** Longest line in bytes, its end not counted. */
  readonly lineBytes: number;
  /** Most lines `name=value` in one request. */
  readonly attributes: number;
  /** Longest request in bytes, line ends counted. */
  readonly requestBytes: number;
}

/** Far more than Postfix sends: about thirty attributes, half a kilobyte. */
export const DEFAULT_PARSER_LIMITS: ParserLimits = {
  lineBytes: 32 * 1024,
  attributes: 512,
  requestBytes: 128 * 1024,
};

/** What the client sent is no policy request. */
export interface Malformed {
  /** For the log: what is wrong. No control characters. */
  readonly problem: string;
  /** The line within the request, from 1. */
  readonly line: number;
}

const LF = 0x0a;
const CR = 0x0d;
const NOTHING = Buffer.alloc(0);
const UNKNOWN = -2;
const NONE = -1;

/**
 * @example
 * const parser = new PolicyParser();
 * parser.push(Buffer.from("sender=a@example.net\n\n"));
 * parser.next(); // Map { "sender" → "a@example.net" }
 * parser.next(); // undefined: more bytes are needed
 */
export class PolicyParser {
  readonly #limits: ParserLimits;

  /** What was pushed and not yet consumed is #buffer[#start, #end). */
  #buffer: Buffer = NOTHING;
  #start = 0;
  #end = 0;
  /** False while #buffer is the client's chunk itself, which must not be written to. */
  #owned = false;
  /** Where the next LF LF is, so that many short requests in one chunk don't each search all of it. */
  #blankLine = UNKNOWN;

  /** The request that is being read line by line. */
  #attributes: Map<string, string> | null = null;
  #lines = 0;
  #bytes = 0;
  /** Up to here there is no LF in the line that has begun. */
  #searched = 0;

  #malformed: Malformed | null = null;

  constructor(limits: ParserLimits = DEFAULT_PARSER_LIMITS) {
    this.#limits = limits;
  }

  /** Bytes held that `next` has not consumed. */
  get buffered(): number {
    return this.#end - this.#start;
  }

  /** Whether a request has begun; ask after `next` has given undefined. */
  get begun(): boolean {
    return this.#attributes !== null || this.#end > this.#start;
  }

  /** Adds bytes. The chunk is kept as it is, not copied, where nothing is waiting before it. */
  push(chunk: Buffer): void {
    if (this.#malformed !== null) return;
    this.#blankLine = UNKNOWN;
    if (this.#start === this.#end) {
      this.#hold(chunk, chunk.length, false);
      return;
    }
    const held = this.#end - this.#start;
    if (!this.#owned || this.#end + chunk.length > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(2 * (held + chunk.length), 1024));
      this.#buffer.copy(larger, 0, this.#start, this.#end);
      this.#searched -= this.#start;
      this.#buffer = larger;
      this.#start = 0;
      this.#end = held;
      this.#owned = true;
    }
    chunk.copy(this.#buffer, this.#end);
    this.#end += chunk.length;
  }

  /** The next complete request; `Malformed`, now and ever after; or undefined when more bytes are needed. */
  next(): Attributes | Malformed | undefined {
    if (this.#malformed !== null) return this.#malformed;
    if (this.#attributes === null) this.#skipEmptyLines();
    if (this.#start === this.#end) {
      this.#hold(NOTHING, 0, false);
      return undefined;
    }
    const untouched = this.#attributes === null && this.#searched === this.#start;
    return (untouched ? this.#nextWhole() : undefined) ?? this.#nextByLine();
  }

  #hold(buffer: Buffer, end: number, owned: boolean): void {
    this.#buffer = buffer;
    this.#start = 0;
    this.#end = end;
    this.#searched = 0;
    this.#owned = owned;
  }

  #skipEmptyLines(): void {
    const before = this.#start;
    let at = before;
    while (at < this.#end) {
      const byte = this.#buffer[at];
      if (byte === LF) at += 1;
      else if (byte === CR && at + 1 < this.#end && this.#buffer[at + 1] === LF) at += 2;
      else break;
    }
    if (at === before) return;
    this.#start = at;
    this.#searched = at;
  }

  /** The request at hand if it is whole and in every way ordinary; undefined leaves it to the slow way. */
  #nextWhole(): Attributes | undefined {
    const end = this.#findBlankLine();
    if (end === NONE) return undefined;
    const length = end - this.#start;
    if (length > this.#limits.lineBytes || length + 2 > this.#limits.requestBytes) return undefined;
    const text = this.#buffer.toString("utf8", this.#start, end + 1);
    if (text.includes("\r") || text.includes("\0")) return undefined;

    const attributes = readAttributes(text, this.#buffer, this.#start, end + 1, this.#limits.attributes);
    if (attributes === undefined || requestTypeProblem(attributes) !== undefined) return undefined;

    this.#start = end + 2;
    this.#searched = this.#start;
    return attributes;
  }

  #findBlankLine(): number {
    if (this.#blankLine === NONE || this.#blankLine >= this.#start) return this.#blankLine;
    const found = this.#buffer.indexOf("\n\n", this.#start, "latin1");
    this.#blankLine = found !== -1 && found + 2 <= this.#end ? found : NONE;
    return this.#blankLine;
  }

  #nextByLine(): Attributes | Malformed | undefined {
    while (this.#start < this.#end) {
      const found = this.#buffer.indexOf(LF, this.#searched);
      const lineEnd = found !== -1 && found < this.#end ? found : NONE;
      const length = (lineEnd === NONE ? this.#end : lineEnd) - this.#start;
      const tooLong = this.#sizeProblem(length, lineEnd !== NONE);
      if (tooLong !== undefined) return this.#fail(tooLong);
      if (lineEnd === NONE) {
        this.#searched = this.#end;
        return undefined;
      }

      const line = this.#takeLine(lineEnd);
      if (line === "") {
        const complete = this.#attributes;
        this.#attributes = null;
        this.#lines = 0;
        this.#bytes = 0;
        if (complete !== null) return complete;
        continue;
      }
      const problem = this.#addLine(line);
      if (problem !== undefined) return this.#fail(problem, this.#lines);
    }
    return undefined;
  }

  /** Which limit the line at hand is over: the one that its bytes reach first, in whatever pieces they come. */
  #sizeProblem(length: number, ended: boolean): string | undefined {
    const { lineBytes, requestBytes } = this.#limits;
    const left = requestBytes - this.#bytes;
    if (length > lineBytes && lineBytes < left) return `a line is longer than ${lineBytes} bytes`;
    if (length + (ended ? 1 : 0) > left) return `the request is longer than ${requestBytes} bytes`;
    return undefined;
  }

  #takeLine(lineEnd: number): string {
    const crlf = lineEnd > this.#start && this.#buffer[lineEnd - 1] === CR;
    const line = this.#buffer.toString("utf8", this.#start, crlf ? lineEnd - 1 : lineEnd);
    this.#bytes += lineEnd + 1 - this.#start;
    this.#start = lineEnd + 1;
    this.#searched = this.#start;
    return line;
  }

  #addLine(line: string): string | undefined {
    this.#lines += 1;
    if (this.#lines > this.#limits.attributes) return `more than ${this.#limits.attributes} attributes`;
    if (line.includes("\0")) return "a NUL byte";
    const equals = line.indexOf("=");
    if (equals === -1) return `no "=" in ${excerpt(line)}`;
    if (equals === 0) return `no attribute name before "=" in ${excerpt(line)}`;
    const name = line.slice(0, equals);
    this.#attributes ??= new Map();
    if (!this.#attributes.has(name)) this.#attributes.set(name, line.slice(equals + 1));
    return name === "request" ? requestTypeProblem(this.#attributes) : undefined;
  }

  #fail(problem: string, line = this.#lines + 1): Malformed {
    this.#malformed = { problem, line };
    this.#attributes = null;
    this.#hold(NOTHING, 0, false);
    return this.#malformed;
  }
}

export function isMalformed(next: Attributes | Malformed): next is Malformed {
  return "problem" in next;
}

/** People who try a policy server by hand leave `request=` out; anything else in it is another protocol. */
function requestTypeProblem(attributes: Attributes): string | undefined {
  const type = attributes.get("request");
  if (type === undefined || type === "smtpd_access_policy") return undefined;
  return `unknown request type ${excerpt(type)}, expected smtpd_access_policy`;
}

/** The beginning of what a client sent, fit for a log line and a terminal. */
function excerpt(text: string): string {
  const shown = text.slice(0, 40).replace(/[^\x20-\x7e]/g, "?");
  return `"${shown}"${text.length > 40 ? "..." : ""}`;
}
