/**
 * Bytes of a reply to text: which character set, and the decoding.
 *
 * A byte order mark wins (it is in the bytes themselves), then Content-Type's `charset`, then an XML declaration's
 * `encoding`, then UTF-8. The mark is dropped. Bytes that are invalid in their character set become U+FFFD; a character
 * set that nobody knows gives null.
 */

/** A Content-Type field, taken apart (RFC 9110 §8.3). */
export interface ContentType {
  /** `application/json`, in lower case; empty where none was sent. */
  readonly type: string;
  /** The `charset` parameter; empty where there is none. */
  readonly charset: string;
}

const CHARSET = /;\s{0,20}charset\s{0,20}=\s{0,20}(?:"([^"]*)"|([^\s;"]+))/i;
const XML_ENCODING = /^<\?xml[\s][^>]{0,200}?\sencoding\s{0,20}=\s{0,20}["']([A-Za-z0-9._:-]{1,40})["']/;
const DECLARATION_BYTES = 256;

const NOTHING_SAID: ContentType = { type: "", charset: "" };

/** The last field that was read: a service says the same thing each time. */
let last: { readonly field: string; readonly read: ContentType } = { field: "", read: NOTHING_SAID };

export function readContentType(field: string | undefined): ContentType {
  if (field === undefined) return NOTHING_SAID;
  if (field !== last.field) last = { field, read: takeApart(field) };
  return last.read;
}

function takeApart(field: string): ContentType {
  const end = field.indexOf(";");
  if (end === -1) return { type: field.trim().toLowerCase(), charset: "" };
  const match = CHARSET.exec(field.slice(end));
  return { type: field.slice(0, end).trim().toLowerCase(), charset: match?.[1] ?? match?.[2] ?? "" };
}

/**
 * The character set of a reply's bytes, as it was named; `utf-8` where nothing names one.
 *
 * @param xml whether an XML declaration counts
 */
export function charsetOf(bytes: Buffer, contentType: ContentType, xml: boolean): string {
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return "utf-16be";
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return "utf-16le";
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return "utf-8";
  if (contentType.charset !== "") return contentType.charset;
  if (!xml) return "utf-8";
  const declared = XML_ENCODING.exec(bytes.toString("latin1", 0, DECLARATION_BYTES))?.[1] ?? "utf-8";
  // A declaration that could be read byte by byte is not in UTF-16, though .NET's StringWriter says so.
  return /^(?:utf-?16|ucs-?2|unicode$)/i.test(declared) ? "utf-8" : declared;
}

/** The text of `bytes`, without byte order mark; null if the character set is unknown. */
export function decodeText(bytes: Buffer, charset: string): string | null {
  const name = charset.toLowerCase();
  if (name === "utf-8" || name === "utf8") {
    const start = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
    return bytes.toString("utf8", start);
  }
  try {
    return new TextDecoder(name).decode(bytes);
  } catch {
    return null;
  }
}
