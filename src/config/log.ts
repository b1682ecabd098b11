/** `log`: where lines go, and what they look like there. */
import type { LogConfig } from "./config.ts";
import type { Report } from "./report.ts";
import type { RawConfig } from "./schema.ts";
import { readSyslog } from "./syslog.ts";

export async function readLog(
  { level, format, file, syslog }: RawConfig["log"],
  report: Report,
): Promise<LogConfig> {
  if (syslog !== undefined && file !== undefined) {
    report.error(["log", "syslog"], 'lines go to one place: leave out "file", or "syslog"', { key: true });
  }
  if (syslog !== undefined && (format === "pretty" || format === "journal")) {
    report.error(["log", "format"], `${format} is not for syslog; json and logfmt are`);
  }
  const target = syslog === undefined ? undefined : await readSyslog(syslog, report);
  return {
    level,
    ...(format !== undefined && { format }),
    ...(file !== undefined && { file: report.resolve(file) }),
    ...(target !== undefined && { syslog: target }),
  };
}
