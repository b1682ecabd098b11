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
import { prettyLines } from "./pretty.ts";

/** What the rooms may do with the log: fields first, then the message. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
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
}

/** Lines that wait for a slow reader, in bytes; what comes after is dropped. */
const MAX_WAITING = 16 * 1024 * 1024;
/** A line waits this long at most for others to be written with it, in milliseconds. */
const FLUSH_INTERVAL = 100;

/** A log that can be written to, before it is decided whether it will be. */
export interface OpenLog {
  readonly logger: Logger;
  readonly destination: Destination | null;
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
  const logger = openLogger(destination, options, mask);
  return { destination, logger, discard: () => destination.end() };
}

const SILENT: OpenLog = { logger: pino({ level: "silent" }), destination: null, discard: () => {} };

/**
 * The log of a running bridge. It stays the same object when a reload gives it another file, level or secrets to mask.
 */
export class ServiceLog implements Log {
  #logger: Logger = SILENT.logger;
  #destination: Destination | null = null;

  /** Goes on in `next`; the file that was in use is closed, also where logrotate(8) has moved it. */
  use(next: OpenLog): void {
    this.flush();
    this.#destination?.end();
    this.#destination = next.destination;
    this.#logger = next.logger;
  }

  debug(fields: object, message: string): void {
    this.#logger.debug(fields, message);
  }

  info(fields: object, message: string): void {
    this.#logger.info(fields, message);
  }

  warn(fields: object, message: string): void {
    this.#logger.warn(fields, message);
  }

  error(fields: object, message: string): void {
    this.#logger.error(fields, message);
  }

  /** Writes what still waits. */
  flush(): void {
    try {
      this.#destination?.flushSync();
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
  // A person who watches wants each line at once; a collector gets them a few at a time.
  const atOnce = isPretty(options);
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
    minLength: atOnce ? 0 : 4096,
    periodicFlush: atOnce ? 0 : FLUSH_INTERVAL,
    maxLength: MAX_WAITING,
  });
  // Standard output closed, disk full: the log is lost, the decisions go on.
  destination.on("error", () => {});
  return destination;
}

function openLogger(destination: Destination, options: LogOptions, mask: (line: string) => string): Logger {
  const format = isPretty(options) ? prettyLines(options.file === undefined && process.stdout.isTTY) : null;
  const write = (line: string) => {
    const safe = escapeControls(mask(line));
    destination.write(format === null ? safe : format(safe));
  };
  return pino({ ...LINE_FORMAT, level: options.level }, { write });
}

const LINE_FORMAT: LoggerOptions = {
  base: null,
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

// C0 characters never stand raw in a JSON line but for its own end; these do.
const BEYOND_JSON = /[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;
const EACH_BEYOND_JSON = new RegExp(BEYOND_JSON, "g");

function escapeControls(line: string): string {
  if (!BEYOND_JSON.test(line)) return line;
  return line.replace(EACH_BEYOND_JSON, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
