/** `log`: where lines go, what they look like there, and what of decisions is left out. */
import { isReplyCode, VERBS } from "../model/action.ts";
import { SOURCES } from "../model/decision.ts";
import { suggestion } from "../text/nearest.ts";
import type { LogConfig, RedactConfig } from "./config.ts";
import { readSecret } from "./credentials.ts";
import type { Masker } from "./masker.ts";
import type { Report } from "./report.ts";
import type { RawConfig } from "./schema.ts";
import { readSyslog } from "./syslog.ts";

type RawLog = RawConfig["log"];

/** Addresses can be guessed: with a key that can be guessed, too, a hash hides none. */
const SHORTEST_KEY = 16;

/** What is wrong with it is in the report. */
export async function readLog(raw: RawLog, report: Report, masker: Masker): Promise<LogConfig> {
  const { level, format, file, syslog } = raw;
  if (syslog !== undefined && file !== undefined) {
    report.error(["log", "syslog"], 'lines go to one place: leave out "file", or "syslog"', { key: true });
  }
  if (syslog !== undefined && (format === "pretty" || format === "journal")) {
    report.error(["log", "format"], `${format} is not for syslog; json and logfmt are`);
  }
  const target = syslog === undefined ? undefined : await readSyslog(syslog, report);
  const sample = raw.sample && readSample(raw.sample, report);
  const redact = raw.redact && readRedact(raw.redact, report, masker);
  return {
    level,
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
