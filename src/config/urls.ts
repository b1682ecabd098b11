/** The URLs of a service. */
import type { Path } from "../source/position.ts";
import type { Report } from "./report.ts";

/** The URLs in their order, without those that have a problem, which is in the report. */
export function readUrls(raw: string | readonly string[], path: Path, report: Report): readonly string[] {
  const entries: readonly (readonly [string, Path])[] =
    typeof raw === "string" ? [[raw, path]] : raw.map((url, index) => [url, [...path, index]] as const);
  const urls = new Set<string>();
  for (const [text, at] of entries) {
    const problem = urlProblem(text) ?? (urls.has(text) ? "this URL stands in the list twice" : undefined);
    if (problem === undefined) urls.add(text);
    else report.error(at, problem);
  }
  return [...urls];
}

/** What is wrong with the URL of a service; never quotes it, since it may hold a password. */
export function urlProblem(text: string): string | undefined {
  if (!/^https?:\/\//.test(text)) return "expected a URL that begins with https:// or http://";
  if (/[\s{}\\]/.test(text))
    return "a URL holds no blanks, braces or backslashes; what varies by request is the mapping's path";
  if (!URL.canParse(text)) return "this is no URL; expected one such as https://authz.example.com/api";
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") {
    return "credentials do not belong in a URL, where logs show them; write auth: { basic: { username: …, password: … } }";
  }
  if (url.search !== "" || url.hash !== "") {
    return "a service's URL ends before ? and #; a query is the mapping's";
  }
  return undefined;
}
