/** One policy request to a running bridge, as Postfix would put it at RCPT, over a connection of its own. */
import { PolicyClient } from "./policy-client.ts";

/**
 * Sends the attributes to 127.0.0.1 and gives the action.
 *
 *     await ask(port, { sender: "a@example.net", recipient: "b@example.org" })   // "DUNNO"
 */
export async function ask(port: number, attributes: Readonly<Record<string, string>>): Promise<string> {
  const client = await PolicyClient.connect({ kind: "inet", host: "127.0.0.1", port });
  try {
    return await client.ask({ request: "smtpd_access_policy", protocol_state: "RCPT", ...attributes });
  } finally {
    client.end();
  }
}
