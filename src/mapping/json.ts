/**
 * JSON text to values, for text that cannot be trusted: nesting is limited, and what is cut off or no JSON throws
 * `JsonError`.
 */

export class JsonError extends Error {}

/** As deep as XML may be nested. */
const MAX_DEPTH = 100;

/**
 * The value of a JSON text: objects, arrays, strings, numbers, booleans, null.
 *
 * @throws JsonError with a message for people that quotes nothing of the text
 */
export function parseJson(text: string): unknown {
  // Each level takes a character to open and one to close: a short text cannot be too deep.
  if (text.length > 2 * MAX_DEPTH) limitDepth(text);
  try {
    return JSON.parse(text);
  } catch {
    throw new JsonError("it is cut off or no JSON");
  }
}

/**
 * The same as `parseJson`, as expressions take it: where a member is named `constructor`, on which the expression
 * engine fails (it tells types by that property), every object is a Map instead.
 */
export function parseJsonForExpressions(text: string): unknown {
  const value = parseJson(text);
  return MAY_SPELL_CONSTRUCTOR.test(text) ? toMaps(value) : value;
}

// `\u0063` is a `c`: a name can be written with escapes.
const MAY_SPELL_CONSTRUCTOR = /constructor|\\u00[67]/;

function toMaps(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toMaps);
  if (typeof value !== "object" || value === null) return value;
  return new Map(Object.entries(value).map(([name, member]) => [name, toMaps(member)]));
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

function limitDepth(text: string): void {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case QUOTE:
        i = endOfString(text, i);
        break;
      case 0x5b: // [
      case 0x7b: // {
        if (++depth > MAX_DEPTH) throw new JsonError(`it is nested deeper than ${MAX_DEPTH} levels`);
        break;
      case 0x5d: // ]
      case 0x7d: // }
        depth--;
        break;
    }
  }
}

function endOfString(text: string, start: number): number {
  let i = start + 1;
  for (; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) break;
    if (code === BACKSLASH) i++;
  }
  return i;
}
