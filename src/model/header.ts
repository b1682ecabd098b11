/**
 * Headers of a call as configuration, mappings and modules name them: which names there are, which of them nobody may
 * set, and what a value may hold (RFC 9110 §5).
 *
 * A value is text until it reaches the wire; `wireValue` alone makes bytes of it.
 */

const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;

/**
 * What the connection or the bridge sets itself: what decides where a message goes, where it ends and what comes after
 * it, what HTTP/2 knows no more (RFC 9113 §8.2.2), what is for a proxy on the way, and the request's id. `__proto__` is
 * no key of an object as others are.
 */
const RESERVED =
  /^(?:host|content-length|transfer-encoding|connection|keep-alive|upgrade|http2-settings|te|trailer|expect|proxy-.*|x-request-id|__proto__)$/;

/** @param name in lower case */
export function isHeaderName(name: string): boolean {
  return NAME.test(name);
}

/** Whether a header is the bridge's own, and can be set by nobody else. */
export function isReservedHeader(name: string): boolean {
  return RESERVED.test(name);
}

/** Whether a text fits into the one line that a header's value is. */
export function isHeaderValue(text: string): boolean {
  return !/[\0-\x08\x0a-\x1f\x7f]/.test(text);
}

/**
 * A value as undici takes it. undici writes each character below U+0100 as one byte (Latin-1) and refuses others, so each
 * byte of the text's UTF-8 is handed over as the character of that number.
 */
export function wireValue(text: string): string {
  return /^[\x00-\x7f]*$/.test(text) ? text : Buffer.from(text, "utf8").toString("latin1");
}

/** The text that a value on the wire stands for: its UTF-8, or Latin-1 where it is none, as it was of old. */
export function textOfWire(bytes: Buffer): string {
  const text = bytes.toString("latin1");
  if (!/[\x80-\xff]/.test(text)) return text;
  const decoded = bytes.toString("utf8");
  return decoded.includes("\ufffd") ? text : decoded;
}
