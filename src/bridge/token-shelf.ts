/** Where tokens that are good outlive a reload: the next configuration need not fetch one, unless what it is had by changed. */
import { createHash } from "node:crypto";
import type { OAuth2, ServiceConfig, Session } from "../config/config.ts";
import { secretsOfAuth } from "../config/credentials.ts";
import type { KeptToken } from "../upstream/tokens/token-keeper.ts";

export class TokenShelf {
  /** By service: one each. */
  readonly #kept = new Map<string, { readonly identity: string; readonly token: KeptToken }>();

  put(service: string, identity: string, token: KeptToken): void {
    this.#kept.set(service, { identity, token });
  }

  /** Null where there is none that was had by the same. */
  find(service: string, identity: string): KeptToken | null {
    const kept = this.#kept.get(service);
    return kept?.identity === identity ? kept.token : null;
  }
}

/** Changes with all that a token is had by; secrets only as a hash. */
export function tokenIdentity({ urls, tls }: ServiceConfig, auth: OAuth2 | Session): string {
  const { onToken: _, ...rest } = auth;
  const secrets = secretsOfAuth(auth).map((secret) => secret.reveal());
  return createHash("sha256")
    .update(JSON.stringify([urls, tls, rest, secrets]))
    .digest("base64url");
}
