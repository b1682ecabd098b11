/**
 * Renders a mapping for the policy requests that its author did not think of: the bounce, which has no sender, and DATA
 * with several recipients, at which Postfix names none, and of which not all need be known. `pfxbridge check` shows what
 * fails.
 */

import { policyRequest } from "../model/request.ts";
import { EXAMPLE } from "./examples.ts";
import { isFailure, type Mapping } from "./mapping.ts";

interface Probe {
  readonly what: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly recipients: readonly string[];
}

const COMMON = {
  request: "smtpd_access_policy",
  protocol_name: "ESMTP",
  client_address: "192.0.2.1",
  client_name: "client.example.net",
  client_port: "40000",
  reverse_client_name: "client.example.net",
  server_address: "192.0.2.25",
  server_port: "25",
  helo_name: "client.example.net",
  instance: "1a2b.6957a1c0.3d4e5.0",
};

const PROBES: readonly Probe[] = [
  {
    what: "a bounce (RCPT with the null sender)",
    attributes: {
      ...COMMON,
      protocol_state: "RCPT",
      sender: "",
      recipient: "user@example.org",
      recipient_count: "0",
    },
    recipients: ["user@example.org"],
  },
  {
    what: "DATA with several recipients, at which Postfix sends no `recipient`",
    attributes: {
      ...COMMON,
      protocol_state: "DATA",
      sender: "user@example.net",
      recipient: "",
      recipient_count: "2",
    },
    recipients: ["one@example.org", "two@example.org"],
  },
  {
    what: "DATA with recipients that Postfix did not ask about at RCPT, or not on the same connection",
    attributes: {
      ...COMMON,
      protocol_state: "DATA",
      sender: "user@example.net",
      recipient: "",
      recipient_count: "3",
    },
    recipients: ["one@example.org"],
  },
];

/** One sentence for each reason why no call can be made, with the kind of policy request. */
export async function probeMapping(mapping: Mapping): Promise<readonly string[]> {
  const findings = new Map<string, string>();
  for (const { what, attributes, recipients } of PROBES) {
    const asked = policyRequest(new Map(Object.entries(attributes)), {
      ...EXAMPLE,
      listener: "check",
      recipients,
    });
    const call = await mapping.render(asked);
    if (!isFailure(call) || findings.has(call.detail)) continue;
    findings.set(call.detail, `no call can be made for ${what}: ${call.detail}`);
  }
  return [...findings.values()];
}
