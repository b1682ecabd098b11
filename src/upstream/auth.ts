/** How the bridge shows a service who it is, in headers of each call. Client certificates are under `tls`. */
import type { Failure } from "../model/failure.ts";

/**
 * Gives the headers that identify the bridge. They may have to be fetched first, a token say, and that
 * may fail: then the failure is the attempt's.
 */
export interface Authenticator {
  /** The names it sets, in lower case; a mapping must not set them. */
  readonly headerNames: readonly string[];
  headers(): AuthHeaders | Failure | Promise<AuthHeaders | Failure>;
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

function fixed(headers: AuthHeaders): FixedAuthenticator {
  return { headerNames: Object.keys(headers), headers: () => headers };
}
