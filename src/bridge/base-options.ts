/** What calls to a service have in common with those to where its tokens come from. */
import type { ServiceConfig } from "../config/config.ts";
import { proxyFor } from "../config/proxy.ts";
import type { Log } from "../observe/log.ts";
import type { UpstreamEvents, UpstreamOptions } from "../upstream/options.ts";
import { VERSION } from "../version.ts";

/** A service's own ways to wait, try again and connect; whom it asks, and what is shown there, is left out. */
export function baseOptions(
  service: ServiceConfig,
): Omit<UpstreamOptions, "urls" | "headers" | "authenticator" | "seal" | "maxReplySize"> {
  const { name, timeout, retry, breaker, maxInFlight, tls, proxies, maxConnectionAge } = service;
  const userAgent = `pfxbridge/${VERSION}`;
  const proxy = (url: URL) => proxyFor(proxies, url);
  return { name, timeout, retry, breaker, maxInFlight, tls, proxy, maxConnectionAge, userAgent };
}

/**
 * Tells the log what happens between calls.
 *
 * @param what is called, as in `the service`
 */
export function circuitLog(service: string, log: Log, what: string): UpstreamEvents {
  const messages = {
    open: `circuit opened: ${what} is not called for a while, on_failure for circuit_open answers`,
    "half-open": "circuit half-open: one call is let through as a trial",
    closed: `circuit closed: ${what} is called again`,
  };
  return {
    onCircuit: (url, state, detail) => {
      const level = state === "open" ? "warn" : "info";
      log[level]({ service, url, state, detail }, messages[state]);
    },
    onCertificates: (ok, detail) => log[ok ? "info" : "error"]({ service }, detail),
  };
}
