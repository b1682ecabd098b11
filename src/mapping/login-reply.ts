/** The reply to a login of `auth.session`, read: the session that it gives, or why it gives none, for who has to set it right. */
import { EvaluationError, type Expression } from "../expression/expression.ts";
import { toText } from "../expression/text.ts";
import { replyVariables, type Variables } from "../expression/variables.ts";
import type { UpstreamReply } from "../model/exchange.ts";
import type { Failure } from "../model/failure.ts";
import { isHeaderValue, wireValue } from "../model/header.ts";
import { isPlainObject } from "../model/plain-object.ts";
import { oneLine } from "../text/one-line.ts";
import { type ReplyOptions, ReplyView, UnreadableReply } from "./reply.ts";

/** Where calls show the token: one of them. */
export type Shown =
  | { readonly in: "header"; readonly name: string; readonly value: string }
  | { readonly in: "cookie"; readonly name: string }
  | { readonly in: "soap_header"; readonly xml: string };

/** What a login gave. */
export interface Session {
  readonly token: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds; Infinity: until it is refused. */
  readonly lifetime: number;
}

/** In characters. */
const LONGEST_TOKEN = 8192;
const LONGEST_SAID = 160;
/** RFC 6265 §4.1.1 */
const NO_COOKIE = /[^\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]/;
const NOTHING = "a session that nobody can show";

/** Makes the function that reads it; without `token` that is the cookie which `shown` names. */
export function loginReader(
  token: Expression | null,
  lifetime: Expression | null,
  shown: Shown,
  headersOf: (token: string) => Record<string, string>,
  options: ReplyOptions,
): (reply: UpstreamReply) => Session | Failure {
  return (reply) => {
    const view = new ReplyView(reply, options);
    const { status } = reply;
    const failed = (cause: Failure["cause"], what: string): Failure => ({
      cause,
      status,
      detail: oneLine(`HTTP status ${status}: ${what}`, 700),
    });
    const fault = view.shortFault();
    if (fault !== null) {
      const ours = /^(?:Client|Sender)\b/.test(fault.code);
      const name = fault.subcode === "" ? fault.code : `${fault.code} (${fault.subcode})`;
      const what = `a SOAP Fault ${oneLine(name, LONGEST_SAID)}: ${oneLine(fault.reason, LONGEST_SAID)}`;
      return failed(ours || status < 500 ? "http_4xx" : "http_5xx", `${what}${ours ? CREDENTIALS : ""}`);
    }
    if (status >= 500) return failed("http_5xx", said(view) || "it is in trouble itself");
    if (status >= 400) return failed("http_4xx", `${said(view) || "the login is refused"}${hintOf(status)}`);
    try {
      const variables = replyVariables(view);
      const text = token === null ? cookieOf(view, shown) : textOf(token.evaluate(variables));
      if (text === "") return failed("bad_reply", missing(token, shown));
      const problem = unfit(text, shown);
      if (problem !== null) return failed("bad_reply", problem);
      const headers = Object.entries(headersOf(text));
      if (!headers.every(([, value]) => isHeaderValue(value))) return failed("bad_reply", NOTHING);
      return {
        token: text,
        headers: Object.fromEntries(headers.map(([name, value]) => [name, wireValue(value)])),
        lifetime: lifetime === null ? Number.POSITIVE_INFINITY : lifetimeOf(lifetime, variables),
      };
    } catch (error) {
      if (!(error instanceof EvaluationError) && !(error instanceof UnreadableReply)) throw error;
      const words = said(view);
      return failed(
        "bad_reply",
        `${view.unreadable ?? error.message}: no session can be read from this reply (auth.session)${words && `; it says ${words}`}`,
      );
    }
  };
}

const CREDENTIALS = "; check what the login shows, and the account at the other side (auth.session)";

function hintOf(status: number): string {
  if (status === 404 || status === 405) return "; check url, method and path of the login (auth.session)";
  return CREDENTIALS;
}

/** What services say of trouble in JSON, by the usual names. */
function said(view: ReplyView): string {
  try {
    const { text } = view;
    const json: unknown = text.length <= 16_384 && text.trimStart().startsWith("{") ? JSON.parse(text) : null;
    if (!isPlainObject(json)) return "";
    for (const name of ["message", "error_description", "detail", "title", "error", "reason"]) {
      const value = json[name];
      if (typeof value === "string" && value !== "") return oneLine(value, LONGEST_SAID);
    }
  } catch {
    // It says nothing that could be read.
  }
  return "";
}

function textOf(value: unknown): string {
  return typeof value === "string" || typeof value === "bigint" || typeof value === "number"
    ? toText(value)
    : "";
}

/** Of Set-Cookie, whose fields come joined by commas, which dates hold as well. */
function cookieOf(view: ReplyView, shown: Shown): string {
  if (shown.in !== "cookie") return "";
  const fields = (view.headers.get("set-cookie") ?? "").split(/,\s*(?=[^\s;,=]+=)/);
  const pairs = fields.map((field) => /^([^=;]+)=([^;]*)/.exec(field.trim()) ?? []);
  const value = pairs.find(([, name]) => name === shown.name)?.[2] ?? "";
  return value.trim().replace(/^"(.*)"$/, "$1");
}

function missing(token: Expression | null, shown: Shown): string {
  if (token !== null) {
    return `${token.text} is no text, or empty: no session can be read from this reply (auth.session.token)`;
  }
  const name = shown.in === "cookie" ? shown.name : "";
  return `it sets no cookie ${name}: no session can be read from this reply (auth.session.cookie)`;
}

function unfit(token: string, shown: Shown): string | null {
  if (token.length > LONGEST_TOKEN) return `the token is longer than ${LONGEST_TOKEN} characters`;
  if (shown.in === "cookie" && NO_COOKIE.test(token)) {
    return "the token holds what no cookie can carry (RFC 6265)";
  }
  return /[\x00-\x1f\x7f]/.test(token) ? "the token holds a line break or control character" : null;
}

/** @throws EvaluationError */
function lifetimeOf(lifetime: Expression, variables: Variables): number {
  const value = lifetime.evaluate(variables);
  const seconds = typeof value === "string" && /^\d+(?:\.\d+)?$/.test(value.trim()) ? Number(value) : value;
  const number = typeof seconds === "bigint" ? Number(seconds) : seconds;
  if (typeof number === "number" && number > 0) return number * 1000;
  throw new EvaluationError(`${lifetime.text} gives no number of seconds (auth.session.expires_in)`);
}
