/**
 * What the user that the bridge runs as cannot reach: files that the next reload will read, and places where it is to write.
 * Tried as the user that this process is by now, and told with the command that mends it.
 */
import { dirname } from "node:path";
import type { Config } from "../config/config.ts";
import { StateFile } from "../control/state-file.ts";
import { folderProblem, ownName, readingProblem, writingProblem } from "../files/rights.ts";
import type { Problem } from "../source/problem.ts";
import { TLS_FILES } from "../upstream/transport/tls-options.ts";

/** Files of the configuration that this user cannot read: read once with root's rights, and out of reach for a reload. */
export function unreadable({ file, files, services }: Config): Problem[] {
  // Connections are made by the user, with what these hold then.
  const forTls = new Set([...services.values()].flatMap(({ tls }) => TLS_FILES.map((name) => tls[name])));
  return files.flatMap((path) => {
    const problem = readingProblem(path);
    if (problem === undefined) return [];
    const message = `${forTls.has(path) ? "the bridge will not start" : "a reload will fail"}: ${problem}`;
    return [{ file, message, severity: "warning" as const }];
  });
}

/** Where the bridge could not write: log, store, state, and folders of sockets. */
export async function unwritable(config: Config): Promise<Problem[]> {
  const { control, log, services } = config;
  const warn = (message: string): Problem => ({
    file: config.file,
    message: `${message} (on this machine)`,
    severity: "warning",
  });
  const problems: Problem[] = [];
  const state = control && (await new StateFile(control.state).problem());
  if (state !== undefined) {
    problems.push(warn(`a restart will forget what is switched offline by hand: ${state}`));
  }
  const logging = log.file === undefined ? undefined : writingProblem(log.file);
  if (logging !== undefined) problems.push(warn(`log.file: the bridge will not start: ${logging}`));
  for (const { name, cache } of services.values()) {
    if (cache?.store.kind !== "lmdb") continue;
    const { path } = cache.store;
    const problem = folderProblem(dirname(path)) ?? writingProblem(path);
    if (problem !== undefined) {
      problems.push(warn(`service ${name}: a restart will forget what is remembered: ${problem}`));
    }
  }
  return problems;
}

/** For a bridge that gives up root's rights: folders in which no reload can put a socket, nor the end take it away. */
export function closedFolders({ file, listeners, control, admin }: Config): Problem[] {
  const endpoints = [...listeners, ...(control ? [control] : []), ...(admin ? [admin] : [])];
  const folders = endpoints.flatMap(({ endpoint }) =>
    endpoint.kind === "unix" ? [dirname(endpoint.path)] : [],
  );
  return [...new Set(folders)].flatMap((folder) => {
    if (folderProblem(folder) === undefined) return [];
    const message = `user ${ownName()} cannot write in ${folder}: what is bound there stays through a reload, but a socket that is new there, or is to have other rights, takes a restart (on this machine)`;
    return [{ file, message, severity: "warning" as const }];
  });
}
