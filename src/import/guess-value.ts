/**
 * What a member of a call is filled with, by its name: `ClientAddress` is Postfix's client_address. Where a name says
 * nothing, nothing is guessed, and the administrator chooses.
 */
import type { ValueShape } from "./shape.ts";
import { words } from "./words.ts";

export interface Guess {
  readonly expression: string;
  /** What it gives for the request of the examples. */
  readonly sample: string | number;
}

/** The policy request of the examples. */
export const EXAMPLE_REQUEST = {
  protocol_state: "RCPT",
  sender: "alice@example.net",
  recipient: "bob@example.org",
  client_address: "192.0.2.7",
  client_name: "client.example.net",
  helo_name: "client.example.net",
  sasl_username: "alice",
  size: "1200",
} as const;

const SENDER: Guess = { expression: "sender", sample: EXAMPLE_REQUEST.sender };
const RECIPIENT: Guess = { expression: "recipient", sample: EXAMPLE_REQUEST.recipient };
const USER: Guess = { expression: "sasl_username", sample: EXAMPLE_REQUEST.sasl_username };
const WHO: Guess = {
  expression: 'first(sasl_username, sender, "<>")',
  sample: EXAMPLE_REQUEST.sasl_username,
};
const ADDRESS: Guess = { expression: "client_address", sample: EXAMPLE_REQUEST.client_address };
const NAME: Guess = { expression: "client_name", sample: EXAMPLE_REQUEST.client_name };
const HELO: Guess = { expression: "helo_name", sample: EXAMPLE_REQUEST.helo_name };
const STATE: Guess = { expression: "protocol_state", sample: EXAMPLE_REQUEST.protocol_state };
const DOMAIN: Guess = { expression: "domain(recipient)", sample: "example.org" };
const SENDER_DOMAIN: Guess = { expression: "domain(sender)", sample: "example.net" };
const REQUEST_ID: Guess = { expression: "request_id", sample: "00000000-0000-4000-8000-000000000000" };
const NOW: Guess = { expression: "now", sample: "2026-01-01T00:00:00.000Z" };
const SIZE: Guess = { expression: "size", sample: 1200 };

/** Names, their words written together. */
const TEXTS: ReadonlyMap<string, Guess> = new Map(
  (
    [
      [
        SENDER,
        "sender from mailfrom fromaddress senderaddress senderemail sendermail envelopefrom envelopesender",
      ],
      [RECIPIENT, "recipient rcpt to rcptto mailto toaddress recipientaddress recipientemail envelopeto"],
      [
        USER,
        "user username login loginname account accountname saslusername userid uid authuser authenticateduser",
      ],
      [ADDRESS, "clientaddress clientip ip ipaddress remoteaddress remoteip sourceip client clientipaddress"],
      [NAME, "clientname clienthost clienthostname hostname remotehost"],
      [HELO, "helo heloname ehlo"],
      [STATE, "protocolstate smtpstate"],
      [DOMAIN, "domain recipientdomain"],
      [SENDER_DOMAIN, "senderdomain fromdomain"],
      [REQUEST_ID, "requestid correlationid xrequestid messageid transactionid"],
      [NOW, "timestamp now datetime"],
    ] as const
  ).flatMap(([guess, names]) => names.split(" ").map((name) => [name, guess] as const)),
);

/** What an `id` or `name` is, is said by the member that it belongs to. */
const IDS: ReadonlyMap<string, Guess> = new Map([
  ["subject", WHO],
  ["principal", WHO],
  ["user", WHO],
  ["resource", RECIPIENT],
]);

/** @param names of the member and of those that it is in, outermost first */
export function guessValue(names: readonly string[], shape: ValueShape): Guess | undefined {
  if (shape.values.length > 0) return undefined;
  const name = words(names.at(-1) ?? "").join("");
  if (shape.type === "integer") return name === "size" || name === "messagesize" ? SIZE : undefined;
  if (shape.type !== "text") return undefined;
  if (/date-?time/i.test(shape.typeName)) return NOW;
  // A text of a form that no address has.
  if (/uuid|uri|date|time|byte|binary/i.test(shape.typeName) && TEXTS.get(name) !== REQUEST_ID)
    return undefined;
  // An id made of parts, as in `user:anne`: an address put there bare could name something else, a group or everybody.
  if (/[:#]/.test(String(shape.example))) return undefined;
  if (name === "id") return IDS.get(words(names.at(-2) ?? "").join(""));
  return TEXTS.get(name);
}
