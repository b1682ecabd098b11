/**
 * The lists of restrictions of an smtpd, as Postfix reads them: words between blanks and commas, `{ … }` one word,
 * `smtpd_restriction_classes` put in where they are named; and each `check_policy_service` in them, with its settings.
 */
import type { SmtpdService } from "./postconf.ts";

const LISTS = [
  "smtpd_client_restrictions",
  "smtpd_helo_restrictions",
  "smtpd_sender_restrictions",
  "smtpd_relay_restrictions",
  "smtpd_recipient_restrictions",
  "smtpd_data_restrictions",
  "smtpd_end_of_data_restrictions",
  "smtpd_etrn_restrictions",
] as const;
export type ListName = (typeof LISTS)[number];

/** One `check_policy_service`. */
export interface PolicyUse {
  readonly smtpd: SmtpdService;
  readonly list: ListName;
  /** Where to look for it: `main.cf: smtpd_recipient_restrictions`. */
  readonly place: string;
  /** As written: `inet:127.0.0.1:9998`. */
  readonly endpoint: string;
  /** `timeout`, `default_action` …: its own, else the one that holds for all. */
  setting(name: "timeout" | "default_action"): string;
  /** The words of the list before and after it. */
  readonly before: readonly string[];
  readonly after: readonly string[];
}

export function policyUses(smtpd: SmtpdService): PolicyUse[] {
  return LISTS.flatMap((list) => {
    const words = wordsOf(smtpd, list);
    const file = smtpd.overrides(list) ? `master.cf, ${smtpd.name}` : "main.cf";
    return words.flatMap((word, index) => {
      const argument = words[index + 1];
      if (word !== "check_policy_service" || argument === undefined) return [];
      const { endpoint, settings } = readArgument(argument);
      return {
        smtpd,
        list,
        place: `${file}: ${list}`,
        endpoint,
        setting: (name) => settings.get(name) ?? smtpd.value(`smtpd_policy_service_${name}`),
        before: words.slice(0, index),
        after: words.slice(index + 2),
      };
    });
  });
}

/** The words of a list, classes put in. */
export function wordsOf(smtpd: SmtpdService, list: ListName): string[] {
  const classes = new Set(split(smtpd.value("smtpd_restriction_classes")));
  const open = (words: readonly string[], within: readonly string[]): string[] =>
    words.flatMap((word, index) =>
      classes.has(word) && !within.includes(word) && words[index - 1] !== "check_policy_service"
        ? open(split(smtpd.value(word)), [...within, word])
        : [word],
    );
  return open(split(smtpd.value(list)), []).slice(0, MOST_WORDS);
}

const MOST_WORDS = 10_000;

/** Words between blanks and commas; braces hold one together. */
function split(text: string): string[] {
  const words: string[] = [];
  let word = "";
  let depth = 0;
  for (const character of text) {
    if (depth === 0 && /[\s,]/.test(character)) {
      if (word !== "") words.push(word);
      word = "";
      continue;
    }
    if (character === "{") depth++;
    if (character === "}") depth--;
    word += character;
  }
  return word === "" ? words : [...words, word];
}

/** `inet:host:port`, or `{ inet:host:port, timeout=10s, { default_action = DUNNO } }` (postconf(5), Postfix 3.0). */
function readArgument(argument: string): {
  readonly endpoint: string;
  readonly settings: ReadonlyMap<string, string>;
} {
  if (!argument.startsWith("{")) return { endpoint: argument, settings: new Map() };
  const [endpoint = "", ...rest] = split(unbraced(argument));
  const settings = rest.flatMap((setting) => {
    const text = unbraced(setting);
    const equals = text.indexOf("=");
    return equals === -1 ? [] : [[text.slice(0, equals).trim(), text.slice(equals + 1).trim()] as const];
  });
  return { endpoint, settings: new Map(settings) };
}

function unbraced(text: string): string {
  return text.replace(/^\{\s*/, "").replace(/\s*\}$/, "");
}
