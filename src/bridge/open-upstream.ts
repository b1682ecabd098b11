/** From a service's configuration to the client that calls it; what happens to it between calls goes into the log. */
import type { AuthConfig, ServiceConfig } from "../config/config.ts";
import { Secret } from "../config/secret.ts";
import { SecretFile } from "../config/secret-file.ts";
import { securityHeader } from "../mapping/render/ws-security.ts";
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
import type { AttemptMeter } from "../upstream/meter.ts";
import type { UpstreamOptions } from "../upstream/options.ts";
import { Upstream } from "../upstream/upstream.ts";
import { VERSION } from "../version.ts";
import type { Outage } from "./outages.ts";

/** @throws Error that says which file of `tls` cannot be used */
export function openUpstream(
  service: ServiceConfig,
  log: Log,
  meter: AttemptMeter,
  outage: Outage,
): Upstream {
  const { name } = service;
  return new Upstream(
    {
      ...service,
      urls: service.urls.map((url) => new URL(url)),
      headers: Object.fromEntries(
        Object.entries(service.headers).flatMap(([header, value]) =>
          value instanceof SecretFile ? [] : [[header, value instanceof Secret ? value.reveal() : value]],
        ),
      ),
      authenticator: authenticatorOf(service),
      seal: sealOf(service),
      meter,
      userAgent: `pfxbridge/${VERSION}`,
    },
    {
      onCircuit: (url, state, detail) => outage.onCircuit(url, state, detail),
      onDiscovery: (url, ok, detail) => {
        const message = ok
          ? "the service says where it is asked"
          : "where the service is asked cannot be discovered";
        log[ok ? "info" : "warn"]({ service: name, url, detail }, message);
      },
      onCertificates: (ok, detail) => log[ok ? "info" : "error"]({ service: name }, detail),
    },
  );
}

/** What `auth` shows, and the fixed headers whose value may change: always that of the moment. */
function authenticatorOf({ auth, headers }: ServiceConfig): Authenticator {
  const changing = Object.entries(headers).filter(
    (header): header is [string, SecretFile] => (header[1] as unknown) instanceof SecretFile,
  );
  const secret = secretOf(auth);
  const secrets = [...changing.map(([, value]) => value), ...(secret instanceof SecretFile ? [secret] : [])];
  const make = (): AuthHeaders => ({
    ...Object.fromEntries(changing.map(([name, value]) => [name, wireValue(value.reveal())])),
    ...fixedAuthenticator(auth).headers(),
  });
  let current = make();
  for (const each of secrets) {
    each.follow(() => {
      current = make();
    });
  }
  return { headerNames: Object.keys(current), headers: () => current, query: queryOf(auth) };
}

/** What each attempt of a SOAP call puts into its envelope; undefined where there is nothing of that kind. */
function sealOf({ auth, mapping: { seal } }: ServiceConfig): UpstreamOptions["seal"] {
  if (seal === undefined) return undefined;
  if (auth.kind === "ws_security") {
    const blocks = securityHeader(auth.token, () => auth.password.reveal());
    return (body, url) => seal.seal(body, url, blocks());
  }
  return seal.addressing ? (body, url) => seal.seal(body, url, "") : undefined;
}

function secretOf(auth: AuthConfig): Secret | undefined {
  if (auth.kind === "none") return undefined;
  if (auth.kind === "api_key") return auth.key;
  return auth.kind === "bearer" ? auth.token : auth.password;
}

function queryOf(auth: AuthConfig): Authenticator["query"] {
  if (auth.kind !== "api_key" || auth.in !== "query") return undefined;
  return queryKey(auth.name, () => auth.key.reveal());
}

function fixedAuthenticator(auth: AuthConfig): FixedAuthenticator {
  switch (auth.kind) {
    case "none":
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

/** All secrets that calls to a service hold. */
export function secretsOf({ auth, headers, secrets, tls }: ServiceConfig): Secret[] {
  const all = [secretOf(auth), tls.passphrase, ...Object.values(headers), ...Object.values(secrets)];
  return all.filter((value) => value instanceof Secret);
}
