/** What a line of the log looks like where it goes: made of the line in JSON, by a function that is chosen once. */
import { visible } from "../text/visible.ts";
import { prettyLines } from "./pretty.ts";

export const FORMATS = ["json", "pretty", "journal", "logfmt"] as const;

export type LogFormat = (typeof FORMATS)[number];

/**
 * Makes of a line in JSON, its end included, what is written.
 *
 * @param colour whether a person looks at it on a terminal
 */
export function lineFormat(format: LogFormat, colour: boolean): (line: string) => string {
  switch (format) {
    case "json":
      return (line) => line;
    case "pretty":
      return prettyLines(colour);
    case "journal":
      return journalLine;
    case "logfmt":
      return logfmtLine;
  }
}

/** As syslog(3) counts them; systemd's journal takes such a prefix off standard output (sd-daemon(3)). */
const PRIORITIES = { debug: 7, info: 6, warn: 4, error: 3 } as const;
const LEVEL = /^\{"level":"(debug|info|warn|error)"/;

/** `<4>{"level":"warn",…}`. A line of JSON holds no line end, so that the journal makes one entry of it. */
function journalLine(line: string): string {
  const level = (LEVEL.exec(line)?.[1] ?? "info") as keyof typeof PRIORITIES;
  return `<${PRIORITIES[level]}>${line}`;
}

/** `level=warn time=… msg=decision action="REJECT 5.7.1 no"`; what is within another stands behind a dot. */
function logfmtLine(line: string): string {
  return `${pairs("", JSON.parse(line)).join(" ")}\n`;
}

function pairs(name: string, value: unknown): string[] {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    const prefix = name === "" ? "" : `${name}.`;
    return Object.entries(value).flatMap(([member, each]) => pairs(`${prefix}${keyOf(member)}`, each));
  }
  return [`${name}=${shown(value)}`];
}

/** A key ends at a blank or an equals sign. */
function keyOf(name: string): string {
  return visible(name).replace(/[\s="\\]/g, "_");
}

function shown(value: unknown): string {
  if (value === null) return "null";
  const text = Array.isArray(value) ? value.map(textOf).join(",") : textOf(value);
  return text === "" || /[\s="\\]/.test(text) || visible(text) !== text ? quoted(text) : text;
}

function textOf(value: unknown): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** JSON's own escapes, which readers of logfmt know; what these leave alone is shown. */
function quoted(text: string): string {
  return visible(JSON.stringify(text));
}
