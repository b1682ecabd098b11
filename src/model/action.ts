/**
 * The actions that Postfix takes as an answer (access(5), "ACCEPT ACTIONS", "REJECT ACTIONS", "OTHER
 * ACTIONS").
 *
 * Postfix forgives much and guesses the rest: digits alone mean OK, so does nothing at all, and a word that
 * it doesn't know is run as a list of restrictions. So a verb is compared exactly here, in upper case and
 * without a blank before it, and what was compared is what is sent.
 */

/** Every verb of access(5) that may answer a policy request. */
export const VERBS: ReadonlySet<string> = new Set([
  "OK",
  "RELAY",
  "DUNNO",
  "REJECT",
  "DEFER",
  "DEFER_IF_PERMIT",
  "DEFER_IF_REJECT",
  "PREPEND",
  "FILTER",
  "REDIRECT",
  "BCC",
  "HOLD",
  "DISCARD",
  "WARN",
  "INFO",
]);

/** The verbs, besides reply codes, that an authorization service may choose: none lets more mail pass, or elsewhere. */
export const REPLY_VERBS: ReadonlySet<string> = new Set([
  "DUNNO",
  "REJECT",
  "DEFER",
  "DEFER_IF_PERMIT",
  "DEFER_IF_REJECT",
  "WARN",
  "INFO",
]);

/** Of the text after the verb, in bytes: Postfix cuts its whole reply at 510, its own words included. */
export const LONGEST_TEXT = 400;
/** Characters of a text that are looked at: those of one that is all line breaks fill no reply, and take others' time. */
const MOST_LOOKED_AT = 65_536;
const REPLY_CODE = /^[45]\d\d$/;
const REFUSING_VERBS: ReadonlySet<string> = new Set(["REJECT", "DEFER", "DEFER_IF_PERMIT"]);
/** Control characters (C0, DEL, C1), the line and paragraph separators, and half of a surrogate pair. */
const UNFIT = /[\p{Cc}\u2028\u2029\p{Cs}]/u;

export interface Action {
  /** One of VERBS, or a reply code such as `550`. */
  readonly verb: string;
  /** What follows it, without blanks at either end; may be empty, but not after a reply code. */
  readonly text: string;
}

/** Whether a verb is a three-digit SMTP reply code, 4xx or 5xx. */
export function isReplyCode(verb: string): boolean {
  return REPLY_CODE.test(verb);
}

/** The verb of an action: all up to the first blank, known or not. */
export function verbOf(action: string): string {
  const blank = action.indexOf(" ");
  return blank === -1 ? action : action.slice(0, blank);
}

/**
 * Reads an action as strictly as it has to be for Postfix to do what it says.
 *
 * @example
 * parseAction("REJECT 5.7.1 Not here"); // { verb: "REJECT", text: "5.7.1 Not here" }
 * parseAction("permit");                // { problem: … }
 */
export function parseAction(action: string): Action | { readonly problem: string } {
  if (UNFIT.test(action)) {
    return { problem: "an action must be one line without control characters (no line break, no tab)" };
  }
  if (action.trim() === "") return { problem: "an action must not be empty; Postfix takes that as OK" };
  if (action.startsWith(" ")) {
    return {
      problem: "an action must not begin with a blank; Postfix would run it as a list of restrictions",
    };
  }
  const verb = verbOf(action);
  const text = action.slice(verb.length).trim();
  if (isReplyCode(verb)) {
    if (text !== "") return { verb, text };
    return {
      problem: `${verb} needs a text; Postfix takes digits alone as OK. Write "${verb} Access denied"`,
    };
  }
  if (!VERBS.has(verb)) return { problem: unknownVerb(verb) };
  const problem = argumentProblem(verb, text);
  return problem === undefined ? { verb, text } : { problem };
}

/** Whether Postfix, given this action, turns the client away, at least for now. */
export function isRefusal(action: string): boolean {
  const verb = verbOf(action);
  return REFUSING_VERBS.has(verb) || isReplyCode(verb);
}

/** Whether an action can be sent without breaking the protocol: it is one line, and there is something in it. */
export function isSendable(action: string): boolean {
  return action !== "" && !action.startsWith(" ") && !UNFIT.test(action);
}

function unknownVerb(verb: string): string {
  const shown = `"${verb.slice(0, 40)}"`;
  const upper = verb.toUpperCase();
  if (VERBS.has(upper)) return `${shown} must be written in upper case: ${upper}`;
  if (/^\d+$/.test(verb)) return `${shown} is no reply code: three digits, the first 4 or 5, then a text`;
  return `${shown} is no action; Postfix would run it as a list of restrictions. Known: ${[...VERBS].join(", ")}, 4xx and 5xx with a text`;
}

function argumentProblem(verb: string, text: string): string | undefined {
  switch (verb) {
    case "FILTER":
      if (/^[^\s:]+:\S*$/.test(text)) return undefined;
      return "FILTER needs transport:destination, as in FILTER smtp:[127.0.0.1]:10025";
    case "REDIRECT":
    case "BCC":
      if (/^[^\s,<>]+@[^\s,<>@]+$/.test(text)) return undefined;
      return `${verb} needs one address, as in ${verb} postmaster@example.com`;
    case "PREPEND":
      if (/^[!-9;-~]+:(?: .*)?$/.test(text)) return undefined;
      return "PREPEND needs a header, as in PREPEND X-Policy: checked";
    default:
      return undefined;
  }
}

/**
 * Makes a text that others wrote fit for an action: control characters, line and paragraph separators become
 * one blank for each run of them, half a surrogate pair becomes U+FFFD, and what is over 400 bytes is cut at
 * a character's boundary. Never fails.
 *
 * @example
 * sanitizeText("no\r\naction=OK"); // "no action=OK"
 */
export function sanitizeText(text: string): string {
  if (text.length <= LONGEST_TEXT && /^(?:[!-~][ -~]*)?$/.test(text) && !text.endsWith(" ")) return text;
  const line = text
    .slice(0, MOST_LOOKED_AT)
    .replace(/[\p{Cc}\u2028\u2029]+/gu, " ")
    .replace(/\p{Cs}/gu, "\ufffd")
    .trim();
  return cutText(line);
}

function cutText(text: string): string {
  if (text.length * 3 <= LONGEST_TEXT) return text;
  const bytes = Buffer.from(text.slice(0, LONGEST_TEXT + 1));
  if (bytes.length <= LONGEST_TEXT && text.length <= LONGEST_TEXT) return text;
  let end = LONGEST_TEXT;
  while ((bytes[end]! & 0xc0) === 0x80) end -= 1;
  return bytes.toString("utf8", 0, end).trimEnd();
}
