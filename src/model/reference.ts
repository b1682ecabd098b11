/**
 * A decision's reference: what a help desk is told, so that the decision can be found again.
 *
 *     mx1-1f3a9c2e    on the host mx1, the decision whose request_id begins with 1f3a9c2e
 *
 * Its end is the beginning of the request_id, so that it is found in any log by eye; what is before says on which host to
 * look.
 */
import { hostname } from "node:os";
import { isReplyCode, LONGEST_TEXT, verbOf } from "./action.ts";
import type { PolicyRequest } from "./request.ts";

/** Digits of the request_id that a reference ends with. */
export const REFERENCE_DIGITS = 8;
const LONGEST_TAG = 16;
const TAG = /^[a-z0-9](?:[a-z0-9-]{0,14}[a-z0-9])?$/;

/** Verbs, besides reply codes, that turn the client away, or would. */
const REFUSALS: ReadonlySet<string> = new Set(["REJECT", "DEFER", "DEFER_IF_PERMIT", "DEFER_IF_REJECT"]);

/** Whether a text can say in references on which host they were made. */
export function isHostTag(text: string): boolean {
  return TAG.test(text);
}

/**
 * What says of a host in references which it is: the first label of its name, in letters, digits and hyphens.
 *
 * @example hostTag("MX1.example.org") === "mx1"
 */
export function hostTag(name: string = hostname()): string {
  const label = name
    .split(".", 1)[0]!
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, "");
  return label.replace(/^-+/, "").slice(0, LONGEST_TAG).replace(/-+$/, "") || "host";
}

/** Of a decision, by the host that makes it. */
export function referenceOf({ id, host = "" }: Pick<PolicyRequest, "id" | "host">): string {
  const digits = id.slice(0, REFERENCE_DIGITS);
  return host === "" ? digits : `${host}-${digits}`;
}

/**
 * A refusal that ends with its reference; any other action as it is, and one that names it already. The text is cut where
 * both would be too long for Postfix, never the reference.
 *
 * @example withReference("REJECT 5.7.1 no", "mx1-1f3a9c2e") === "REJECT 5.7.1 no (ref mx1-1f3a9c2e)"
 */
export function withReference(action: string, reference: string): string {
  const verb = verbOf(action);
  if (!REFUSALS.has(verb) && !isReplyCode(verb)) return action;
  if (action.includes(reference)) return action;
  const end = ` (ref ${reference})`;
  const most = verb.length + 1 + LONGEST_TEXT - end.length;
  if (action.length * 3 <= most) return action + end;
  const bytes = Buffer.from(action);
  if (bytes.length <= most) return action + end;
  let cut = most;
  while ((bytes[cut]! & 0xc0) === 0x80) cut -= 1;
  return bytes.toString("utf8", 0, cut).trimEnd() + end;
}
