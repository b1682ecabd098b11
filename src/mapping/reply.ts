/**
 * A reply as rules see it: `status`, `headers`, `body`, `text`, `fault`.
 *
 * Nothing is decoded or parsed before a rule asks for it. A body that claims to be JSON or XML and is not readable as
 * such throws `UnreadableReply` when it is asked for, and `unreadable` then says why: the expression engine's `||` would
 * swallow the exception, but a reply that was needed and could not be read must not lead to a permit.
 */
import { JSON_LIMIT, JsonError, parseJson, parseJsonForExpressions } from "../expression/json.ts";
import type { UpstreamReply } from "../model/exchange.ts";
import { type ContentType, charsetOf, decodeText, readContentType } from "./charset.ts";
import { openEnvelope, type SoapFault } from "./soap.ts";
import { parseXml, XML_LIMIT, XmlError } from "./xml.ts";
import { xmlMembers } from "./xml-tree.ts";

export class UnreadableReply extends Error {}

export interface ReplyOptions {
  /** The largest XML body that is parsed, in bytes. Parsing blocks the process. */
  readonly xmlLimit?: number | undefined;
  /** The same for JSON. */
  readonly jsonLimit?: number | undefined;
  /** For modules: JSON as plain objects, whatever their members' names. */
  readonly plain?: boolean;
}

interface Content {
  readonly body: unknown;
  readonly fault: SoapFault | null;
}

/** In bytes: a Fault with a long stack trace. */
const SHORT = 16_384;
/** Of a longer one, in bytes. */
const BEGINNING = 4096;

const NO_CONTENT: Content = { body: null, fault: null };

export class ReplyView {
  /** Why the body could not be read, once that was tried. */
  unreadable: string | null = null;
  readonly #reply: UpstreamReply;
  readonly #options: ReplyOptions;
  #contentType: ContentType | undefined;
  #text: string | undefined;
  #content: Content | undefined;

  constructor(reply: UpstreamReply, options: ReplyOptions = {}) {
    this.#reply = reply;
    this.#options = options;
  }

  /** A map of the kind that expressions know, made when one asks. */
  get headers(): ReadonlyMap<string, string> {
    return new Map(this.#reply.headers);
  }

  get status(): number {
    return this.#reply.status;
  }

  /** The body as text, in whatever character set it came. */
  get text(): string {
    this.#text ??= this.#decode();
    return this.#text;
  }

  /** Parsed JSON or XML, or what is inside a SOAP Body; null where it is neither. */
  get body(): unknown {
    return this.#parsed().body;
  }

  /** The SOAP Fault; null where it is none. */
  get fault(): SoapFault | null {
    return this.#parsed().fault;
  }

  /** The same for messages: null also where it is not readable, or so long that nobody should wait for it. */
  shortFault(): SoapFault | null {
    if (this.#content === undefined && this.#reply.body.length > SHORT) return null;
    try {
      return this.fault;
    } catch (error) {
      if (error instanceof UnreadableReply) return null;
      throw error;
    }
  }

  /** The body for messages, not cleaned; empty where it cannot be read, or is a Fault, of which `shortFault` tells. */
  shortText(): string {
    const { body } = this.#reply;
    // Most of what is long is ASCII in every character set.
    if (this.#text === undefined && body.length > SHORT) return body.toString("utf8", 0, BEGINNING);
    try {
      return this.shortFault() === null ? this.text : "";
    } catch (error) {
      if (error instanceof UnreadableReply) return "";
      throw error;
    }
  }

  /** What rules have read until now, by the variable's name, for messages. */
  get seen(): ReadonlyMap<string, unknown> {
    const seen = new Map<string, unknown>([["headers", this.headers]]);
    if (this.#text !== undefined) seen.set("text", this.#text);
    // What is neither JSON nor XML has no body that could be of another shape.
    if (this.#content !== undefined && this.#content !== NO_CONTENT) seen.set("body", this.#content.body);
    return seen;
  }

  get empty(): boolean {
    return this.#reply.body.length === 0;
  }

  /** What the reply says it is, for messages; not cleaned. */
  get type(): string {
    return this.#contentTypeOf().type;
  }

  #contentTypeOf(): ContentType {
    this.#contentType ??= readContentType(this.#reply.headers.get("content-type"));
    return this.#contentType;
  }

  #parsed(): Content {
    if (this.unreadable !== null) throw new UnreadableReply(this.unreadable);
    this.#content ??= this.#parse();
    return this.#content;
  }

  #parse(): Content {
    const format = formatOf(this.type);
    if (format === "html" || this.#reply.body.length === 0) return NO_CONTENT;
    const text = this.text;
    const first = /\S/.exec(text)?.[0];
    if (first === undefined) return NO_CONTENT;
    if (format === "json" || (format === null && (first === "{" || first === "["))) return this.#json(text);
    if (format === "xml" || (format === null && first === "<")) return this.#xml(text);
    return NO_CONTENT;
  }

  #json(text: string): Content {
    const limit = this.#options.jsonLimit ?? JSON_LIMIT;
    if (this.#reply.body.length > limit) this.#tooLarge("JSON", limit, "max_json_size");
    try {
      const parse = this.#options.plain ? parseJson : parseJsonForExpressions;
      return { body: parse(text, limit), fault: null };
    } catch (error) {
      if (error instanceof JsonError) this.#fail(`the reply is not readable as JSON: ${error.message}`);
      throw error;
    }
  }

  #xml(text: string): Content {
    const limit = this.#options.xmlLimit ?? XML_LIMIT;
    if (this.#reply.body.length > limit) this.#tooLarge("XML", limit, "max_xml_size");
    try {
      const root = parseXml(text, limit);
      return openEnvelope(root, limit) ?? { body: xmlMembers([root]), fault: null };
    } catch (error) {
      if (error instanceof XmlError) this.#fail(`the reply is not readable as XML: ${error.message}`);
      throw error;
    }
  }

  #decode(): string {
    if (this.unreadable !== null) throw new UnreadableReply(this.unreadable);
    const bytes = this.#reply.body;
    const contentType = this.#contentTypeOf();
    const charset = charsetOf(bytes, contentType, formatOf(contentType.type) !== "json");
    return decodeText(bytes, charset) ?? this.#fail(`the reply's character set "${charset}" is not known`);
  }

  #tooLarge(format: string, limit: number, key: string): never {
    return this.#fail(
      `the reply is ${format} of more than ${limit} bytes; ${key} of the service allows more, at the cost of others' time`,
    );
  }

  #fail(reason: string): never {
    this.unreadable = reason;
    throw new UnreadableReply(reason);
  }
}

function formatOf(type: string): "json" | "xml" | "html" | null {
  if (type === "text/html" || type === "application/xhtml+xml") return "html";
  if (type === "application/json" || type === "text/json" || type.endsWith("+json")) return "json";
  if (type === "application/xml" || type === "text/xml" || type.endsWith("+xml")) return "xml";
  return null;
}
