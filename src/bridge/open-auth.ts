/** From `auth` and the fixed headers of a service to what its calls show, and to who looks after that. */
import type { AuthConfig, ServiceConfig } from "../config/config.ts";
import { secretsOfAuth } from "../config/credentials.ts";
import { Secret } from "../config/secret.ts";
import { SecretFile } from "../config/secret-file.ts";
import { securityHeader } from "../mapping/render/ws-security.ts";
import type { UpstreamReply } from "../model/exchange.ts";
import { isFailure } from "../model/failure.ts";
import { wireValue } from "../model/header.ts";
import type { Log } from "../observe/log.ts";
import {
  type Authenticator,
  type AuthHeaders,
  anonymous,
  basic,
  bearer,
  type FixedAuthenticator,
  headerKey,
  queryKey,
} from "../upstream/auth.ts";
import type { UpstreamOptions } from "../upstream/options.ts";
import type { TokenKeeper } from "../upstream/tokens/token-keeper.ts";
import type { Activity } from "./activity.ts";
import { openTokens } from "./open-tokens.ts";
import type { TokenShelf } from "./token-shelf.ts";

export interface OpenedAuth {
  readonly authenticator: Authenticator;
  /** Absent where nothing is fetched. */
  readonly tokens: TokenKeeper | null;
  /** What each attempt of a SOAP call puts into its envelope. */
  readonly seal: UpstreamOptions["seal"];
  /** Whether a reply of the service says that what was shown is good no more, besides a 401. */
  readonly isRefusal: (reply: UpstreamReply) => boolean;
  /** All secrets that calls to the service, and to where its tokens come from, hold. */
  readonly secrets: readonly Secret[];
}

/** @throws Error that says which file of `tls` cannot be used */
export function openAuth(
  service: ServiceConfig,
  log: Log,
  activity: Activity,
  shelf: TokenShelf,
): OpenedAuth {
  const { auth, headers, secrets, tls, proxies } = service;
  const tokens = openTokens(service, log, activity, shelf);
  const all = [
    ...secretsOfAuth(auth),
    tls.passphrase,
    proxies.http?.credentials?.password,
    proxies.https?.credentials?.password,
    ...Object.values(headers),
    ...Object.values(secrets),
  ];
  return {
    authenticator: authenticatorOf(service, tokens),
    tokens,
    seal: sealOf(service, tokens),
    isRefusal: auth.kind === "session" ? (reply) => auth.login.isOver(reply) : () => false,
    secrets: all.filter((value) => value instanceof Secret),
  };
}

/** What `auth` shows, and the fixed headers whose value may change: always that of the moment. */
function authenticatorOf({ auth, headers }: ServiceConfig, tokens: TokenKeeper | null): Authenticator {
  const changing = Object.entries(headers).filter(
    (header): header is [string, SecretFile] => (header[1] as unknown) instanceof SecretFile,
  );
  if (tokens !== null && changing.length === 0) return tokens;
  const make = (): AuthHeaders => ({
    ...Object.fromEntries(changing.map(([name, value]) => [name, wireValue(value.reveal())])),
    ...fixedAuthenticator(auth).headers(),
  });
  let current = make();
  for (const each of [...changing.map(([, value]) => value), ...secretsOfAuth(auth)]) {
    each.follow(() => {
      current = make();
    });
  }
  const fixed = { headerNames: Object.keys(current), headers: () => current, query: queryOf(auth) };
  return tokens === null ? fixed : together(fixed, tokens);
}

function together(fixed: FixedAuthenticator, tokens: TokenKeeper): Authenticator {
  const join = (token: AuthHeaders) => ({ ...fixed.headers(), ...token });
  return {
    headerNames: [...fixed.headerNames, ...tokens.headerNames],
    get place() {
      return tokens.place;
    },
    headers: () => {
      const token = tokens.headers();
      if (token instanceof Promise) return token.then((had) => (isFailure(had) ? had : join(had)));
      return isFailure(token) ? token : join(token);
    },
  };
}

/** Undefined where there is nothing of that kind. */
function sealOf(
  { auth, mapping: { seal } }: ServiceConfig,
  tokens: TokenKeeper | null,
): UpstreamOptions["seal"] {
  if (seal === undefined) return undefined;
  if (auth.kind === "ws_security") {
    const blocks = securityHeader(auth.token, () => auth.password.reveal());
    return (body, url) => seal.seal(body, url, blocks());
  }
  if (auth.kind === "session" && auth.login.block !== null) {
    const { block } = auth.login;
    return (body, url) => seal.seal(body, url, block(tokens?.text ?? ""));
  }
  return seal.addressing ? (body, url) => seal.seal(body, url, "") : undefined;
}

function queryOf(auth: AuthConfig): Authenticator["query"] {
  if (auth.kind !== "api_key" || auth.in !== "query") return undefined;
  return queryKey(auth.name, () => auth.key.reveal());
}

function fixedAuthenticator(auth: AuthConfig): FixedAuthenticator {
  switch (auth.kind) {
    case "none":
    case "oauth2":
    case "session":
    case "ws_security":
      return anonymous;
    case "basic":
      return basic(auth.username, auth.password.reveal());
    case "bearer":
      return bearer(auth.token.reveal());
    case "api_key":
      return auth.in === "header" ? headerKey(auth.name, auth.key.reveal()) : anonymous;
  }
}
