/**
 * The log: pino, one JSON object a line, or one readable line on a terminal.
 *
 * Whatever a line holds came from somewhere else (clients, replies, files), so every line passes one gate
 * before it leaves the process: secrets are masked, and control characters that JSON leaves alone
 * (DEL, C1, line separators) are escaped, so that none reaches a terminal.
 *
 * A reader of the log that is slow, or gone, never holds up a decision: lines wait in memory up to a limit
 * and are dropped beyond it.
 */
import { openSync } from "node:fs";
import { type Logger, type LoggerOptions, pino } from "pino";
import { Gatherer } from "./gatherer.ts";
import { ATOMIC_WRITE, withinLimit } from "./line-limit.ts";
import { prettyLines } from "./pretty.ts";
import { escapeControls } from "./quote.ts";

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
  /** `pretty` or `json`; undefined: pretty when standard output is a terminal. */
  readonly format?: "json" | "pretty" | undefined;
  /** A file instead of standard output. */
  readonly file?: string | undefined;
  /** Standard output is somebody's connection (`serve --stdio`): without a file, nothing is logged. */
  readonly quiet?: boolean;
  /** Other processes write to the same place: lines must never mix. */
  readonly shared?: boolean;
  /** Which of the workers this is; in each line. */
  readonly worker?: number;
}

/** Lines that wait for a slow reader, in bytes; what comes after is dropped. */
const MAX_WAITING = 16 * 1024 * 1024;
/** Written together, in bytes, where nobody else writes. */
const GATHERED = 64 * 1024;
/** What makes a line readable may make it longer. */
const ATOMIC_PRETTY = ATOMIC_WRITE / 2;

/** A log that can be written to, before it is decided whether it will be. */
export interface OpenLog {
  readonly logger: Logger;
  /** Takes a line of JSON with its line end, controls escaped. */
  readonly write: (line: string) => void;
  /** Writes what still waits, before it goes on. */
  flush(): void;
  /** It is not needed after all. */
  discard(): void;
}

/**
 * Opens what `options` say.
 *
 * @param mask takes a line and gives it without secrets
 * @throws Error that names the file, when it cannot be opened
 */
export function openLog(options: LogOptions, mask: (line: string) => string): OpenLog {
  if (options.quiet && options.file === undefined) return SILENT;
  const destination = openDestination(options);
  const gathered = isPretty(options) ? 0 : options.shared ? ATOMIC_WRITE : GATHERED;
  const gatherer = new Gatherer(gathered, (lines) => writeTo(destination, lines));
  const write = lineWriter(gatherer, options, mask);
  const { level, worker } = options;
  return {
    logger: pino(
      { ...LINE_FORMAT, base: worker === undefined ? null : { worker }, level },
      { write: (line) => write(escapeControls(line)) },
    ),
    write,
    flush: () => {
      gatherer.flush();
      destination.flushSync();
    },
    discard: () => destination.end(),
  };
}

const SILENT: OpenLog = {
  logger: pino({ level: "silent" }),
  write: () => {},
  flush: () => {},
  discard: () => {},
};

/**
 * The log of a running bridge. It stays the same object when a reload gives it another file, level or secrets to mask.
 */
export class ServiceLog implements LineLog {
  #open: OpenLog = SILENT;

  /** Goes on in `next`; the file that was in use is closed, also where logrotate(8) has moved it. */
  use(next: OpenLog): void {
    this.flush();
    this.#open.discard();
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

  /** Writes what still waits. */
  flush(): void {
    try {
      this.#open.flush();
    } catch {
      // Nowhere left to write to.
    }
  }
}

type Destination = ReturnType<typeof pino.destination>;

function isPretty({ format, file }: LogOptions): boolean {
  return (format ?? (file === undefined && process.stdout.isTTY ? "pretty" : "json")) === "pretty";
}

function openDestination(options: LogOptions): Destination {
  const { file } = options;
  let fd = 1;
  try {
    if (file !== undefined) fd = openSync(file, "a", 0o640);
  } catch (error) {
    throw new Error(
      `log.file: ${file} cannot be opened for writing (${(error as NodeJS.ErrnoException).code})`,
    );
  }
  const destination = pino.destination({
    fd,
    // Never synchronously: a terminal that is held (Ctrl-S) would hold the decisions.
    sync: false,
    minLength: 0,
    contentMode: "buffer",
    ...(options.shared && { maxWrite: ATOMIC_WRITE }),
    maxLength: MAX_WAITING,
  });
  // Standard output closed, disk full: the log is lost, the decisions go on.
  destination.on("error", () => {});
  return destination;
}

/** The type of pino's destination knows of texts only; sonic-boom, which it is, takes bytes in this mode. */
function writeTo(destination: Destination, lines: Buffer): void {
  (destination as unknown as { write(lines: Buffer): void }).write(lines);
}

function lineWriter(
  gatherer: Gatherer,
  options: LogOptions,
  mask: (line: string) => string,
): (line: string) => void {
  const format = isPretty(options) ? prettyLines(options.file === undefined && process.stdout.isTTY) : null;
  const most = format === null ? ATOMIC_WRITE : ATOMIC_PRETTY;
  return (line) => {
    const safe = mask(line);
    const fitting = options.shared ? withinLimit(safe, most, asLine) : safe;
    gatherer.add(format === null ? fitting : format(fitting));
  };
}

function asLine(fields: object): string {
  return `${escapeControls(JSON.stringify(fields))}\n`;
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
