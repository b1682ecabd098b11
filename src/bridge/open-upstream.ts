/** From a service's configuration to the client that calls it; what happens to it between calls goes into the log. */
import type { ServiceConfig } from "../config/config.ts";
import { proxyFor } from "../config/proxy.ts";
import { Secret } from "../config/secret.ts";
import { SecretFile } from "../config/secret-file.ts";
import type { Log } from "../observe/log.ts";
import type { AttemptMeter } from "../upstream/meter.ts";
import { samplingOf } from "../upstream/trace-context.ts";
import { Upstream } from "../upstream/upstream.ts";
import { VERSION } from "../version.ts";
import { circuitLog } from "./base-options.ts";
import type { OpenedAuth } from "./open-auth.ts";
import type { Outage } from "./outages.ts";

const SAMPLING = samplingOf(process.env);

/** @throws Error that says which file of `tls` cannot be used */
export function openUpstream(
  service: ServiceConfig,
  { authenticator, seal }: OpenedAuth,
  log: Log,
  meter: AttemptMeter,
  outage: Outage,
): Upstream {
  return new Upstream(
    {
      ...service,
      urls: service.urls.map((url) => new URL(url)),
      headers: Object.fromEntries(
        Object.entries(service.headers).flatMap(([header, value]) =>
          value instanceof SecretFile ? [] : [[header, value instanceof Secret ? value.reveal() : value]],
        ),
      ),
      authenticator,
      seal,
      meter,
      proxy: (url) => proxyFor(service.proxies, url),
      sampling: service.traceparent ? SAMPLING : null,
      userAgent: `pfxbridge/${VERSION}`,
    },
    {
      ...circuitLog(service.name, log, "the service"),
      onCircuit: (url, state, detail) => outage.onCircuit(url, state, detail),
      onDiscovery: (url, ok, detail) => {
        const message = ok
          ? "the service says where it is asked"
          : "where the service is asked cannot be discovered";
        log[ok ? "info" : "warn"]({ service: service.name, url, detail }, message);
      },
    },
  );
}
