/** Where a call goes: a service's URL and a mapping's path, joined. */
import type { UpstreamRequest } from "../model/exchange.ts";
import type { Failure } from "../model/failure.ts";
import type { Authenticator } from "./auth.ts";

/**
 * Gives a function that joins a call's path to the URL's. The path is not normalized: `.` and `..` are
 * the mapping's to refuse, and what it wrote is what is sent.
 *
 *     pathJoiner(new URL("https://x/api/"))("/v1/check")    // "/api/v1/check"
 *     pathJoiner(new URL("https://x/api?k=1"))("?a=b")      // "/api?k=1&a=b"
 */
export function pathJoiner(base: URL): (path: string) => string {
  const { pathname, search } = base;
  const prefix = pathname.replace(/\/+$/, "");
  const join = (path: string): string => {
    if (path === "") return pathname;
    return path.startsWith("/") ? prefix + path : pathname + path;
  };
  if (search === "") return join;
  return (path) => {
    const joined = join(path);
    const query = joined.indexOf("?");
    if (query === -1) return joined + search;
    return `${joined.slice(0, query)}${search}&${joined.slice(query + 1)}`;
  };
}

/** Why a call cannot stand in a request line (RFC 9112 §3), or null. A module may have made it. */
export function unsendable(request: UpstreamRequest): Failure | null {
  const { method, path } = request;
  if (method !== "POST" && method !== "GET" && (!/^[A-Z]{1,20}$/.test(method) || method === "CONNECT")) {
    return {
      cause: "mapping_error",
      detail: `${JSON.stringify(method)} is no method for a call, as POST is`,
    };
  }
  if (!/^(?:[/?][\x21-\x7e]*)?$/.test(path)) {
    const detail = 'the path does not begin with "/" or "?", or holds what must be %-encoded';
    return { cause: "mapping_error", detail };
  }
  return null;
}

/**
 * Adds a parameter to the query of a call's path, which must not have it yet.
 *
 *     withQuery("/check?a=b", { name: "key", pair: () => "key=1" })    // "/check?a=b&key=1"
 */
export function withQuery(
  path: string,
  { name, pair }: NonNullable<Authenticator["query"]>,
): string | Failure {
  const at = path.indexOf("?");
  if (at === -1) return `${path}?${pair()}`;
  if (new URLSearchParams(path.slice(at)).has(name)) {
    const detail = `the mapping sets the query parameter ${JSON.stringify(name)}, which is auth's to set`;
    return { cause: "mapping_error", detail };
  }
  return `${path}&${pair()}`;
}
