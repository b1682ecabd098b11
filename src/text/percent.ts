/** Percent-encoding (RFC 3986 §2.1): every byte that is not unreserved. */

/**
 * A value for any place in a URL: nothing but letters, digits, `-`, `.`, `_`, `~` and `%XX` is left. Half a
 * surrogate pair, which UTF-8 cannot hold, becomes U+FFFD.
 */
export function percentEncode(value: string): string {
  if (/^[A-Za-z0-9._~-]*$/.test(value)) return value;
  return encodeURIComponent(wellFormed(value)).replace(/[!'()*]/g, hexEscape);
}

function wellFormed(value: string): string {
  return value.replace(/[\ud800-\udfff]/gu, "\ufffd");
}

function hexEscape(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}
