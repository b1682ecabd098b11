/**
 * A policy request, as Postfix sent it (SMTPD_POLICY_README, "Protocol description").
 *
 * Plain data: the parser fills in what came over the wire, the connection adds what only it can know
 * (the listener's name, the recipients of the message so far).
 */
import { randomUUID } from "node:crypto";

/** The attributes that Postfix documents, all strings on the wire. */
export const ATTRIBUTE_NAMES = [
  "request",
  "protocol_state",
  "protocol_name",
  "client_address",
  "client_name",
  "client_port",
  "reverse_client_name",
  "server_address",
  "server_port",
  "helo_name",
  "sender",
  "recipient",
  "recipient_count",
  "queue_id",
  "instance",
  "size",
  "etrn_domain",
  "stress",
  "sasl_method",
  "sasl_username",
  "sasl_sender",
  "ccert_subject",
  "ccert_issuer",
  "ccert_fingerprint",
  "ccert_pubkey_fingerprint",
  "encryption_protocol",
  "encryption_cipher",
  "encryption_keysize",
  "policy_context",
  "compatibility_level",
  "mail_version",
  "tls_sni",
] as const;

export type AttributeName = (typeof ATTRIBUTE_NAMES)[number];

/** Attributes that say who somebody is, and are in each line of the log. */
export const PERSONAL_ATTRIBUTES = ["sender", "recipient", "sasl_username", "client_address"] as const;

export type PersonalAttribute = (typeof PERSONAL_ATTRIBUTES)[number];

/** What the log's line of a decision says of its request. */
export const LOGGED_ATTRIBUTES: readonly AttributeName[] = [
  "protocol_state",
  "client_address",
  "sasl_username",
  "sender",
  "recipient",
  "queue_id",
  "instance",
  "policy_context",
];

/** Attributes that expressions see as integers, 0 where Postfix sent none. */
export const INTEGER_ATTRIBUTES: readonly AttributeName[] = ["size", "recipient_count", "encryption_keysize"];

/** The values of `protocol_state`. */
export const PROTOCOL_STATES = [
  "CONNECT",
  "EHLO",
  "HELO",
  "MAIL",
  "RCPT",
  "DATA",
  "END-OF-MESSAGE",
  "VRFY",
  "ETRN",
] as const;

/** One complete policy request. */
export interface PolicyRequest {
  /** A UUID, new for each decision; also the X-Request-ID of each call. */
  readonly id: string;
  /** When the decision began, in milliseconds since 1970. */
  readonly time: number;
  /** The same by `performance.now()`: from here the deadline counts. */
  readonly startedAt: number;
  /** All that was sent, unknown names too; of a repeated name the first value. */
  readonly attributes: ReadonlyMap<string, string>;
  /** On which host it is decided, as references say it; left out: they don't. */
  readonly host?: string;
  /** The name of the listener it came in on; `listener` in expressions. */
  readonly listener: string;
  /**
   * The recipients of the message: the one named, or at DATA and END-OF-MESSAGE those of the same
   * `instance` that this connection answered at RCPT; `recipients` in expressions.
   */
  readonly recipients: readonly string[];
  /**
   * For how many RCPT commands the recipients stand at least: more than there are recipients, where one was given
   * twice. As many as there are recipients where it is left out.
   */
  readonly rcpts?: number;
}

/**
 * A request that came over no connection: from an example, a file, a command line. It begins now, and is for the recipient
 * that it names, unless something else is given.
 */
export function policyRequest(
  attributes: ReadonlyMap<string, string>,
  given: Partial<PolicyRequest> = {},
): PolicyRequest {
  const recipient = attributes.get("recipient") ?? "";
  return {
    ...beginning(),
    attributes,
    listener: "",
    recipients: recipient === "" ? [] : [recipient],
    ...given,
  };
}

/** The same question once more, as a decision of its own. */
export function askedAgain(request: PolicyRequest): PolicyRequest {
  return { ...request, ...beginning() };
}

function beginning(): Pick<PolicyRequest, "id" | "time" | "startedAt"> {
  return { id: randomUUID(), time: Date.now(), startedAt: performance.now() };
}

/**
 * Whether `recipients` is all of them: it stands for as many RCPTs as Postfix says that it took (`recipient_count`, which is
 * 0 before DATA). At DATA and END-OF-MESSAGE there is always one.
 */
export function hasAllRecipients({
  attributes,
  recipients,
  rcpts = recipients.length,
}: PolicyRequest): boolean {
  const state = attributes.get("protocol_state");
  const least = state === "DATA" || state === "END-OF-MESSAGE" ? 1 : 0;
  const count = attributes.get("recipient_count") ?? "";
  return rcpts >= least && (count === "" || rcpts >= Number(count));
}

/** The value of an attribute, empty where Postfix sent none. */
export function attribute(request: PolicyRequest, name: AttributeName): string {
  return request.attributes.get(name) ?? "";
}

/** What an integer attribute is worth: 64 bits hold it; what is none, or has more digits, is 0. */
export function integer(text: string | undefined): bigint {
  return text !== undefined && /^[0-9]{1,18}$/.test(text) ? BigInt(text) : 0n;
}
