/**
 * Why a bridge under spawn(8) cannot start: nothing may be written to its standard streams, which are the mail system's
 * connection. It goes to `log.file`, though the rest of the configuration be wrong, or else to syslog by logger(1).
 */
import { spawn } from "node:child_process";
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { configSchema } from "../config/schema.ts";
import { readConfigFile } from "../config/source.ts";
import { LAST_LINES, openLog } from "../observe/log.ts";
import { formatProblem, ProblemError } from "../source/problem.ts";
import { visible } from "../text/visible.ts";
import { within } from "../time/within.ts";

/** That logger(1) may take, in milliseconds. */
const LOGGER_TIME = 2000;
/** Problems that are worth a line each. */
const MOST = 20;

/** @param file the configuration */
export async function sayLastWords(file: string, error: unknown): Promise<void> {
  const lines = linesOf(error).slice(0, MOST);
  if (!(await toLogFile(file, lines))) await toSyslog(lines);
}

function linesOf(error: unknown): readonly string[] {
  if (error instanceof ProblemError) return error.problems.map(formatProblem);
  return [(error as Error)?.message ?? String(error)];
}

/** False where there is none that can be written. */
async function toLogFile(file: string, lines: readonly string[]): Promise<boolean> {
  try {
    const { log, user } = configSchema.shape;
    const { document, raw } = readConfigFile(file, z.looseObject({ log, user }));
    if (raw.log.file === undefined) return false;
    const path = resolve(dirname(document.file), raw.log.file);
    const { logger, end } = openLog(
      { level: raw.log.level, format: raw.log.format, file: path },
      (line) => line,
    );
    for (const line of lines) logger.error({}, line);
    logger.error({ problems: lines.length }, "not started");
    await end(LAST_LINES);
    return true;
  } catch {
    return false;
  }
}

async function toSyslog(lines: readonly string[]): Promise<void> {
  for (const line of lines) {
    const logger = spawn(
      "logger",
      ["-p", "mail.err", "-t", "pfxbridge", "--", visible(`not started: ${line}`)],
      {
        stdio: "ignore",
      },
    );
    const ended = new Promise((done) => logger.once("exit", done).once("error", done));
    await within(LOGGER_TIME, ended);
  }
}
