/**
 * WS-Security UsernameToken (OASIS Web Services Security: SOAP Message Security 1.1 and UsernameToken Profile 1.1): the
 * block of a SOAP Header that shows a service who asks. It is made anew for each attempt: a nonce counts once.
 *
 * Services differ in what they want of it. Some refuse a nonce beside a password in plain text, others demand it.
 */
import { createHash, randomBytes } from "node:crypto";
import { xmlText } from "./escape.ts";

export interface UsernameToken {
  readonly username: string;
  /** `text`: the password as it is; `digest`: Base64(SHA-1(nonce + created + password)). */
  readonly type: "text" | "digest";
  readonly nonce: boolean;
  readonly created: boolean;
  /** How long a Timestamp beside the token says that the message is good, in milliseconds; 0 for none. */
  readonly timestamp: number;
  /** Whether a service that does not know WS-Security must refuse the call. */
  readonly mustUnderstand: boolean;
}

const WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-";
const SECEXT = `${WSS}wssecurity-secext-1.0.xsd`;
const UTILITY = `${WSS}wssecurity-utility-1.0.xsd`;
const PROFILE = `${WSS}username-token-profile-1.0`;
const BASE64 = `${WSS}soap-message-security-1.0#Base64Binary`;

/**
 * Makes the function that gives the block for one attempt. Its prefix `soap` is the envelope's.
 *
 * @param password the one of the moment
 * @throws PlacementError when the user's name has no place in XML
 */
export function securityHeader(token: UsernameToken, password: () => string): () => string {
  const { type, nonce: hasNonce, created: hasCreated, timestamp } = token;
  const understand = token.mustUnderstand ? ' soap:mustUnderstand="1"' : "";
  const open = `<wsse:Security xmlns:wsse="${SECEXT}" xmlns:wsu="${UTILITY}"${understand}>`;
  const user = `<wsse:UsernameToken><wsse:Username>${xmlText(token.username)}</wsse:Username>`;
  const kind = type === "text" ? "PasswordText" : "PasswordDigest";
  return () => {
    const now = Date.now();
    const created = hasCreated ? new Date(now).toISOString() : "";
    const nonce = hasNonce ? randomBytes(16) : Buffer.alloc(0);
    const shown = type === "text" ? xmlText(password()) : digest(nonce, created, password());
    return [
      open,
      timestamp > 0 ? timestampOf(now, now + timestamp) : "",
      `${user}<wsse:Password Type="${PROFILE}#${kind}">${shown}</wsse:Password>`,
      hasNonce ? `<wsse:Nonce EncodingType="${BASE64}">${nonce.toString("base64")}</wsse:Nonce>` : "",
      hasCreated ? `<wsu:Created>${created}</wsu:Created>` : "",
      "</wsse:UsernameToken></wsse:Security>",
    ].join("");
  };
}

function digest(nonce: Buffer, created: string, password: string): string {
  return createHash("sha1").update(nonce).update(created).update(password, "utf8").digest("base64");
}

function timestampOf(created: number, expires: number): string {
  const times = `<wsu:Created>${new Date(created).toISOString()}</wsu:Created><wsu:Expires>${new Date(expires).toISOString()}</wsu:Expires>`;
  return `<wsu:Timestamp>${times}</wsu:Timestamp>`;
}
