/**
 * The recipients of the message at hand. At DATA and END-OF-MESSAGE Postfix names no recipient when there
 * are several (SMTPD_POLICY_README), so the connection remembers those whose RCPT it answered, as long as
 * `instance` stays the same.
 *
 * A recipient that was refused is not among them; whatever is the last answer about one counts. The memory
 * is bounded: beyond the limits recipients are left out, which is logged once for each message.
 */
import { isRefusal } from "./action.ts";
import type { Attributes } from "./attributes.ts";

/** What is remembered at most for one message. Postfix's own limit is smtpd_recipient_limit, 1000 by default. */
export interface RecipientLimits {
  readonly recipients: number;
  /** Bytes of all addresses together, as UTF-8. */
  readonly bytes: number;
}

export const DEFAULT_RECIPIENT_LIMITS: RecipientLimits = { recipients: 10_000, bytes: 1024 * 1024 };

const NO_RECIPIENTS: readonly string[] = [];

export class RecipientMemory {
  readonly #limits: RecipientLimits;
  readonly #onLimit: (problem: string) => void;
  readonly #recipients = new Set<string>();
  #instance = "";
  #bytes = 0;
  #full = false;

  /** `onLimit` is told, once for each message, that recipients are left out. */
  constructor(onLimit: (problem: string) => void, limits: RecipientLimits = DEFAULT_RECIPIENT_LIMITS) {
    this.#onLimit = onLimit;
    this.#limits = limits;
  }

  /** The recipients that a request is about: the one it names, or all of its message where it names none. */
  of(request: Attributes): readonly string[] {
    const recipient = request.get("recipient") ?? "";
    if (recipient !== "") return [recipient];
    const state = request.get("protocol_state");
    if (state !== "DATA" && state !== "END-OF-MESSAGE") return NO_RECIPIENTS;
    if (this.#instance === "" || request.get("instance") !== this.#instance) return NO_RECIPIENTS;
    return [...this.#recipients];
  }

  /** Takes note of what was answered; null is a connection closed without a reply. */
  answered(request: Attributes, action: string | null): void {
    if (request.get("protocol_state") !== "RCPT") return;
    const instance = request.get("instance") ?? "";
    if (instance !== this.#instance) this.#forget(instance);
    const recipient = request.get("recipient") ?? "";
    if (instance === "" || recipient === "") return;
    if (action === null || isRefusal(action)) this.#remove(recipient);
    else if (!this.#recipients.has(recipient)) this.#add(recipient);
  }

  #add(recipient: string): void {
    const bytes = Buffer.byteLength(recipient);
    if (this.#recipients.size >= this.#limits.recipients || this.#bytes + bytes > this.#limits.bytes) {
      if (!this.#full) {
        const { size } = this.#recipients;
        this.#onLimit(
          `more recipients than are remembered for one message; after the first ${size} they are left out`,
        );
      }
      this.#full = true;
      return;
    }
    this.#recipients.add(detached(recipient));
    this.#bytes += bytes;
  }

  #remove(recipient: string): void {
    if (this.#recipients.delete(recipient)) this.#bytes -= Buffer.byteLength(recipient);
  }

  #forget(instance: string): void {
    this.#recipients.clear();
    this.#bytes = 0;
    this.#full = false;
    this.#instance = instance === "" ? "" : detached(instance);
  }
}

/** A copy: a slice of a string keeps the whole of it in memory, here the request. */
function detached(text: string): string {
  return Buffer.from(text).toString();
}
