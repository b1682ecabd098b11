/**
 * Log lines for a person at a terminal: time, level, message, then what matters.
 *
 * A decision is one line that reads like mail: who asked for what, what was answered, and why.
 * What came from a client is bare only where it looks like an address or a name; anything else stands in quotes, so that none of it
 * can be taken for the bridge's own words. Unsafe characters are escaped.
 */
import { createRequire } from "node:module";
import type PinoPretty from "pino-pretty";
import { visible } from "../text/visible.ts";

type Fields = Record<string, unknown>;

/**
 * Makes the function that turns one JSON line into one readable line.
 *
 * @param colour whether to use ANSI colours
 */
export function prettyLines(colour: boolean): (line: string) => string {
  const told = new Told();
  // A service logs JSON: it starts without this.
  const { prettyFactory }: typeof PinoPretty = createRequire(import.meta.url)("pino-pretty");
  return prettyFactory({
    colorize: colour,
    translateTime: "SYS:HH:MM:ss",
    singleLine: true,
    // Everything is put into the message below, so that one function decides how a line looks.
    include: "time,level",
    messageFormat: (fields, messageKey) => formatMessage(fields, messageKey, colour, told),
  });
}

/** In milliseconds: by then the first line may have left the screen. */
const TOLD_AGAIN = 30_000;

/** What went wrong is told in full once, and while it is the same for each decision by its cause alone. */
class Told {
  #last = "";
  #at = 0;

  isNew(service: string, detail: string): boolean {
    const what = `${service}: ${detail}`;
    const now = performance.now();
    if (what === this.#last && now - this.#at < TOLD_AGAIN) return false;
    this.#last = what;
    this.#at = now;
    return true;
  }
}

function formatMessage(fields: Fields, messageKey: string, colour: boolean, told: Told): string {
  const message = String(fields[messageKey] ?? "");
  if (message === "decision") return formatDecision(fields, colour ? VERB_COLOURS : NO_COLOURS, told);
  const rest = Object.entries(fields)
    .filter(([name]) => !["time", "level", messageKey].includes(name))
    .map(([name, value]) => `${visible(name)}=${printed(value)}`);
  return [visible(message), ...rest].join("  ");
}

/** `RCPT  foo@example.com -> bar@example.org  from foo.bar [1.2.3.4]  =>  DUNNO  (corp, rule 1, 200, 12.1 ms)` */
function formatDecision(fields: Fields, colours: (action: string) => [string, string], told: Told): string {
  // Two blanks stand between the parts of a line, and nowhere else.
  const text = (name: string) => visible(String(fields[name] ?? "")).replace(/\s{2,}/g, " ");
  const claim = (name: string) => claimed(String(fields[name] ?? ""));
  const action = fields.action === null ? "(connection closed)" : text("action");
  const [on, off] = colours(action);
  const detail = fields.detail && told.isNew(text("service"), text("detail")) ? text("detail") : "";
  const why = [
    fields.cause && `${text("cause")}${detail === "" ? "" : `: ${detail}`}`,
    text("service"),
    fields.source !== "upstream" && text("source"),
    fields.rule !== undefined && `rule ${text("rule")}`,
    fields.status !== undefined && `status ${text("status")}`,
    Number(fields.attempts) > 1 && `${text("attempts")} attempts`,
    `${text("ms")} ms`,
  ].filter(Boolean);
  const user = fields.sasl_username ? ` (${claim("sasl_username")})` : "";
  return [
    claim("protocol_state") || "-",
    `<${claim("sender")}>${user} -> <${claim("recipient")}>`,
    `[${claim("client_address")}]`,
    `${on}${action}${off}`,
    `(${why.join(", ")})`,
  ].join("  ");
}

const NO_COLOURS = (): [string, string] => ["", ""];

function VERB_COLOURS(action: string): [string, string] {
  if (/^(DUNNO|OK|RELAY|PREPEND|INFO)/.test(action)) return ["\x1b[32m", "\x1b[39m"];
  if (/^(DEFER|4|WARN|HOLD|\()/.test(action)) return ["\x1b[33m", "\x1b[39m"];
  return ["\x1b[31m", "\x1b[39m"];
}

/** `a@example.net`, `"a> -> <b"`. */
function claimed(text: string): string {
  return visible(/^[^\s<>()[\]"\\]*$/.test(text) ? text : JSON.stringify(text));
}

function printed(value: unknown): string {
  const text = flat(value);
  return visible(/[\s"]/.test(text) || text === "" ? JSON.stringify(text) : text);
}

/** Lists and tables without brackets: `one, two`, `corp: rest at http://127.0.0.1:8080`. */
function flat(value: unknown): string {
  if (Array.isArray(value)) return value.map(flat).join(", ");
  if (typeof value !== "object" || value === null) return String(value);
  return Object.entries(value)
    .map(([name, member]) => `${name}: ${flat(member)}`)
    .join(", ");
}
