/** `log`: where lines go, what they look like there, and what of decisions is left out. */
import { z } from "zod";
import { isReplyCode, VERBS } from "../model/action.ts";
import { SOURCES } from "../model/decision.ts";
import { hostTag, isHostTag } from "../model/reference.ts";
import { ProblemError } from "../source/problem.ts";
import { suggestion } from "../text/nearest.ts";
import type { LogConfig, RedactConfig } from "./config.ts";
import { readSecret } from "./credentials.ts";
import { Masker } from "./masker.ts";
import { Report } from "./report.ts";
import { configSchema, type RawConfig } from "./schema.ts";
import { readConfigFile } from "./source.ts";
import { readSyslog } from "./syslog.ts";

type RawLog = RawConfig["log"];

/** Addresses can be guessed: with a key that can be guessed, too, a hash hides none. */
const SHORTEST_KEY = 16;

/** What is wrong with it is in the report. */
export async function readLog(raw: RawLog, report: Report, masker: Masker): Promise<LogConfig> {
  const { level, format, file, syslog, explain, reference } = raw;
  if (syslog !== undefined && file !== undefined) {
    report.error(["log", "syslog"], 'lines go to one place: leave out "file", or "syslog"', { key: true });
  }
  if (syslog !== undefined && (format === "pretty" || format === "journal")) {
    report.error(["log", "format"], `${format} is not for syslog; json and logfmt are`);
  }
  const target = syslog === undefined ? undefined : await readSyslog(syslog, report);
  const sample = raw.sample && readSample(raw.sample, report);
  const redact = raw.redact && readRedact(raw.redact, report, masker);
  const host = typeof reference === "object" ? reference.host : hostTag();
  if (!isHostTag(host)) {
    report.error(["log", "reference", "host"], "expected at most 16 letters a-z, digits and hyphens, as mx1");
  }
  return {
    level,
    explain,
    reference: { host, isTold: reference !== false },
    ...(format !== undefined && { format }),
    ...(file !== undefined && { file: report.resolve(file) }),
    ...(target !== undefined && { syslog: target }),
    ...(sample !== undefined && { sample }),
    ...(redact !== undefined && { redact }),
  };
}

function readSample(raw: NonNullable<RawLog["sample"]>, report: Report): ReadonlyMap<string, number> {
  const known = [...VERBS, ...SOURCES];
  for (const name of Object.keys(raw)) {
    if (known.includes(name) || isReplyCode(name)) continue;
    report.error(
      ["log", "sample", name],
      `"${name}" is no verb of an action, reply code or source (${SOURCES.join(", ")})${suggestion(name, known)}`,
      { key: true },
    );
  }
  return new Map(Object.entries(raw));
}

function readRedact(
  raw: NonNullable<RawLog["redact"]>,
  report: Report,
  masker: Masker,
): RedactConfig | undefined {
  if (!("key" in raw)) return { fields: raw };
  const tooShort = (key: string) =>
    key.length < SHORTEST_KEY
      ? `a key of less than ${SHORTEST_KEY} characters can be guessed, and with it the addresses; "openssl rand -hex 32" makes one`
      : undefined;
  const key = readSecret(raw.key, ["log", "redact", "key"], report, masker, tooShort);
  return key === null ? undefined : { fields: raw.fields, key };
}

/** What a command needs to find the log, and to know whose references are this host's. */
export type LogPlace = Pick<LogConfig, "file" | "reference">;

/**
 * Only that: the rest of the file may be in need of repair meanwhile.
 *
 * @throws ProblemError
 */
export async function loadLog(file: string): Promise<LogPlace> {
  const { document, raw, owner } = readConfigFile(
    file,
    z.looseObject({ log: configSchema.shape.log, user: configSchema.shape.user }),
  );
  const report = new Report(document, owner);
  const log = await readLog({ ...raw.log, syslog: undefined }, report, new Masker());
  if (report.failed) throw new ProblemError(report.problems);
  return log;
}
