/**
 * What a service said that no rule took, for the log: its beginning, on one line.
 *
 * A reply may speak of people, which not every log is for. Here it is taken to, where it holds an address or anything that this request
 * says of who is asking, or has a member whose name says so. That is a guess: a name in running text is not known for one.
 */
import { sanitizeText } from "../model/action.ts";
import { attribute, type PolicyRequest } from "../model/request.ts";

/** Characters of it. */
const LONGEST = 200;
/** Of a character of two units, where the text was cut between them. */
const HALF_PAIR = /[\ud800-\udbff]$/;
/** Values that are shorter are in any text. */
const SHORTEST_VALUE = 3;
const MAIL_ADDRESS = /@|%40|&#(?:64|x40);/i;
/** A member, attribute or element. */
const PERSONAL_MEMBER = /\b[a-z_.-]*(?:name|mail|phone|mobile|address|birth\w*|user|uid|login)["']?\s*[:=>]/i;
const ABOUT_WHO_ASKS = [
  "sender",
  "recipient",
  "sasl_username",
  "sasl_sender",
  "client_address",
  "client_name",
  "helo_name",
  "ccert_subject",
] as const;

export interface Said {
  /** Empty where it said nothing. */
  readonly words: string;
  readonly mayNameSomebody: boolean;
}

/** @param text the body of the reply */
export function saidIn(text: string, request: PolicyRequest): Said {
  // White space may be most of it.
  const beginning = sanitizeText(text.slice(0, 20 * LONGEST))
    .replace(/\s+/g, " ")
    .trim();
  const words =
    beginning.length > LONGEST ? `${beginning.slice(0, LONGEST).replace(HALF_PAIR, "")}…` : beginning;
  return { words, mayNameSomebody: mayName(beginning, request) };
}

function mayName(text: string, request: PolicyRequest): boolean {
  if (MAIL_ADDRESS.test(text) || PERSONAL_MEMBER.test(text)) return true;
  const lower = text.toLowerCase();
  const values = [...ABOUT_WHO_ASKS.map((name) => attribute(request, name)), ...request.recipients];
  return values
    .flatMap((value) => [value, value.slice(0, Math.max(0, value.lastIndexOf("@")))])
    .some((value) => value.length >= SHORTEST_VALUE && lower.includes(value.toLowerCase()));
}
