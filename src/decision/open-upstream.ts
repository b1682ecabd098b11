/** From a service's configuration to the client that calls it; what happens to it between calls goes into the log. */
import type { AuthConfig, ServiceConfig } from "../config/config.ts";
import { Secret } from "../config/secret.ts";
import type { Log } from "../observe/log.ts";
import { type Authenticator, anonymous, basic, bearer } from "../upstream/auth.ts";
import { Upstream } from "../upstream/upstream.ts";
import { VERSION } from "../version.ts";

/** @throws Error that says which file of `tls` cannot be used */
export function openUpstream(service: ServiceConfig, log: Log): Upstream {
  const { name } = service;
  return new Upstream(
    {
      ...service,
      urls: service.urls.map((url) => new URL(url)),
      headers: Object.fromEntries(
        Object.entries(service.headers).map(([header, value]) => [
          header,
          value instanceof Secret ? value.reveal() : value,
        ]),
      ),
      authenticator: authenticatorOf(service.auth),
      userAgent: `pfxbridge/${VERSION}`,
    },
    {
      onCircuit: (url, state, detail) => {
        const level = state === "open" ? "warn" : "info";
        log[level]({ service: name, url, state, detail }, CIRCUIT_MESSAGES[state]);
      },
      onCertificates: (ok, detail) => log[ok ? "info" : "error"]({ service: name }, detail),
    },
  );
}

const CIRCUIT_MESSAGES = {
  open: "circuit opened: the service is not called for a while, on_failure for circuit_open answers",
  "half-open": "circuit half-open: one call is let through as a trial",
  closed: "circuit closed: the service is called again",
} as const;

function authenticatorOf(auth: AuthConfig): Authenticator {
  switch (auth.kind) {
    case "none":
      return anonymous;
    case "basic":
      return basic(auth.username, auth.password.reveal());
    case "bearer":
      return bearer(auth.token.reveal());
  }
}
