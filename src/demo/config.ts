/** The configuration that the demo runs with: the text that an administrator would have written. */
import { stringify } from "yaml";
import { SOAP_PATH } from "./soap.ts";

/** Where the demo answers Postfix. */
export const DEMO_ENDPOINT = "inet:127.0.0.1:9998";

/** Requests that carry this policy_context are put to the service over SOAP. */
export const SOAP_CONTEXT = "soap";

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
      authzen: { url: serviceUrl, mapping: "authzen" },
      soap: { url: `${serviceUrl}${SOAP_PATH}`, mapping: "soap" },
    },
    log: { format: "pretty" },
    routes: [{ when: `policy_context == "${SOAP_CONTEXT}"`, service: "soap" }, { service: "authzen" }],
  });
}
