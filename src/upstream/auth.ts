/** How the bridge shows a service who it is, in headers or the query of each call. Client certificates are under `tls`. */
import type { Failure } from "../model/failure.ts";
import { wireValue } from "../model/header.ts";
import { percentEncode } from "../text/percent.ts";

/**
 * Gives the headers that identify the bridge. They may have to be fetched first, a token say, and that
 * may fail: then the failure is the call's.
 */
export interface Authenticator {
  /** The names it sets, in lower case; a mapping must not set them. */
  readonly headerNames: readonly string[];
  headers(): AuthHeaders | Failure | Promise<AuthHeaders | Failure>;
  /** The name of the query parameter that it adds to each call, and `name=value` as it is sent. */
  readonly query?: { readonly name: string; pair(): string } | undefined;
  /** Where its headers are fetched from, if they are. */
  readonly place?: string | undefined;
}

/** One whose headers are known at once. */
export interface FixedAuthenticator extends Authenticator {
  headers(): AuthHeaders;
}

/** Names in lower case, values as they can be sent. */
export interface AuthHeaders {
  readonly [name: string]: string;
}

/** No authentication, or by client certificate alone. */
export const anonymous: FixedAuthenticator = fixed({});

/** HTTP Basic (RFC 7617), user and password as UTF-8. */
export function basic(user: string, password: string): FixedAuthenticator {
  return fixed({ authorization: `Basic ${Buffer.from(`${user}:${password}`, "utf8").toString("base64")}` });
}

/**
 * A bearer token (RFC 6750).
 *
 * @throws Error when it holds a blank or something else that no token has
 */
export function bearer(token: string): FixedAuthenticator {
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new Error("the bearer token is empty, or holds a blank or a line break");
  return fixed({ authorization: `Bearer ${token}` });
}

/** A key in a header of its own, whose name is in lower case. */
export function headerKey(name: string, key: string): FixedAuthenticator {
  return fixed({ [name]: wireValue(key) });
}

/** A key as a query parameter; `key` gives the one of the moment. */
export function queryKey(name: string, key: () => string): NonNullable<Authenticator["query"]> {
  return { name, pair: () => `${percentEncode(name)}=${percentEncode(key())}` };
}

function fixed(headers: AuthHeaders): FixedAuthenticator {
  return { headerNames: Object.keys(headers), headers: () => headers };
}
