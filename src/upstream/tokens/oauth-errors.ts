/** What an authorization server says where it gives no token (RFC 6749 §5.2, RFC 8707), for who has to set it right. */
import type { UpstreamReply } from "../../model/exchange.ts";
import type { Failure } from "../../model/failure.ts";
import { isPlainObject } from "../../model/plain-object.ts";
import { oneLine } from "../../text/one-line.ts";
import { shown } from "./address.ts";

const HINTS: Readonly<Record<string, string>> = {
  invalid_client:
    "it does not accept this client: it is not known there, revoked or expired, or secret, key or certificate is another; check client_id and its credentials (auth.oauth2)",
  unauthorized_client:
    "this client may not do that there; allow it the grant client_credentials, and the method by which it shows who it is (auth.oauth2.method)",
  unsupported_grant_type: "it gives no tokens for client credentials; allow that grant there",
  invalid_scope: "it does not give this client that scope; check auth.oauth2.scope",
  invalid_target:
    "it does not give this client tokens for that service; check auth.oauth2.audience and auth.oauth2.resource",
  access_denied:
    "it denies this client a token; check auth.oauth2.audience and scope, and what the client is granted",
  invalid_request: "it does not understand the call; check audience, resource and parameters (auth.oauth2)",
};
/** Clocks that differ by less are usual, in milliseconds. */
const USUAL_SKEW = 60_000;
/** In characters: what the server says, and what to do. */
const LONGEST = 900;

/** The failure that a reply other than 200 is. */
export function tokenRefused(url: string, reply: UpstreamReply, now = Date.now()): Failure {
  const { status } = reply;
  const { error, description } = errorIn(reply);
  const what = error === "" ? `HTTP status ${status}` : `${error}, HTTP status ${status}`;
  const said = description === "" ? "" : `: ${description}`;
  const hint = Object.hasOwn(HINTS, error) ? `; ${HINTS[error]}` : otherHint(reply);
  const detail = `no token: ${shown(url)}: ${what}${said}${hint}${clockHint(reply, now)}`;
  const cause = status >= 400 ? "http_4xx" : "bad_reply";
  return { cause, status, detail: oneLine(detail, LONGEST) };
}

/** Where the other side's clock says something else; empty where it does not. */
function clockHint({ headers }: UpstreamReply, now: number): string {
  const theirs = Date.parse(headers.get("date") ?? "");
  const ahead = now - theirs;
  if (Number.isNaN(theirs) || Math.abs(ahead) < USUAL_SKEW) return "";
  const minutes = Math.round(Math.abs(ahead) / 60_000);
  const way = ahead > 0 ? "ahead of" : "behind";
  return `; this machine's clock is ${minutes} min ${way} the one there: check NTP on both`;
}

function errorIn({ body }: UpstreamReply): { error: string; description: string } {
  try {
    const json: unknown = JSON.parse(body.toString("utf8"));
    if (isPlainObject(json)) {
      const text = (value: unknown) => (typeof value === "string" ? oneLine(value, 200) : "");
      return { error: text(json.error), description: text(json.error_description) };
    }
  } catch {
    // It says nothing that could be read.
  }
  return { error: "", description: "" };
}

function otherHint({ status }: UpstreamReply): string {
  if (status >= 300 && status <= 399) {
    return "; a redirect, which is never followed: put the address that it leads to into auth.oauth2";
  }
  if (status === 401) return `; ${HINTS.invalid_client}`;
  if (status === 404 || status === 405) return "; check token_url or issuer (auth.oauth2)";
  return "";
}
