/**
 * What the demo's authorization service knows: which host may send mail as whom.
 *
 * A row permits one origin (client_address or client_name) one address, or every address of an `@domain`, as in the
 * MySQL example of pfxpold. What no row permits is denied; a question without a client or a sender, too.
 */

interface Permission {
  /** A client_address or a client_name. */
  readonly origin: string;
  /** `user@domain`, or `@domain` for all of its addresses; in lower case. */
  readonly address: string;
}

export const PERMISSIONS: readonly Permission[] = [
  { origin: "1.2.3.4", address: "foo@example.com" },
  { origin: "127.0.0.1", address: "@example.com" },
  { origin: "shop.example.com", address: "@example.org" },
  { origin: "scanner.example.com", address: "scan@example.com" },
  { origin: "192.0.2.25", address: "@news.example.net" },
];

/** Who wants to send as whom, as Postfix sees it. */
interface Question {
  readonly clientAddress: string;
  readonly clientName: string;
  readonly sender: string;
}

interface Answered {
  readonly permitted: boolean;
  /** For the sender: one sentence. */
  readonly reason: string;
}

/**
 * Looks for a row: the client by address or name, the sender by address or domain.
 *
 * @example
 * answer({ clientAddress: "1.2.3.4", clientName: "foo.bar", sender: "foo@example.com" }).permitted // true
 */
export function answer(question: Question): Answered {
  const { clientAddress, clientName } = question;
  const sender = question.sender.toLowerCase();
  if (sender === "") return denied("mail without a sender is not permitted here");
  if (clientAddress === "" && clientName === "") return denied("the client is not known");
  const domain = sender.slice(sender.lastIndexOf("@") + 1);
  const row = PERMISSIONS.find(
    ({ origin, address }) =>
      (origin === clientAddress || origin === clientName.toLowerCase()) &&
      (address === sender || address === `@${domain}`),
  );
  const client = clientAddress || clientName;
  if (row === undefined) return denied(`${client} may not send as ${sender}`);
  return { permitted: true, reason: `${row.origin} may send as ${row.address}` };
}

function denied(reason: string): Answered {
  return { permitted: false, reason };
}
