/** One policy request to a running bridge, as Postfix would put it, over a connection of its own. */
import { once } from "node:events";
import { createConnection } from "node:net";

/**
 * Sends the attributes to 127.0.0.1 and gives the action.
 *
 *     await ask(port, { sender: "a@example.net", recipient: "b@example.org" })   // "DUNNO"
 */
export async function ask(port: number, attributes: Readonly<Record<string, string>>): Promise<string> {
  const all = { request: "smtpd_access_policy", protocol_state: "RCPT", ...attributes };
  const lines = Object.entries(all).map(([name, value]) => `${name}=${value}\n`);
  const socket = createConnection({ host: "127.0.0.1", port });
  await once(socket, "connect");
  socket.setTimeout(15_000, () => socket.destroy(new Error("no answer to a policy request within 15 s")));
  socket.end(`${lines.join("")}\n`);
  let reply = "";
  for await (const chunk of socket) reply += String(chunk);
  const action = /^action=([^\n]*)\n\n$/.exec(reply)?.[1];
  if (action === undefined) throw new Error(`not one policy reply: ${JSON.stringify(reply)}`);
  return action;
}
