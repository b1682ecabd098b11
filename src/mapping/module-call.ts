/**
 * What a module's `toRequest` gave, checked as a mapping's own text is when it is loaded: only what HTTP can carry, and
 * only what is a mapping's business.
 */

import { sanitizeText } from "../model/action.ts";
import type { UpstreamRequest } from "../model/exchange.ts";
import { isPlainObject } from "../model/plain-object.ts";
import { headerNameProblem } from "./render/headers.ts";
import { isDotSegment } from "./render/url.ts";

/** Printable ASCII without what a URL's path and query cannot hold. */
const PATH = /^(?:[/?](?:[!$&-;=?-Z_a-z~@[\]]|%[0-9a-fA-F]{2})*)?$/;

/**
 * A call ready to be made, or what is wrong with it. Left out, the method is POST where there is a body and GET where
 * there is none, the path is the service's own URL.
 */
export function checkCall(value: unknown): UpstreamRequest | { readonly problem: string } {
  if (!isPlainObject(value)) return { problem: "it must give an object { method, path, headers, body }" };
  const { body = null, path = "", headers = {} } = value;
  const method = value.method ?? (body === null ? "GET" : "POST");
  if (typeof method !== "string" || !/^[A-Z]{1,20}$/.test(method) || method === "CONNECT") {
    return { problem: "method must be text in upper case, such as POST" };
  }
  if (typeof path !== "string" || !PATH.test(path)) {
    return { problem: 'path must be text, escaped as in a URL, that is empty or begins with "/" or "?"' };
  }
  const [segments = ""] = path.split("?", 1);
  if (segments.split("/").some(isDotSegment)) return { problem: "path cannot have . or .. as a segment" };
  if (body !== null && typeof body !== "string") {
    return { problem: "body must be text or null; JSON.stringify(…) makes text of an object" };
  }
  const checked = checkHeaders(headers);
  return "problem" in checked ? checked : { method, path, headers: checked.headers, body };
}

function checkHeaders(
  headers: unknown,
): { readonly headers: Record<string, string> } | { readonly problem: string } {
  if (!isPlainObject(headers)) return { problem: "headers must be an object of texts" };
  const checked: Record<string, string> = {};
  for (const [key, value] of Object.entries(headers)) {
    const name = key.toLowerCase();
    const problem = headerNameProblem(name);
    if (problem !== null) return { problem };
    const shown = `the header "${name}"`;
    if (typeof value !== "string") return { problem: `${shown} must be text` };
    if (/[\x00-\x1f\x7f]/.test(value)) return { problem: `${shown} holds a line break or control character` };
    checked[name] = value;
  }
  return { headers: checked };
}

/** What was thrown, as one line for the log. */
export function thrownMessage(error: unknown): string {
  if (error instanceof Error) return sanitizeText(`${error.name}: ${error.message}`);
  return sanitizeText(
    typeof error === "string" ? error : `a value that is no Error (${typeof error}) was thrown`,
  );
}
