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
  if (text.startsWith("unix:")) return socketProblem(text.slice("unix:".length));
  if (/^https?:\/\/unix(:|%3a|\/)/i.test(text)) {
    return "a service at a socket file is named by its path, as in url: unix:/run/opa.sock; its path over HTTP is the mapping's, its name `host`";
  }
  if (!/^https?:\/\//.test(text)) {
    return "expected a URL that begins with https:// or http://, or the path of a socket file, as in unix:/run/opa.sock";
  }
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

/** sun_path of unix(7), with its end. */
const LONGEST_SOCKET_PATH = 107;

function socketProblem(path: string): string | undefined {
  if (!/^\/(?!\/)/.test(path)) {
    return "the path of a socket file is absolute, as in unix:/run/opa.sock";
  }
  if (/[\s?#%{}\\\u0000-\u001f\u007f]/.test(path)) {
    return "the path of a socket file holds no blanks, ?, #, %, braces or backslashes; what follows it over HTTP is the mapping's path";
  }
  return Buffer.byteLength(path) > LONGEST_SOCKET_PATH
    ? `the path of a socket file has ${LONGEST_SOCKET_PATH} bytes at most (unix(7))`
    : undefined;
}

/** The name of a service at a socket file; other URLs have one. */
export function readHost(
  host: string | undefined,
  urls: readonly string[],
  path: Path,
  report: Report,
): { readonly host?: string } {
  if (host === undefined) return {};
  if (!/^(?:[\w.-]+|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?$/.test(host) || !URL.canParse(`http://${host}/`)) {
    report.error(path, "expected a host, perhaps with a port, as in opa.example.com");
  } else if (!urls.some((url) => url.startsWith("unix:"))) {
    report.error(path, "host names a service at a socket file (url: unix:/…); other URLs hold their host", {
      key: true,
    });
  }
  return { host };
}
