/** Strings of JSON for lines that are put together by hand, and lines of JSON that a terminal may show. */
import { EACH_UNSAFE, UNSAFE } from "./unsafe.ts";

/** What JSON would escape, and what may have to be. */
const MAY_NEED_ESCAPE = /[^\x20-\x21\x23-\x5b\x5d-\x7e]/;
/** White space between the members of JSON stays. */
const MAY_BE_UNSAFE = /[^\n\x20-\x7e]/;

/**
 * What stands between the quotes of a JSON string, such that no terminal takes it for more than text. The quotes are left
 * to whoever puts a line together: the fewer pieces it has, the less it costs.
 *
 * @example quoted('a"b') === 'a\\"b'
 */
export function quoted(text: string): string {
  return MAY_NEED_ESCAPE.test(text) ? safeJson(JSON.stringify(text).slice(1, -1)) : text;
}

/** JSON that means the same, in which unsafe characters are escaped that JSON leaves as they are. */
export function safeJson(json: string): string {
  if (!MAY_BE_UNSAFE.test(json) || !UNSAFE.test(json)) return json;
  return json.replace(EACH_UNSAFE, (character) => (character === "\n" ? character : escaped(character)));
}

function escaped(character: string): string {
  let units = "";
  for (let at = 0; at < character.length; at++) {
    units += `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`;
  }
  return units;
}
