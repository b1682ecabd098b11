/** The configuration that the demo runs with: the text that an administrator would have written. */
import { stringify } from "yaml";
import { SOAP_PATH } from "./soap.ts";

/** Where the demo answers Postfix. */
export const DEMO_ENDPOINT = "inet:127.0.0.1:9998";

/** Requests that carry this policy_context are put to the service over SOAP. */
export const SOAP_CONTEXT = "soap";

/** How long a remembered decision is fresh, and a circuit stays open, in milliseconds: short, so that one can see them. */
export const DEMO_TTL = 2000;
export const DEMO_OPEN_FOR = 3000;

/**
 * pfxbridge.yaml for the demo.
 *
 * @param serviceUrl as from `startDemoService`
 * @param endpoint where to listen
 */
export function demoConfig(serviceUrl: string, endpoint: string = DEMO_ENDPOINT): string {
  return stringify({
    listen: [endpoint],
    services: {
      authzen: {
        url: serviceUrl,
        mapping: "authzen",
        cache: { ttl: `${DEMO_TTL}ms`, stale_if_error: "1h" },
        breaker: { minimum_calls: 6, open_for: `${DEMO_OPEN_FOR}ms` },
      },
      soap: { url: `${serviceUrl}${SOAP_PATH}`, mapping: "soap" },
    },
    log: { format: "pretty" },
    routes: [{ when: `policy_context == "${SOAP_CONTEXT}"`, service: "soap" }, { service: "authzen" }],
  });
}
