/**
 * What a configuration needs of the machine that it runs on, and is not there: users, groups, folders. `check` warns of
 * it, since a configuration may well be checked on another machine; at the start it is an error.
 */
import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { findGroup, findUser } from "../postfix/accounts.ts";
import type { Problem } from "../source/problem.ts";
import type { Config, ControlConfig, ListenerConfig } from "./config.ts";

/** Says what is missing on this machine, key by key. */
export async function missingOnMachine(config: Config): Promise<Problem[]> {
  const found = [
    ...config.listeners.map((listener) => ofSocket(`listen ${listener.name}`, listener)),
    ...(config.control === undefined ? [] : [ofSocket("control", config.control)]),
    ...(config.log.syslog?.place.kind === "unix" ? [ofSyslog(config.log.syslog.place.path)] : []),
    ...(config.log.file === undefined ? [] : [ofFile("log.file", config.log.file)]),
  ];
  return (await Promise.all(found)).flat().map((message) => ({
    file: config.file,
    message: `${message} (on this machine)`,
    severity: "warning",
  }));
}

async function ofSocket(
  key: string,
  { endpoint, owner, group }: Pick<ListenerConfig | ControlConfig, "endpoint" | "owner" | "group">,
): Promise<string[]> {
  if (endpoint.kind !== "unix") return [];
  const lookups = [
    owner === undefined ? 0 : await findUser(owner),
    group === undefined ? 0 : await findGroup(group),
  ];
  const unknown = lookups.flatMap((found) => (typeof found === "number" ? [] : `${key}: ${found.problem}`));
  return [...unknown, ...(await ofFile(key, endpoint.path))];
}

async function ofFile(key: string, path: string): Promise<string[]> {
  const folder = dirname(path);
  const isThere = await stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  );
  return isThere ? [] : [`${key}: there is no folder ${folder}; create it, or choose another`];
}

async function ofSyslog(path: string): Promise<string[]> {
  const isThere = await stat(path).then(
    (found) => found.isSocket(),
    () => false,
  );
  return isThere
    ? []
    : [`log.syslog: there is no socket ${path}; start a syslog server, or name where it listens`];
}
