/**
 * OAuth 2.0 client credentials (RFC 6749 §4.4): tokens by oauth4webapi, which is loaded where this is configured, over calls of our own.
 *
 * The address of the token endpoint is configured, or found in the issuer's metadata (OpenID Connect Discovery, RFC 8414),
 * which is read again when it has grown old or nothing answers at the address that it named.
 */
import type { AuthorizationServer, ClientAuth } from "oauth4webapi";
import type { UpstreamReply } from "../../model/exchange.ts";
import { type Failure, isFailure } from "../../model/failure.ts";
import { isPlainObject } from "../../model/plain-object.ts";
import { oneLine } from "../../text/one-line.ts";
import { isSafe, shown } from "./address.ts";
import { importKey, type KeyAlgorithm, type Thumbprints } from "./client-key.ts";
import { tokenRefused } from "./oauth-errors.ts";
import type { TokenEndpoints } from "./token-endpoints.ts";
import type { Token, TokenSource } from "./token-keeper.ts";

type OAuth = typeof import("oauth4webapi");

/** By what a client shows who it is; functions give what is secret as it is at the moment. */
export type ClientProof =
  | { readonly method: "client_secret_basic" | "client_secret_post"; secret(): string }
  | { readonly method: "tls_client_auth" }
  | {
      readonly method: "private_key_jwt";
      key(): { readonly pem: string; readonly passphrase?: string };
      readonly keyId?: string | undefined;
      readonly thumbprints?: Thumbprints | undefined;
      readonly algorithm?: KeyAlgorithm | undefined;
      /** Whom the assertion is for. Default: the issuer where it is known, else the token endpoint. */
      readonly audience?: string | undefined;
    };

export interface OAuthOptions {
  /** Where tokens are, or whose metadata says it. */
  readonly server: { readonly tokenUrl: string } | { readonly issuer: string };
  readonly clientId: string;
  readonly proof: ClientProof;
  /** Of the call, besides what the grant itself has: scope, audience and the like. */
  readonly parameters: readonly (readonly [name: string, value: string])[];
}

/** Metadata is read again after so long, in milliseconds. */
const METADATA_AGE = 60 * 60_000;
const NO_TOKEN = /[^\x21-\x7e]/;

export class OAuthTokens implements TokenSource {
  readonly #options: OAuthOptions;
  readonly #endpoints: TokenEndpoints;
  /** Loaded while nobody waits for it. */
  readonly #library: Promise<OAuth> = import("oauth4webapi");
  #metadata: { readonly server: AuthorizationServer; readonly end: number } | null = null;

  constructor(options: OAuthOptions, endpoints: TokenEndpoints) {
    this.#options = options;
    this.#endpoints = endpoints;
    this.#library.catch(() => {
      // Whoever asks for a token is told.
    });
  }

  get place(): string {
    const { server } = this.#options;
    if ("tokenUrl" in server) return shown(server.tokenUrl);
    return shown(this.#metadata?.server.token_endpoint ?? server.issuer);
  }

  async obtain(): Promise<Token | Failure> {
    const oauth = await this.#library;
    const server = await this.#server(oauth);
    if (isFailure(server)) return server;
    const token = await this.#request(oauth, server);
    // Where tokens are may have changed.
    if (isFailure(token) && (token.status === 404 || token.cause === "unreachable")) this.#metadata = null;
    return token;
  }

  close(): Promise<void> {
    return this.#endpoints.close();
  }

  async #request(oauth: OAuth, server: AuthorizationServer): Promise<Token | Failure> {
    const { clientId, proof, parameters } = this.#options;
    const client = { client_id: clientId, use_mtls_endpoint_aliases: proof.method === "tls_client_auth" };
    const calls = new Calls(this.#endpoints);
    const own = { [oauth.customFetch]: calls.fetch, [oauth.allowInsecureRequests]: true };
    try {
      const authentication = await clientAuthentication(oauth, server, proof);
      const form = parameters.map(([name, value]) => [name, value]);
      const response = await oauth.clientCredentialsGrantRequest(server, client, authentication, form, own);
      if (calls.reply!.status !== 200) return tokenRefused(calls.url, calls.reply!);
      const token = await oauth.processClientCredentialsResponse(server, client, response);
      return tokenOf(token, shown(calls.url));
    } catch (error) {
      return calls.failure ?? unusable(calls.url || server.token_endpoint || server.issuer, error);
    }
  }

  async #server(oauth: OAuth): Promise<AuthorizationServer | Failure> {
    const { server } = this.#options;
    if ("tokenUrl" in server) return { issuer: server.tokenUrl, token_endpoint: server.tokenUrl };
    if (this.#metadata !== null && performance.now() < this.#metadata.end) return this.#metadata.server;
    const found = await this.#discover(oauth, server.issuer);
    if (!isFailure(found)) {
      this.#metadata = { server: found, end: performance.now() + METADATA_AGE };
      return found;
    }
    // What is old may still be true.
    return this.#metadata?.server ?? found;
  }

  async #discover(oauth: OAuth, issuer: string): Promise<AuthorizationServer | Failure> {
    const first = await this.#readMetadata(oauth, issuer, "oidc");
    if (!isFailure(first) || first.cause !== "http_4xx") return first;
    const second = await this.#readMetadata(oauth, issuer, "oauth2");
    return isFailure(second) && second.cause === "http_4xx" ? first : second;
  }

  async #readMetadata(
    oauth: OAuth,
    issuer: string,
    algorithm: "oidc" | "oauth2",
  ): Promise<AuthorizationServer | Failure> {
    const calls = new Calls(this.#endpoints);
    const own = { [oauth.customFetch]: calls.fetch, [oauth.allowInsecureRequests]: true, algorithm };
    try {
      const url = new URL(issuer);
      const response = await oauth.discoveryRequest(url, own);
      const { status } = calls.reply!;
      if (status !== 200) {
        const detail = `no token: ${shown(calls.url)}: HTTP status ${status}, and no metadata of an authorization server; check issuer, or set token_url in its place (auth.oauth2)`;
        return { cause: status >= 400 ? "http_4xx" : "bad_reply", status, detail };
      }
      const server = await oauth.processDiscoveryResponse(url, response);
      return unsafeEndpoint(server, calls.url) ?? server;
    } catch (error) {
      return calls.failure ?? unusable(calls.url || issuer, error);
    }
  }
}

/** What the library takes for fetch: our own calls, and what became of the last. */
class Calls {
  url = "";
  reply: UpstreamReply | null = null;
  failure: Failure | null = null;
  readonly #endpoints: TokenEndpoints;

  constructor(endpoints: TokenEndpoints) {
    this.#endpoints = endpoints;
  }

  readonly fetch = async (
    url: string,
    init: { readonly method: string; readonly headers: Record<string, string>; readonly body?: unknown },
  ): Promise<Response> => {
    this.url = url;
    const { method, headers, body } = init;
    const text = body === undefined || body === null ? null : String(body);
    const answer = await this.#endpoints.call(url, { method, headers: lowerCase(headers), body: text });
    if (isFailure(answer)) {
      this.failure = { ...answer, detail: withPrefix(answer.detail) };
      throw new Error(answer.detail);
    }
    this.reply = answer;
    const { status } = answer;
    const hasBody = status >= 200 && status !== 204 && status !== 205 && status !== 304;
    const content = hasBody ? new Uint8Array(answer.body) : null;
    return new Response(content, { status, headers: [...answer.headers] });
  };
}

function withPrefix(detail: string): string {
  return detail.startsWith("no token: ") ? detail : `no token: ${detail}`;
}

/** The bridge says itself who it is, and that nothing may be compressed. */
function lowerCase(headers: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const);
  return Object.fromEntries(entries.filter(([name]) => name !== "user-agent"));
}

async function clientAuthentication(
  oauth: OAuth,
  server: AuthorizationServer,
  proof: ClientProof,
): Promise<ClientAuth> {
  switch (proof.method) {
    case "client_secret_basic":
      return oauth.ClientSecretBasic(proof.secret());
    case "client_secret_post":
      return oauth.ClientSecretPost(proof.secret());
    case "tls_client_auth":
      return oauth.TlsClientAuth();
    case "private_key_jwt": {
      const { pem, passphrase } = proof.key();
      const key = await importKey(pem, passphrase, proof.algorithm);
      const { keyId, thumbprints, audience = server.issuer } = proof;
      return oauth.PrivateKeyJwt(keyId === undefined ? key : { key, kid: keyId }, {
        [oauth.modifyAssertion]: (header, payload) => {
          payload.aud = audience;
          Object.assign(header, thumbprints);
          // More servers know this name than that of the newer RFC 9864.
          if (header.alg === "Ed25519") header.alg = "EdDSA";
        },
      });
    }
  }
}

function tokenOf(
  token: { readonly access_token: string; readonly token_type: string; readonly expires_in?: number },
  place: string,
): Token | Failure {
  const { access_token: text, token_type: type, expires_in: seconds } = token;
  if (type !== "bearer") {
    const detail = `no token: ${place}: it gives a token of type ${oneLine(type, 40)}, and only a bearer token can be sent`;
    return { cause: "bad_reply", detail };
  }
  if (NO_TOKEN.test(text)) {
    return {
      cause: "bad_reply",
      detail: `no token: ${place}: what it gives holds what no token has (RFC 6750)`,
    };
  }
  const lifetime = seconds === undefined ? Number.POSITIVE_INFINITY : seconds * 1000;
  return { token: text, headers: { authorization: `Bearer ${text}` }, lifetime };
}

function unsafeEndpoint(server: AuthorizationServer, url: string): Failure | null {
  const endpoint = server.token_endpoint;
  if (typeof endpoint === "string" && isSafe(endpoint)) return null;
  const what =
    typeof endpoint === "string"
      ? `names ${shown(endpoint)}, and tokens are fetched over https:// alone`
      : "names no token_endpoint; set token_url (auth.oauth2)";
  return { cause: "bad_reply", detail: `no token: ${shown(url)}: the metadata ${what}` };
}

/** The library says in `cause` what it looked at. */
function unusable(url: string, error: unknown): Failure {
  const why = error instanceof Error ? error.message : String(error);
  const { cause } = error as { readonly cause?: unknown };
  const hint =
    isPlainObject(cause) && cause.attribute === "issuer" && isPlainObject(cause.body)
      ? `; it calls itself ${oneLine(String(cause.body.issuer), 200)}: set issuer to that, as it stands there (auth.oauth2)`
      : "";
  return { cause: "bad_reply", detail: oneLine(`no token: ${shown(url)}: ${why}${hint}`, 700) };
}
