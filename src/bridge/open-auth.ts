/** From `auth` and the fixed headers of a service to what its calls show, and to who looks after that. */
import type { AuthConfig, OAuth2Proof, ServiceConfig } from "../config/config.ts";
import { Secret } from "../config/secret.ts";
import { SecretFile } from "../config/secret-file.ts";
import { securityHeader } from "../mapping/render/ws-security.ts";
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
import { type ClientProof, OAuthTokens } from "../upstream/tokens/oauth.ts";
import { TokenEndpoints } from "../upstream/tokens/token-endpoints.ts";
import { TokenKeeper, type TokenSource } from "../upstream/tokens/token-keeper.ts";
import type { Activity } from "./activity.ts";
import { baseOptions, circuitLog } from "./base-options.ts";

export interface OpenedAuth {
  readonly authenticator: Authenticator;
  /** Absent where nothing is fetched. */
  readonly tokens: TokenKeeper | null;
  /** All secrets that calls to the service, and to where its tokens come from, hold. */
  readonly secrets: readonly Secret[];
}

/** @throws Error that says which file of `tls` cannot be used */
export function openAuth(service: ServiceConfig, log: Log, activity: Activity): OpenedAuth {
  const { auth, headers, secrets, tls, proxies } = service;
  const tokens = openTokens(service, log, activity);
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

function openTokens(service: ServiceConfig, log: Log, activity: Activity): TokenKeeper | null {
  const opened = openSource(service, log);
  if (opened === null) return null;
  const { source, headerNames } = opened;
  const { name } = service;
  let failing = false;
  const keeper = new TokenKeeper(source, headerNames, {
    onToken: (lifetime) => {
      const seconds = Number.isFinite(lifetime) ? Math.round(lifetime / 1000) : undefined;
      log[failing ? "info" : "debug"]({ service: name, from: source.place, seconds }, "a token was fetched");
      failing = false;
      activity.renewed(name, null, Date.now());
    },
    onFailure: ({ cause, detail }, remaining) => {
      failing = true;
      activity.renewed(name, { cause, detail }, Date.now());
      // Where there is no token the decisions say what is wrong.
      if (remaining === 0) return;
      const message = "no new token could be fetched: the one that there is stays in use while it is good";
      log.warn({ service: name, cause, detail, seconds_left: Math.round(remaining / 1000) }, message);
    },
  });
  for (const secret of secretsOfAuth(service.auth)) secret.follow(() => keeper.encourage());
  return keeper;
}

/** Attempts that fail, of few calls that there are, before the circuit of where tokens come from opens. */
const TOKEN_CALLS = 3;
const TOKEN_WINDOW = 60_000;

function openSource(
  service: ServiceConfig,
  log: Log,
): { readonly source: TokenSource; readonly headerNames: readonly string[] } | null {
  const { auth, name } = service;
  if (auth.kind !== "oauth2") return null;
  const { server, clientId, proof, parameters, timeout = service.timeout, tls, onToken } = auth;
  const breaker = {
    ...service.breaker,
    minimumCalls: Math.min(TOKEN_CALLS, service.breaker.minimumCalls),
    window: Math.max(TOKEN_WINDOW, service.breaker.window),
  };
  const options = { ...baseOptions(service), name: `the token endpoint of ${name}`, timeout, breaker, tls };
  const endpoints = new TokenEndpoints(
    { ...options, deadline: Math.max(service.deadline, timeout) },
    circuitLog(name, log, "the token endpoint"),
  );
  const tokens = new OAuthTokens({ server, clientId, proof: proofOf(proof), parameters }, endpoints);
  return {
    headerNames: ["authorization"],
    source: {
      get place() {
        return tokens.place;
      },
      obtain: async () => {
        const token = await tokens.obtain();
        if (!isFailure(token)) onToken(token.headers.authorization!.slice("Bearer ".length));
        return token;
      },
      close: () => tokens.close(),
    },
  };
}

function proofOf(proof: OAuth2Proof): ClientProof {
  switch (proof.method) {
    case "tls_client_auth":
      return proof;
    case "private_key_jwt":
      return {
        ...proof,
        key: () => ({
          pem: proof.key.reveal(),
          ...(proof.passphrase !== undefined && { passphrase: proof.passphrase.reveal() }),
        }),
      };
    default:
      return { method: proof.method, secret: () => proof.secret.reveal() };
  }
}

/** What each attempt of a SOAP call puts into its envelope; undefined where there is nothing of that kind. */
export function sealOf({ auth, mapping: { seal } }: ServiceConfig): UpstreamOptions["seal"] {
  if (seal === undefined) return undefined;
  if (auth.kind === "ws_security") {
    const blocks = securityHeader(auth.token, () => auth.password.reveal());
    return (body, url) => seal.seal(body, url, blocks());
  }
  return seal.addressing ? (body, url) => seal.seal(body, url, "") : undefined;
}

function secretsOfAuth(auth: AuthConfig): readonly Secret[] {
  switch (auth.kind) {
    case "none":
      return [];
    case "api_key":
      return [auth.key];
    case "bearer":
      return [auth.token];
    case "oauth2":
      return [...Object.values(auth.proof), auth.tls.passphrase].filter((value) => value instanceof Secret);
    case "basic":
    case "ws_security":
      return [auth.password];
  }
}

function queryOf(auth: AuthConfig): Authenticator["query"] {
  if (auth.kind !== "api_key" || auth.in !== "query") return undefined;
  return queryKey(auth.name, () => auth.key.reveal());
}

function fixedAuthenticator(auth: AuthConfig): FixedAuthenticator {
  switch (auth.kind) {
    case "none":
    case "oauth2":
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
