/** Whether Postfix may connect to the bridge's sockets, and strangers may not. */
import { readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import type { ListenerConfig } from "../../config/config.ts";
import { wayTo } from "../../files/way.ts";
import { isLoopback } from "../../model/loopback.ts";
import { findUser } from "../../postfix/accounts.ts";
import { formatEndpoint } from "../../postfix/endpoint.ts";
import { amiss, type Finding, note, well } from "../finding.ts";

interface Account {
  readonly name: string;
  readonly uid: number;
  readonly groups: ReadonlySet<number>;
}

/** @param user the name of Postfix's own, `mail_owner`: smtpd runs as that */
export async function checkSocket(
  { endpoint, group, mode }: ListenerConfig,
  user: string,
): Promise<Finding[]> {
  if (endpoint.kind !== "unix") return [];
  const about = formatEndpoint(endpoint);
  const account = await accountOf(user);
  if (account === undefined)
    return [note(about, `there is no user ${user} on this machine, who is to connect to it`)];
  try {
    const closed = [...wayTo(dirname(endpoint.path))].find(
      ({ stats }) => stats.isDirectory() && !may(account, stats, 0o1),
    );
    if (closed !== undefined) {
      return [
        amiss(
          about,
          `${user} cannot get into the folder ${closed.path} on the way to it`,
          `chmod o+x ${closed.path}, or choose a socket in Postfix's private folder`,
        ),
      ];
    }
    const stats = statSync(endpoint.path);
    if (may(account, stats, 0o2)) return [well(about, `${user} may connect`)];
    const rights = (stats.mode & 0o777).toString(8).padStart(4, "0");
    return [
      amiss(
        about,
        `${user} may not connect: it is ${rights}, of user ${stats.uid} and group ${stats.gid}`,
        `under listen set { endpoint: "${about}", mode: "0660", group: ${user} }, and restart the bridge${mode !== undefined && group === undefined ? "; it has a mode but no group now" : ""}`,
      ),
    ];
  } catch (error) {
    const { code, path = endpoint.path } = error as NodeJS.ErrnoException;
    if (code === "ENOENT")
      return [note(about, `${path} is not there: the bridge does not run, or listens elsewhere`)];
    return [note(about, `${path} cannot be looked at (${code}); ask as root`)];
  }
}

export function checkStrangers({ endpoint, strangers }: ListenerConfig): Finding[] {
  if (endpoint.kind !== "inet" || isLoopback(endpoint.host)) return [];
  const about = formatEndpoint(endpoint);
  const message = "others than this machine can reach it, and the protocol knows no password";
  return strangers
    ? [note(about, `${message}: it is meant (strangers: true), so see that a firewall keeps them off`)]
    : [
        amiss(
          about,
          `${message}: whoever does learns who may send`,
          `listen on inet:127.0.0.1:${endpoint.port} or a unix: socket; or keep strangers off with a firewall and say strangers: true`,
        ),
      ];
}

/** @param right 1 to enter, 2 to write */
function may(
  { uid, groups }: Account,
  stats: { readonly uid: number; readonly gid: number; readonly mode: number },
  right: number,
): boolean {
  if (uid === 0) return true;
  const shift = stats.uid === uid ? 6 : groups.has(stats.gid) ? 3 : 0;
  return ((stats.mode >> shift) & right) !== 0;
}

async function accountOf(name: string): Promise<Account | undefined> {
  const uid = await findUser(name);
  if (typeof uid !== "number") return undefined;
  const lines = (file: string) =>
    readFileSync(file, "utf8")
      .split("\n")
      .map((line) => line.split(":"));
  const own = lines("/etc/passwd").find(([, , id]) => id === String(uid))?.[3];
  const others = lines("/etc/group").filter(([, , , members = ""]) => members.split(",").includes(name));
  return { name, uid, groups: new Set([Number(own), ...others.map(([, , id]) => Number(id))]) };
}
