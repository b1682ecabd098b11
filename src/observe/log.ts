/**
 * The log: pino, one JSON object a line, or one readable line on a terminal.
 *
 * Whatever a line holds came from somewhere else (clients, replies, files), so every line passes one gate
 * before it leaves the process: secrets are masked, and control characters that JSON leaves alone
 * (DEL, C1, line separators) are escaped, so that none reaches a terminal.
 *
 * A place that takes no lines (disk full, nobody reads) never holds up a decision, a reload or the end: lines wait in memory
 * up to a limit, are dropped beyond it, and the log says how many when it goes on.
 */
import { isatty } from "node:tty";
import { type Logger, type LoggerOptions, pino } from "pino";
import { writingProblem } from "../files/rights.ts";
import { safeJson } from "../text/quote.ts";
import { Destination, type Place } from "./destination.ts";
import { type LogFormat, lineFormat } from "./formats.ts";
import { Gatherer } from "./gatherer.ts";
import { ATOMIC_WRITE, withinLimit } from "./line-limit.ts";
import type { Sink } from "./sink.ts";
import { openWithoutBlocking } from "./standard-streams.ts";
import { messageMaker } from "./syslog/message.ts";
import { SyslogSink } from "./syslog/syslog-sink.ts";
import { nameOf, type SyslogTarget } from "./syslog/target.ts";

/** What the rooms may do with the log: fields first, then the message. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** A log that also takes lines that somebody else has put together. */
export interface LineLog extends Log {
  isLevelEnabled(level: LogLevel): boolean;
  /**
   * A line whose members are JSON already, without braces: what `quoted` gives, numbers and the like.
   *
   *     log.line("info", `"sender":"${quoted(sender)}","msg":"decision"`)
   */
  line(level: LogLevel, members: string): void;
}

type LogLevel = "debug" | "info" | "warn" | "error";

export interface LogOptions {
  readonly level: LogLevel;
  /** Undefined: `json`, or pretty when standard output is a terminal. */
  readonly format?: LogFormat | undefined;
  /** A file instead of standard output. */
  readonly file?: string | undefined;
  /** Syslog instead of both. */
  readonly syslog?: SyslogTarget | undefined;
  /** The descriptor of standard output, where it is another than 1. */
  readonly output?: number;
  /** Standard output is somebody's connection (`serve --stdio`): without a file or syslog, nothing is logged. */
  readonly quiet?: boolean;
  /** Other processes write to the same place: lines must never mix. */
  readonly shared?: boolean;
  /** Which of the workers this is; in each line. */
  readonly worker?: number;
}

/** The last lines get so long at the end, in milliseconds. A supervisor waits for its workers, and then for itself. */
export const LAST_LINES = 1000;
/** Lines that wait, in bytes; what comes after is dropped. */
const MAX_WAITING = 16 * 1024 * 1024;
/** Written together, in bytes, where nobody else writes. */
const GATHERED = 64 * 1024;
/** What makes of a line another may make it longer: bytes that the line in JSON may have then. */
const ATOMIC: Readonly<Record<LogFormat, number>> = {
  json: ATOMIC_WRITE,
  journal: ATOMIC_WRITE - "<7>".length,
  pretty: ATOMIC_WRITE / 2,
  logfmt: ATOMIC_WRITE / 2,
};

/** A log that can be written to, before it is decided whether it will be. */
export interface OpenLog {
  readonly logger: Logger;
  /** Takes a line of JSON with its line end, controls escaped. */
  readonly write: (line: string) => void;
  /** Goes on after `former`, which is over with that. */
  follow(former: OpenLog): void;
  /** Writes what still waits, for so many milliseconds at most. After 0 it is as if it had never been opened. */
  end(time: number): Promise<void>;
  /** Null where nothing is written at all. */
  readonly destination: Sink | null;
  /** Lines that were gathered are on their way. */
  flush(): void;
}

/**
 * Opens what `options` say.
 *
 * @param mask takes a line and gives it without secrets
 * @throws Error that names the file, when it cannot be opened
 */
export function openLog(options: LogOptions, mask: (line: string) => string): OpenLog {
  if (options.syslog !== undefined) return openSyslog(options, options.syslog, mask);
  if (options.quiet && options.file === undefined) return SILENT;
  const format = formatOf(options);
  const piece = options.shared ? ATOMIC_WRITE : GATHERED;
  const base = baseOf(options);
  const destination = new Destination(openPlace(options), {
    most: MAX_WAITING,
    piece,
    shared: options.shared === true,
    gap: (dropped) => Buffer.from(format(gapLine(dropped, base))),
  });
  const gatherer = new Gatherer(formatIn(options) === "pretty" ? 0 : piece, (lines) =>
    destination.write(lines),
  );
  const write = lineWriter(gatherer, options, format, mask);
  return openedLog(options, write, destination, () => gatherer.flush());
}

function openedLog(
  options: LogOptions,
  write: (line: string) => void,
  destination: Sink,
  flush: () => void,
): OpenLog {
  const base = baseOf(options);
  return {
    logger: pino({ ...LINE_FORMAT, base, level: options.level }, { write: (line) => write(safeJson(line)) }),
    write,
    destination,
    flush,
    follow: (former) => {
      former.flush();
      if (former.destination !== null) destination.follow(former.destination);
    },
    end: (time) => {
      flush();
      return destination.end(time);
    },
  };
}

/** Each line is a message of its own there, made when it is sent. */
function openSyslog(options: LogOptions, target: SyslogTarget, mask: (line: string) => string): OpenLog {
  const format = options.format ?? "json";
  const base = baseOf(options);
  const sink = new SyslogSink(target.place, {
    most: MAX_WAITING,
    message: messageMaker(target, {
      format: lineFormat(format, false),
      growth: ATOMIC_WRITE / ATOMIC[format],
      asLine,
    }),
    gap: (dropped) => gapLine(dropped, base),
    again: (since) => {
      const msg = `syslog at ${nameOf(target.place)} takes lines again`;
      return `{"level":"info"${isoTime()},${JSON.stringify({ ...base, since, msg }).slice(1)}\n`;
    },
    onGone: (problem) => complain(options, problem),
  });
  return openedLog(
    options,
    (line) => sink.write(mask(line)),
    sink,
    () => {},
  );
}

/** Where syslog is gone, standard error is the one place left; under spawn(8) that is somebody's connection. */
function complain(options: LogOptions, problem: string): void {
  if (options.quiet) return;
  const msg =
    `log.syslog: ${problem}; lines wait in memory (16 MB at most) while it is tried again, those beyond are dropped; ` +
    "see whether the syslog server runs, and log.syslog in the configuration";
  const line = `{"level":"error"${isoTime()},${JSON.stringify({ ...baseOf(options), msg }).slice(1)}\n`;
  const errors = new Destination(
    { fd: STANDARD_ERROR, own: false },
    { most: GATHERED, piece: ATOMIC_WRITE, gap: () => Buffer.alloc(0) },
  );
  errors.write(Buffer.from(safeJson(line)));
  void errors.end(LAST_LINES);
}

function baseOf({ worker }: LogOptions): object | null {
  return worker === undefined ? null : { worker };
}

const SILENT: OpenLog = {
  logger: pino({ level: "silent" }),
  write: () => {},
  destination: null,
  flush: () => {},
  follow: (former) => void former.end(LAST_LINES),
  end: async () => {},
};

/**
 * The log of a running bridge. It stays the same object when a reload gives it another file, level or secrets to mask.
 */
export class ServiceLog implements LineLog {
  #open: OpenLog = SILENT;

  /** Goes on in `next`; the file that was in use is closed, also where logrotate(8) has moved it. */
  use(next: OpenLog): void {
    next.follow(this.#open);
    this.#open = next;
  }

  debug(fields: object, message: string): void {
    this.#open.logger.debug(fields, message);
  }

  info(fields: object, message: string): void {
    this.#open.logger.info(fields, message);
  }

  warn(fields: object, message: string): void {
    this.#open.logger.warn(fields, message);
  }

  error(fields: object, message: string): void {
    this.#open.logger.error(fields, message);
  }

  isLevelEnabled(level: LogLevel): boolean {
    return this.#open.logger.isLevelEnabled(level);
  }

  line(level: LogLevel, members: string): void {
    this.#open.write(`{"level":"${level}"${isoTime()},${members}}\n`);
  }

  /** The end: what still waits has a second. */
  end(): Promise<void> {
    return this.#open.end(LAST_LINES);
  }
}

const STANDARD_OUTPUT = 1;
const STANDARD_ERROR = 2;

function formatIn({ format, file, output = STANDARD_OUTPUT }: LogOptions): LogFormat {
  return format ?? (file === undefined && isatty(output) ? "pretty" : "json");
}

function openPlace({ file, output = STANDARD_OUTPUT }: LogOptions): Place {
  if (file === undefined) return { fd: output, own: false };
  try {
    return { fd: openWithoutBlocking(file), own: true };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const problem = code === "EACCES" ? writingProblem(file) : undefined;
    throw new Error(`log.file: ${problem ?? `${file} cannot be opened for writing (${code})`}`);
  }
}

/** Makes of a line in JSON, its end included, what is written. */
function formatOf(options: LogOptions): (line: string) => string {
  const { file, output = STANDARD_OUTPUT } = options;
  return lineFormat(formatIn(options), file === undefined && isatty(output));
}

function lineWriter(
  gatherer: Gatherer,
  options: LogOptions,
  format: (line: string) => string,
  mask: (line: string) => string,
): (line: string) => void {
  const most = ATOMIC[formatIn(options)];
  return (line) => {
    const safe = mask(line);
    gatherer.add(format(options.shared ? withinLimit(safe, most, asLine) : safe));
  };
}

function gapLine(dropped: number, base: object | null): string {
  const msg = "lines of the log were dropped here: for a while nothing could be written to it";
  return `{"level":"warn"${isoTime()},${JSON.stringify({ ...base, dropped, msg }).slice(1)}\n`;
}

function asLine(fields: object): string {
  return `${safeJson(JSON.stringify(fields))}\n`;
}

const LINE_FORMAT: LoggerOptions = {
  timestamp: isoTime,
  formatters: { level: (label) => ({ level: label }) },
};

let isoMillisecond = 0;
let isoText = "";

/** `,"time":"2026-01-01T00:00:00.000Z"`, made once for each millisecond. */
function isoTime(): string {
  const now = Date.now();
  if (now !== isoMillisecond) {
    isoMillisecond = now;
    isoText = `,"time":"${new Date(now).toISOString()}"`;
  }
  return isoText;
}
