/** The tokens that a service's calls show and that are fetched, by OAuth 2.0 or a login: from where, and what the log says of it. */
import type { OAuth2, OAuth2Proof, ServiceConfig, Session } from "../config/config.ts";
import { secretsOfAuth } from "../config/credentials.ts";
import { isFailure } from "../model/failure.ts";
import type { Log } from "../observe/log.ts";
import { type ClientProof, OAuthTokens } from "../upstream/tokens/oauth.ts";
import { SessionTokens } from "../upstream/tokens/session.ts";
import { TokenEndpoints } from "../upstream/tokens/token-endpoints.ts";
import { TokenKeeper, type TokenSource } from "../upstream/tokens/token-keeper.ts";
import type { Activity } from "./activity.ts";
import { baseOptions, circuitLog } from "./base-options.ts";
import { type TokenShelf, tokenIdentity } from "./token-shelf.ts";

/** Null where nothing is fetched. @throws Error that says which file of `tls` cannot be used */
export function openTokens(
  service: ServiceConfig,
  log: Log,
  activity: Activity,
  shelf: TokenShelf,
): TokenKeeper | null {
  const opened = openSource(service, log);
  if (opened === null) return null;
  const { source, headerNames, auth } = opened;
  const identity = tokenIdentity(service, auth);
  const { name } = service;
  let failing = false;
  const keeper = new TokenKeeper(source, headerNames, {
    onToken: (kept) => {
      const { lifetime } = kept.token;
      shelf.put(name, identity, kept);
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
  const kept = shelf.find(name, identity);
  if (kept !== null) {
    auth.onToken(kept.token.token);
    keeper.adopt(kept);
  }
  for (const secret of secretsOfAuth(service.auth)) secret.follow(() => keeper.encourage());
  return keeper;
}

/** Attempts that fail, of few calls that there are, before the circuit of where tokens come from opens. */
const TOKEN_CALLS = 3;
const TOKEN_WINDOW = 60_000;

interface OpenedSource {
  readonly auth: OAuth2 | Session;
  readonly source: TokenSource;
  /** That its tokens are sent in, in lower case. */
  readonly headerNames: readonly string[];
}

function openSource(service: ServiceConfig, log: Log): OpenedSource | null {
  switch (service.auth.kind) {
    case "oauth2":
      return openOAuth(service, service.auth, log);
    case "session":
      return openSession(service, service.auth, log);
    default:
      return null;
  }
}

function openOAuth(service: ServiceConfig, auth: OAuth2, log: Log): OpenedSource {
  const { server, clientId, proof, parameters, onToken } = auth;
  const endpoints = new TokenEndpoints(
    tokenOptions(service, auth, "the token endpoint"),
    circuitLog(service.name, log, "the token endpoint"),
  );
  const tokens = new OAuthTokens({ server, clientId, proof: proofOf(proof), parameters }, endpoints);
  return {
    auth,
    headerNames: ["authorization"],
    source: {
      get place() {
        return tokens.place;
      },
      obtain: async () => {
        const token = await tokens.obtain();
        if (!isFailure(token)) onToken(token.token);
        return token;
      },
      close: () => tokens.close(),
    },
  };
}

function openSession(service: ServiceConfig, auth: Session, log: Log): OpenedSource {
  const { urls, login, headerNames, lifetime, onToken } = auth;
  const source = new SessionTokens(
    {
      ...tokenOptions(service, auth, "the login"),
      urls: urls.map((url) => new URL(url)),
      ...(service.host !== undefined && { host: service.host }),
      render: () => login.render(),
      read: (reply) => {
        const session = login.read(reply);
        if (isFailure(session)) return session;
        onToken(session.token);
        return { ...session, lifetime: lifetime ?? session.lifetime };
      },
    },
    circuitLog(service.name, log, "the login"),
  );
  return { auth, source, headerNames };
}

/** The service's own ways, with a circuit for the few calls that there are. */
function tokenOptions(
  service: ServiceConfig,
  { timeout = service.timeout, tls }: OAuth2 | Session,
  what: string,
) {
  const breaker = {
    ...service.breaker,
    minimumCalls: Math.min(TOKEN_CALLS, service.breaker.minimumCalls),
    window: Math.max(TOKEN_WINDOW, service.breaker.window),
  };
  const deadline = Math.max(service.deadline, timeout);
  return { ...baseOptions(service), name: `${what} of ${service.name}`, timeout, breaker, tls, deadline };
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
