/**
 * What two requests must have in common to share a remembered reply: everything that the service could have told apart.
 *
 * That is the call as rendered, with the service, the mapping's content and the identity that `auth` shows. The key is
 * a hash, so that it says nothing to those who can read a store.
 */
import { hash } from "node:crypto";
import type { UpstreamRequest } from "../model/exchange.ts";

/**
 * Makes the key function of one service, 43 characters for each call.
 *
 * @param scope what all of its calls have in common: name, URLs, mapping version, identity
 */
export function callKey(scope: readonly string[]): (call: UpstreamRequest) => string {
  const prefix = digest(JSON.stringify(scope));
  return ({ method, path, headers, body }) => {
    let text = `${prefix}\0${method}\0${path}\0`;
    for (const name in headers) text += `${name}:${headers[name]}\n`;
    return digest(`${text}\0${body ?? ""}`);
  };
}

/** The same for the values of the operator's own `cache.key`, in order: what one ends with the next does not begin with. */
export function valuesKey(scope: readonly string[]): (values: readonly string[]) => string {
  const prefix = digest(JSON.stringify([...scope, "cache.key"]));
  return (values) => digest(`${prefix}\0${JSON.stringify(values)}`);
}

function digest(text: string): string {
  return hash("sha256", text, "base64url");
}
