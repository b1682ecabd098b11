/** JSON strings for log lines that are put together by hand. */

/** What JSON would escape, and what no terminal should see. */
const NEEDS_ESCAPE = /[^\x20-\x21\x23-\x5b\x5d-\x7e\xa0-\u2027\u2030-\u2065\u2070-\ud7ff\ue000-\uffff]/;

// C0 characters never stand raw in JSON; these do.
const BEYOND_JSON = /[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;
const EACH_BEYOND_JSON = new RegExp(BEYOND_JSON, "g");

/**
 * What stands between the quotes of a JSON string, such that no terminal takes it for more than text. The quotes are left
 * to whoever puts a line together: the fewer pieces it has, the less it costs.
 *
 * @example quoted('a"b') === 'a\\"b'
 */
export function quoted(text: string): string {
  return NEEDS_ESCAPE.test(text) ? escapeControls(JSON.stringify(text).slice(1, -1)) : text;
}

/** Escapes, in a line of JSON, the control characters that JSON leaves as they are. */
export function escapeControls(line: string): string {
  if (!BEYOND_JSON.test(line)) return line;
  return line.replace(EACH_BEYOND_JSON, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
