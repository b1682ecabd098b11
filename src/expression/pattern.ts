/**
 * The patterns of `matches`: RE2 syntax, linear time. cel-js would build a backtracking RegExp on each call, with which
 * a sender can hold up the process for minutes.
 */
import { RE2JS } from "re2js";

/** Tells whether a text has a match anywhere. */
export type Pattern = (text: string) => boolean;

/** A pattern that comes out of a reply may be no longer. */
const MAX_DYNAMIC_LENGTH = 1_000;
const MAX_CACHED = 200;

/** Throws an Error whose message says what is wrong with the pattern. */
export function compilePattern(source: string): Pattern {
  const pattern = RE2JS.compile(source);
  return (text) => pattern.test(text);
}

const cache = new Map<string, Pattern>();

/** The same for a pattern known only when the expression runs; the latest ones are kept. */
export function cachedPattern(source: string): Pattern {
  const known = cache.get(source);
  if (known !== undefined) return known;
  if (source.length > MAX_DYNAMIC_LENGTH)
    throw new Error(`it is longer than ${MAX_DYNAMIC_LENGTH} characters`);
  const pattern = compilePattern(source);
  if (cache.size >= MAX_CACHED) cache.delete(cache.keys().next().value ?? "");
  cache.set(source, pattern);
  return pattern;
}
