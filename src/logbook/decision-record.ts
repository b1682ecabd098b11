/** A line of the log as a decision again (deploy/doc/watching.md, "Logs"), or what it is instead. */
import { SOURCES, type Source } from "../model/decision.ts";
import { CAUSES, type Cause } from "../model/failure.ts";
import { LOGGED_ATTRIBUTES } from "../model/request.ts";

/** What a line of the log says of a decision. */
export interface DecisionRecord {
  /** When it was written, in milliseconds since 1970. */
  readonly time: number;
  readonly requestId: string;
  /** With `log.reference`: what a refusal was told to quote. */
  readonly reference: string | undefined;
  readonly listener: string;
  readonly service: string | undefined;
  readonly mapping: string | undefined;
  /** Null: the connection was closed without an answer. */
  readonly action: string | null;
  readonly source: Source;
  readonly cause: Cause | undefined;
  readonly detail: string | undefined;
  readonly rule: number | undefined;
  readonly status: number | undefined;
  /** Of a remembered reply, in seconds. */
  readonly age: number | undefined;
  readonly ms: number;
  /** What Postfix sent, by name: all of it with `log.requests`, else what the line always has. */
  readonly attributes: ReadonlyMap<string, string>;
  /** Whether that is all that Postfix sent. */
  readonly isWhole: boolean;
  /** With `log.requests`: the recipients of the message, and for how many RCPTs they stand. */
  readonly recipients: readonly string[] | undefined;
  readonly rcpts: number | undefined;
}

/** Why a line is no decision that can be read. */
export type NoRecord =
  /** It is another line of the log. */
  | "other"
  /** It is no JSON: another format, or another program's log. */
  | "no json"
  /** It says that it is a decision, and lacks what each has: of another version, or cut. */
  | "not understood";

const SOURCE_NAMES: ReadonlySet<unknown> = new Set(SOURCES);
const CAUSE_NAMES: ReadonlySet<unknown> = new Set(CAUSES);
/** Priorities, as journald and syslog put them in front of a line. */
const PRIORITY = /^<\d{1,3}>/;

/** Reads one line. Never throws. */
export function readRecord(line: string): DecisionRecord | NoRecord {
  const start = line.search(/\S/);
  if (start === -1) return "other";
  const text = line.startsWith("<", start) ? line.slice(start).replace(PRIORITY, "") : line;
  // Most other lines need not be parsed to be known.
  if (!text.includes('"decision"')) return text.trimStart().startsWith("{") ? "other" : "no json";
  let fields: Readonly<Record<string, unknown>>;
  try {
    fields = JSON.parse(text);
  } catch {
    return text.trimStart().startsWith("{") ? "not understood" : "no json";
  }
  if (typeof fields !== "object" || fields === null || fields.msg !== "decision") return "other";
  return recordOf(fields);
}

function recordOf(fields: Readonly<Record<string, unknown>>): DecisionRecord | NoRecord {
  const { action, source, cause, request, recipients, shortened } = fields;
  const time = typeof fields.time === "string" ? Date.parse(fields.time) : Number.NaN;
  if (Number.isNaN(time) || typeof fields.request_id !== "string") return "not understood";
  if (action !== null && typeof action !== "string") return "not understood";
  if (!SOURCE_NAMES.has(source) || (cause !== undefined && !CAUSE_NAMES.has(cause))) return "not understood";
  const isWhole = isTexts(request) && shortened !== true;
  return {
    time,
    requestId: fields.request_id,
    reference: text(fields.reference),
    listener: text(fields.listener) ?? "",
    service: text(fields.service),
    mapping: text(fields.mapping),
    action,
    source: source as Source,
    cause: cause as Cause | undefined,
    detail: text(fields.detail),
    rule: number(fields.rule),
    status: number(fields.status),
    age: number(fields.age),
    ms: number(fields.ms) ?? 0,
    attributes: isWhole ? new Map(Object.entries(request)) : alwaysLogged(fields),
    isWhole,
    recipients: isWhole && isTextList(recipients) ? recipients : undefined,
    rcpts: number(fields.rcpts),
  };
}

function alwaysLogged(fields: Readonly<Record<string, unknown>>): Map<string, string> {
  const attributes = new Map<string, string>();
  for (const name of LOGGED_ATTRIBUTES) {
    const value = fields[name];
    if (typeof value === "string") attributes.set(name, value);
  }
  return attributes;
}

function isTexts(value: unknown): value is Record<string, string> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((member) => typeof member === "string");
}

function isTextList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function number(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}
