/**
 * How long a reply may be used again: the operator's times, unless the reply says something itself
 * (Cache-Control: RFC 9111 §5.2.2, stale-if-error: RFC 5861 §4).
 *
 * A reply may always ask for less. It gets more only up to the operator's bounds: a service that speaks for somebody
 * else for a minute must not leave permits behind that outlive what the operator reckoned with.
 */

/** What the configuration says, in milliseconds. */
export interface Lifetimes {
  readonly ttl: number;
  /** The longest that a reply may ask for in place of `ttl`. */
  readonly maxTtl: number;
  /** A reply may ask for less, but for no more. */
  readonly staleIfError: number;
}

/** In milliseconds since 1970. */
export interface Freshness {
  readonly freshUntil: number;
  readonly staleUntil: number;
}

/** No reply is used longer, whatever it says of itself: 30 days in milliseconds. */
const LONGEST = 30 * 24 * 3600 * 1000;
/** From a decision to the end of what is remembered of it, fresh and stale, in milliseconds. */
export const LONGEST_LIFE = 2 * LONGEST;

/**
 * Until when a reply that was complete at `now` may be used; null when it must not be remembered.
 *
 * @example freshness(new Map([["cache-control", "max-age=60"]]), now, lifetimes).freshUntil === now + 60_000
 */
export function freshness(
  headers: ReadonlyMap<string, string>,
  now: number,
  lifetimes: Lifetimes,
): Freshness | null {
  const text = headers.get("cache-control");
  if (text === undefined) {
    const freshUntil = now + lifetimes.ttl;
    return { freshUntil, staleUntil: freshUntil + lifetimes.staleIfError };
  }
  const directives = parseDirectives(text);
  if (directives.has("no-store")) return null;
  const age = seconds(headers.get("age")) ?? 0;
  const maxAge = seconds(directives.get("s-maxage")) ?? seconds(directives.get("max-age"));
  const fresh = directives.has("no-cache")
    ? 0
    : maxAge === undefined
      ? lifetimes.ttl
      : Math.max(0, maxAge - age);
  const strict = directives.has("must-revalidate") || directives.has("proxy-revalidate");
  const stale = strict ? 0 : (seconds(directives.get("stale-if-error")) ?? lifetimes.staleIfError);
  const freshUntil = now + Math.min(fresh, lifetimes.maxTtl, LONGEST);
  return { freshUntil, staleUntil: freshUntil + Math.min(stale, lifetimes.staleIfError) };
}

/** Names in lower case; of a repeated one the first. */
function parseDirectives(text: string): ReadonlyMap<string, string> {
  const directives = new Map<string, string>();
  for (const part of text.split(",")) {
    const [name = "", value = ""] = part.split("=", 2);
    const known = name.trim().toLowerCase();
    if (!directives.has(known)) directives.set(known, value.trim().replace(/^"(.*)"$/, "$1"));
  }
  return directives;
}

/** delta-seconds (RFC 9111 §1.2.2) in milliseconds; what is no number counts as none left (§4.2.1). */
function seconds(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  return /^\d+$/.test(text) ? Number(text) * 1000 : 0;
}
