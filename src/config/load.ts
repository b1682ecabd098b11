/**
 * From the configuration file to `Config`.
 *
 * Reads, checks and resolves everything that can be known before the first request: secrets, mappings, conditions,
 * answers to failures. Fails with a ProblemError that holds all that was found wrong, each with line and column.
 */
import { availableParallelism } from "node:os";
import { notingFiles } from "../source/files-read.ts";
import { ProblemError } from "../source/problem.ts";
import { suggestion } from "../text/nearest.ts";
import { readAdmin } from "./admin.ts";
import type { Config } from "./config.ts";
import { readControl } from "./control.ts";
import { warnOfExposed } from "./exposed.ts";
import { readListeners } from "./listeners.ts";
import { readLog } from "./log.ts";
import { Masker } from "./masker.ts";
import { warnOfProvoked } from "./provoked.ts";
import { Report } from "./report.ts";
import { readRoutes } from "./routes.ts";
import { configSchema, type RawConfig } from "./schema.ts";
import { readServices } from "./services.ts";
import { type ConfigSource, readConfigFile, readConfigText } from "./source.ts";

/**
 * Loads a configuration file.
 *
 * @throws ProblemError
 */
export async function loadConfig(file: string): Promise<Config> {
  const { loaded, files } = await notingFiles(async () => resolveConfig(readConfigFile(file, configSchema)));
  return { ...loaded, files };
}

/**
 * Reads a configuration from its text; `file` is what messages call it and what its relative paths start from.
 *
 *     await parseConfig("services: { corp: { url: https://authz.example.com } }", "/etc/pfxbridge/pfxbridge.yaml")
 *
 * @throws ProblemError
 */
export async function parseConfig(text: string, file: string): Promise<Config> {
  return resolveConfig(readConfigText(file, text, configSchema));
}

async function resolveConfig({ document, raw, owner }: ConfigSource<RawConfig>): Promise<Config> {
  const { file } = document;
  const report = new Report(document, owner);
  const masker = new Masker();
  const listeners = readListeners(raw.listen, report);
  const control = raw.control === undefined ? undefined : readControl(raw.control, listeners, report, masker);
  const taken = [...listeners, ...(control === undefined ? [] : [control])];
  const admin = raw.admin === undefined ? undefined : readAdmin(raw.admin, taken, report, masker);
  const { services, named } = await readServices(raw.services, control?.state, report, masker);
  const routes = readRoutes(raw.routes, named, report);
  const log = await readLog(raw.log, report, masker);
  warnOfProvoked(raw, services, routes, report);
  warnOfExposed(raw, services, routes, report);
  checkOffline(raw, report);
  if (raw.group !== undefined && raw.user === undefined) {
    report.error(["group"], '"group" is of use only together with "user"', { key: true });
  }
  if (report.failed) throw new ProblemError(report.problems);
  return {
    file,
    files: [],
    listeners,
    services,
    routes,
    offline: raw.offline,
    ...(control !== undefined && { control }),
    ...(admin !== undefined && { admin }),
    workers: raw.workers === "auto" ? availableParallelism() : raw.workers,
    ...(raw.user !== undefined && { user: raw.user }),
    ...(raw.group !== undefined && { group: raw.group }),
    log,
    mask: masker.mask,
    warnings: report.problems,
  };
}

function checkOffline({ offline, services }: RawConfig, report: Report): void {
  if (typeof offline === "boolean") return;
  for (const [index, name] of offline.entries()) {
    if (Object.hasOwn(services, name)) continue;
    report.error(
      ["offline", index],
      `there is no service "${name}"${suggestion(name, Object.keys(services))}`,
    );
  }
}
