// What a mapping that is a module exports (README.md beside this file, "What no expression can say"). For an editor:
//
//     // @ts-check
//     /** @type {import("pfxbridge/module").ToRequest} */
//     export const toRequest = ({ sender }) => ({ path: `/check/${encodeURIComponent(sender)}` });
//     /** @type {import("pfxbridge/module").ToAction} */
//     export const toAction = ({ status }) => (status === 204 ? "DUNNO" : "REJECT");

/** Makes a call of a policy request; what it throws is a `mapping_error`. */
export type ToRequest = (request: ModuleRequest) => ModuleCall | Promise<ModuleCall>;

/**
 * Makes an action of a complete reply, whatever its status: verb and text, as access(5) has them. What it throws, or an action
 * that a reply may not choose, is a failure.
 */
export type ToAction = (
  reply: ModuleReply,
  request: Omit<ModuleRequest, "secret">,
) => string | Promise<string>;

type Texts =
  | "request"
  | "protocol_state"
  | "protocol_name"
  | "client_address"
  | "client_name"
  | "client_port"
  | "reverse_client_name"
  | "server_address"
  | "server_port"
  | "helo_name"
  | "sender"
  | "recipient"
  | "queue_id"
  | "instance"
  | "etrn_domain"
  | "stress"
  | "sasl_method"
  | "sasl_username"
  | "sasl_sender"
  | "ccert_subject"
  | "ccert_issuer"
  | "ccert_fingerprint"
  | "ccert_pubkey_fingerprint"
  | "encryption_protocol"
  | "encryption_cipher"
  | "policy_context"
  | "compatibility_level"
  | "mail_version"
  | "tls_sni";

/** Each attribute by Postfix's name, empty where none was sent. */
export interface ModuleRequest extends Readonly<Record<Texts, string>> {
  /** 0 where they are none. */
  readonly size: number;
  readonly recipient_count: number;
  readonly encryption_keysize: number;
  /** All that was sent, unknown names too. */
  readonly attributes: Readonly<Record<string, string>>;
  /** Reading it without `recipients_complete` is a `mapping_error` when it is only a part of them. */
  readonly recipients: readonly string[];
  readonly recipients_complete: boolean;
  readonly listener: string;
  /** A UUID, new for each decision. */
  readonly request_id: string;
  /** How a refusal's text may name this decision, so that it can be found again: `mx1-1f3a9c2e`. */
  readonly reference: string;
  /** RFC 3339, UTC. */
  readonly now: string;
  /** What `with` sets under the service. */
  readonly param: Readonly<Record<string, unknown>>;
  /** What the service's `secrets` name. */
  readonly secret: Readonly<Record<string, string>>;
}

export interface ModuleCall {
  /** Upper case. Left out: POST where there is a body, else GET. */
  readonly method?: string;
  /** Joined to the service's URL; escaped as in a URL; empty, or it begins with `/` or `?`. */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | null;
}

export interface ModuleReply {
  readonly status: number;
  /** Names in lower case; repeated fields joined with ", ". */
  readonly headers: Readonly<Record<string, string>>;
  /** The body as it came. */
  readonly text: string;
  /** Parsed JSON or XML; integers beyond 2^53 are bigint; null when it is neither. */
  readonly body: unknown;
  readonly fault: {
    readonly code: string;
    readonly subcode: string;
    readonly reason: string;
    readonly detail: unknown;
  } | null;
}
