/** What `pfxbridge demo` prints before the first decision: who may send, and what to type next. */
import { DEMO_ENDPOINT, SOAP_CONTEXT } from "./config.ts";
import { PERMISSIONS } from "./permissions.ts";

/**
 * Lines of at most 80 columns, ending in a line break.
 *
 * @param serviceUrl as from `startDemoService`
 * @param endpoint as given to `demoConfig`
 * @param isTerminal whether somebody can press a key
 */
export function demoBanner(serviceUrl: string, endpoint: string = DEMO_ENDPOINT, isTerminal = false): string {
  const width = Math.max(...PERMISSIONS.map(({ origin }) => origin.length));
  const rows = PERMISSIONS.map(({ origin, address }) => `    ${origin.padEnd(width)}  ${address}`);
  return [
    "pfxbridge demo",
    "",
    `  Postfix asks         ${endpoint}`,
    `  the bridge asks      ${serviceUrl}  (AuthZEN and SOAP 1.1)`,
    "  which permits only",
    "",
    `    ${"client".padEnd(width)}  may send as`,
    `    ${"-".repeat(width)}  ${"-".repeat(24)}`,
    ...rows,
    "",
    "  Ask from another terminal, as Postfix would (permitted, denied, over SOAP):",
    "",
    ...tryLines(endpoint, ["sender=foo@example.com", "client_address=1.2.3.4"]),
    ...tryLines(endpoint, ["sender=foo@example.com", "client_address=1.2.3.5"]),
    ...tryLines(endpoint, [
      "sender=a@example.com",
      "client_address=127.0.0.1",
      `policy_context=${SOAP_CONTEXT}`,
    ]),
    "",
    "  or let a Postfix on this host ask, in its main.cf:",
    "",
    "    smtpd_recipient_restrictions = reject_unauth_destination,",
    `        check_policy_service ${endpoint}`,
    "",
    isTerminal
      ? "  Enter shows what happens while the service is down."
      : "  pfxbridge demo --outage shows what happens while the service is down.",
    "  Each decision is one line below. Ctrl-C ends the demo.",
    "",
    "",
  ].join("\n");
}

function tryLines(endpoint: string, attributes: readonly string[]): string[] {
  const [first, ...others] = attributes;
  return [`    npx pfxbridge try --to ${endpoint} ${first} \\`, `        ${others.join(" ")}`];
}
