/**
 * A line of the log as a message of syslog: RFC 5424, or what syslog(3) writes, which is what rsyslog and journald
 * expect at /dev/log (rsyslog's imuxsock takes the version of RFC 5424 for the program's name).
 *
 * The line in JSON is the message as it is, in UTF-8 and without a byte order mark: MSG-ANY of RFC 5424 §6.4, since no JSON may begin
 * with one (RFC 8259 §8.1). It has no line end and no control character in it, so that nothing in it can be taken for the
 * beginning of another message.
 */
import { hostname } from "node:os";
import { withinLimit } from "../line-limit.ts";
import { FACILITIES, longestMessage, type SyslogTarget } from "./target.ts";

const SEVERITIES = { debug: 7, info: 6, warn: 4, error: 3 } as const;
/** As every line begins. */
const BEGINNING = /^\{"level":"(debug|info|warn|error)","time":"([^"]{20,30})"/;
const DECISION = '"msg":"decision"}\n';
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/** What a header takes besides the names in it. */
const HEADER_ROOM = 80;

export interface MessageOptions {
  /** Makes of a line in JSON what is written. */
  readonly format: (line: string) => string;
  /** What `format` may make of a byte. */
  readonly growth: number;
  /** Makes a line of the fields of one that was too long. */
  readonly asLine: (fields: object) => string;
}

/** Makes messages of lines in JSON, with their ends. */
export function messageMaker(target: SyslogTarget, options: MessageOptions): (line: string) => Buffer {
  const { appName, place } = target;
  const host = ownHost();
  const facility = FACILITIES[target.facility] * 8;
  const room = longestMessage(place) - HEADER_ROOM - appName.length - host.length;
  const most = Math.floor(room / options.growth);
  const header = target.header === "bsd" ? bsdHeader : rfc5424Header;
  return (line) => {
    const [, level = "info", time = new Date().toISOString()] = BEGINNING.exec(line) ?? [];
    const priority = facility + SEVERITIES[level as keyof typeof SEVERITIES];
    const text = options.format(withinLimit(line, most, options.asLine)).trimEnd();
    return Buffer.from(header(priority, time, host, appName, line.endsWith(DECISION)) + text);
  };
}

/** `<22>1 2026-01-01T00:00:00.000Z mx1.example.com pfxbridge 4711 decision - ` */
function rfc5424Header(priority: number, time: string, host: string, app: string, isDecision: boolean) {
  return `<${priority}>1 ${time} ${host} ${app} ${process.pid} ${isDecision ? "decision" : "-"} - `;
}

/** `<22>Jan  1 01:00:00 pfxbridge[4711]: `, in local time. */
function bsdHeader(priority: number, time: string, _host: string, app: string) {
  const at = new Date(time);
  const two = (number: number) => String(number).padStart(2, "0");
  const day = String(at.getDate()).padStart(2, " ");
  const clock = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return `<${priority}>${MONTHS[at.getMonth()]} ${day} ${clock} ${app}[${process.pid}]: `;
}

/** HOSTNAME: visible ASCII, or nothing is known. */
function ownHost(): string {
  const name = hostname()
    .replace(/[^\x21-\x7e]/g, "")
    .slice(0, 255);
  return name === "" ? "-" : name;
}
