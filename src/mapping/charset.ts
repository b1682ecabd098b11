/**
 * Bytes of a reply to text: which character set, and the decoding.
 *
 * A byte order mark wins (it is in the bytes themselves), then Content-Type's `charset`, then an XML declaration's
 * `encoding`, then UTF-8. The mark is dropped. Bytes that are invalid in their character set become U+FFFD; a character
 * set that nobody knows gives null, unless the bytes are plain UTF-8 (`charset=utf8mb4`).
 */
import { isUtf8 } from "node:buffer";

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

/** A media type with its parameters (RFC 9110 §8.3.1). */
const MEDIA_TYPE =
  /^\s{0,20}[!#$%&'*+.^`|~\w-]+\/[!#$%&'*+.^`|~\w-]+(?:\s{0,20};\s{0,20}[!#$%&'*+.^`|~\w-]+\s{0,20}=\s{0,20}(?:"[^"]*"|[^\s;"]+))*\s{0,20};?\s{0,20}$/;

/** Of a field that was sent several times, the last that is one (RFC 9110 §8.3); `field` where it stands alone. */
function lastOf(field: string): string {
  if (!field.includes(",")) return field;
  const each = field.match(/(?:"[^"]*"|[^,"])+/g) ?? [];
  return each.findLast((one) => MEDIA_TYPE.test(one)) ?? field;
}

function takeApart(all: string): ContentType {
  const field = lastOf(all);
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

/** They are unknown, and their bytes may look like UTF-8 and mean something else. */
const SEVEN_BIT = /utf-?7|^hz|gb-?2312/;

/** The text of `bytes`, without byte order mark; null if the character set is unknown and they are not plain UTF-8. */
export function decodeText(bytes: Buffer, charset: string): string | null {
  const name = charset.toLowerCase();
  if (name === "utf-8" || name === "utf8") {
    const start = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
    return bytes.toString("utf8", start);
  }
  try {
    return new TextDecoder(name).decode(bytes);
  } catch {
    // NUL and ESC: what has several bytes for each character (UTF-32), or changes its meaning on the way (ISO 2022).
    const isPlain = isUtf8(bytes) && !bytes.includes(0) && !bytes.includes(0x1b) && !SEVEN_BIT.test(name);
    return isPlain ? bytes.toString("utf8") : null;
  }
}
