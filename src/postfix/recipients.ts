/**
 * The recipients of the message at hand. At DATA and END-OF-MESSAGE Postfix names no recipient when there
 * are several (SMTPD_POLICY_README), so the connection remembers those whose RCPT it answered, as long as
 * `instance` stays the same.
 *
 * They may be a part: a recipient is unknown here that was permitted before the policy check, or asked about on
 * another connection, or before a reconnect. Postfix says how many it took (`recipient_count`, each RCPT counts), so it
 * is told, too, how many of these are known for certain. Certain is a lower bound: one RCPT may ask several times, once
 * for each list of restrictions, so that a repeated question counts as another RCPT only where it must be one.
 *
 * A recipient that was refused is not among them. One that a later restriction refused still is: the list may hold
 * more than Postfix took. The memory is bounded: beyond the limits recipients are left out, are not counted, and that
 * is logged once for each message.
 */
import { isRefusal, verbOf } from "../model/action.ts";
import type { Attributes } from "./attributes.ts";

/** What is remembered at most for one message. */
export interface RecipientLimits {
  readonly recipients: number;
  /** Bytes of all addresses together, as UTF-8. */
  readonly bytes: number;
}

/** At least what Postfix takes: smtpd_recipient_limit (1,000) addresses of up to line_length_limit (2,048) bytes. */
export const DEFAULT_RECIPIENT_LIMITS: RecipientLimits = { recipients: 10_000, bytes: 1_000 * 2_048 };

const NO_RECIPIENTS: readonly string[] = [];

/** The last RCPT that was asked about, which may be asked about again. */
interface LastRcpt {
  readonly recipient: string;
  readonly queueId: string;
  outcome: Outcome | null;
}

type Outcome = "accepted" | "refused" | "deferred at the end";

export class RecipientMemory {
  readonly #limits: RecipientLimits;
  readonly #onLimit: (problem: string) => void;
  /** How many RCPTs were accepted for each. */
  readonly #recipients = new Map<string, number>();
  #instance = "";
  #rcpts = 0;
  #bytes = 0;
  #full = false;
  #last: LastRcpt | null = null;

  /** `onLimit` is told, once for each message, that recipients are left out. */
  constructor(onLimit: (problem: string) => void, limits: RecipientLimits = DEFAULT_RECIPIENT_LIMITS) {
    this.#onLimit = onLimit;
    this.#limits = limits;
  }

  /** The recipients that a request is about: the one it names, or all known ones of its message where it names none. */
  of(request: Attributes): readonly string[] {
    const recipient = request.get("recipient") ?? "";
    if (recipient !== "") return [recipient];
    return this.#isAboutMessage(request) ? [...this.#recipients.keys()] : NO_RECIPIENTS;
  }

  /** For how many RCPT commands they stand at least: one that was given twice stands for two. */
  rcptsOf(request: Attributes): number {
    if ((request.get("recipient") ?? "") !== "") return 1;
    return this.#isAboutMessage(request) ? this.#rcpts : 0;
  }

  #isAboutMessage(request: Attributes): boolean {
    const state = request.get("protocol_state");
    if (state !== "DATA" && state !== "END-OF-MESSAGE") return false;
    return this.#instance !== "" && request.get("instance") === this.#instance;
  }

  /** Takes note of what was answered; null is a connection closed without a reply. */
  answered(request: Attributes, action: string | null): void {
    if (request.get("protocol_state") !== "RCPT") return;
    const instance = request.get("instance") ?? "";
    if (instance !== this.#instance) this.#forget(instance);
    const recipient = request.get("recipient") ?? "";
    if (instance === "" || recipient === "") return;
    const rcpt = this.#rcptOf(recipient, request.get("queue_id") ?? "");
    const before = rcpt.outcome;
    rcpt.outcome = outcomeOf(action, before);
    if (before === "accepted" && rcpt.outcome !== "accepted") this.#remove(rcpt.recipient);
    if (before !== "accepted" && rcpt.outcome === "accepted") this.#add(rcpt.recipient);
  }

  /**
   * The RCPT that was asked about last, if this may be a further question about it: about the same recipient, with nothing
   * between. Postfix assigns the queue_id with the first recipient that it takes, so that another one is another RCPT.
   */
  #rcptOf(recipient: string, queueId: string): LastRcpt {
    const last = this.#last;
    const sameQueueId = last?.queueId === queueId;
    if (last !== null && sameQueueId && last.recipient === recipient) return last;
    this.#last = {
      recipient: detached(recipient),
      queueId: sameQueueId ? last.queueId : detached(queueId),
      outcome: null,
    };
    return this.#last;
  }

  #add(recipient: string): void {
    const times = this.#recipients.get(recipient);
    if (times === undefined && !this.#makeRoom(recipient)) return;
    this.#recipients.set(recipient, (times ?? 0) + 1);
    this.#rcpts += 1;
  }

  #makeRoom(recipient: string): boolean {
    const bytes = this.#bytes + Buffer.byteLength(recipient);
    const { size } = this.#recipients;
    if (size >= this.#limits.recipients || bytes > this.#limits.bytes) {
      if (!this.#full) {
        this.#onLimit(
          `more recipients than are remembered for one message; after the first ${size} they are left out`,
        );
      }
      this.#full = true;
      return false;
    }
    this.#bytes = bytes;
    return true;
  }

  #remove(recipient: string): void {
    const times = this.#recipients.get(recipient);
    if (times === undefined) return;
    this.#rcpts -= 1;
    if (times > 1) {
      this.#recipients.set(recipient, times - 1);
    } else {
      this.#recipients.delete(recipient);
      this.#bytes -= Buffer.byteLength(recipient);
    }
  }

  #forget(instance: string): void {
    this.#recipients.clear();
    this.#rcpts = 0;
    this.#bytes = 0;
    this.#full = false;
    this.#last = null;
    this.#instance = instance === "" ? "" : detached(instance);
  }
}

/**
 * A refusal ends the RCPT, so that what follows is another one; only DEFER_IF_PERMIT lets further restrictions ask, which
 * then cannot accept the recipient any more.
 */
function outcomeOf(action: string | null, before: Outcome | null): Outcome {
  if (action !== null && verbOf(action) === "DEFER_IF_PERMIT") return "deferred at the end";
  if (action === null || isRefusal(action)) return "refused";
  return before === "deferred at the end" ? before : "accepted";
}

/** A copy: a slice of a string keeps the whole of it in memory, here the request. */
function detached(text: string): string {
  return Buffer.from(text).toString();
}
