/**
 * What this process may do with a file, tried as the user that it is, and the command that mends it. For whoever gives a file
 * to the bridge's user: the first step on the way that is closed is named, since the others may well be right.
 */
import { accessSync, constants, lstatSync, readFileSync, type Stats } from "node:fs";
import { userInfo } from "node:os";
import { dirname, join, sep } from "node:path";
import { type Step, wayTo } from "./way.ts";

const { R_OK, W_OK, X_OK } = constants;
const READABLE_BY_ALL = 0o004;
const PASSABLE_BY_ALL = 0o001;

/** Why this user cannot read the file, and what to do; undefined where it can, or where there is none. */
export function readingProblem(path: string): string | undefined {
  const refused = refusalOf(path, R_OK);
  if (refused === undefined) return undefined;
  if (isCredential(path)) {
    return `user ${ownName()} cannot read the credential ${path}, which systemd gives to the unit's own user; set User=${ownName()} in the unit in place of user: in the configuration`;
  }
  return `${said(refused, `read ${path}`, path)}; ${commandFor(refused)}`;
}

/** Why this user cannot write the file, or make it where there is none, and what to do. */
export function writingProblem(path: string): string | undefined {
  const there = nearestThere(path);
  if (there === path) {
    const refused = refusalOf(path, W_OK);
    return refused && `${said(refused, `write ${path}`, path)}; ${commandFor(refused)}`;
  }
  if (refusalOf(there, W_OK | X_OK) === undefined) return undefined;
  const user = ownName();
  return there === dirname(path)
    ? `user ${user} cannot make ${path}; install -o ${user} -m 0640 /dev/null ${path}`
    : makingFolder(dirname(path));
}

/** Why this user cannot make files in the folder, or the folder itself, and what to do. */
export function folderProblem(path: string): string | undefined {
  const there = nearestThere(path);
  const refused = refusalOf(there, W_OK | X_OK);
  if (refused === undefined) return undefined;
  if (there !== path) return makingFolder(path);
  // A folder of many, such as /var/lib, is not to be given away.
  const user = ownName();
  return `user ${user} cannot write in ${path}; name one that is its own: install -d -o ${user} -m 0750 ${join(path, "pfxbridge")}`;
}

function makingFolder(path: string): string {
  const user = ownName();
  return `user ${user} cannot make ${path}; install -d -o ${user} -m 0750 ${path}`;
}

/** Whether every user of this machine can read the file, on the whole way to it. */
export function isReadableByAll(path: string): boolean {
  try {
    let last: Stats | undefined;
    for (const { stats } of wayTo(path)) {
      if (stats.isDirectory() && (stats.mode & PASSABLE_BY_ALL) === 0) return false;
      last = stats;
    }
    return last?.isFile() === true && (last.mode & READABLE_BY_ALL) !== 0;
  } catch {
    return false;
  }
}

/** The name of the user that this process is; its number where it has none. */
export function ownName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.geteuid?.() ?? "");
  }
}

/** The step that is closed to this user, and what it lacks there, as for access(2). */
interface Refused extends Step {
  readonly lacks: number;
}

/** @param wanted of what lies at the end */
function refusalOf(path: string, wanted: number): Refused | undefined {
  let last: Step | undefined;
  try {
    for (const step of wayTo(path)) {
      last = step;
      if (step.path !== path && step.stats.isDirectory() && !may(step.path, X_OK)) {
        return { ...step, lacks: X_OK };
      }
    }
  } catch {
    // Not there, or gone in this moment: somebody else's to say.
    return undefined;
  }
  return last === undefined || may(path, wanted) ? undefined : { ...last, lacks: wanted };
}

function said({ path, lacks }: Refused, act: string, end: string): string {
  const isOnTheWay = lacks === X_OK;
  return `user ${ownName()} cannot ${isOnTheWay ? `enter ${path}, a folder on the way to ${end}` : act}`;
}

/** What gives this user the right, and nobody else. */
function commandFor({ path, stats, lacks }: Refused): string {
  const right = lacks === R_OK ? "r" : lacks === X_OK ? "x" : "w";
  if (stats.uid === process.geteuid?.()) return `chmod u+${right} ${path}`;
  const groups = [process.getegid?.(), ...(process.getgroups?.() ?? [])];
  const isOfOurs = groups.includes(stats.gid);
  // Where the mode allows it, a file system or an access control list does not.
  if ((stats.mode & (isOfOurs ? lacks << 3 : lacks)) === (isOfOurs ? lacks << 3 : lacks)) {
    return "its mode allows it, so look at the file system (mount) and at access control lists (getfacl)";
  }
  return `${isOfOurs ? "" : `chgrp ${ownGroup()} ${path} && `}chmod g+${right} ${path}`;
}

/** Of those that the service manager gives to a unit (systemd.exec(5)). */
function isCredential(path: string): boolean {
  const folder = process.env.CREDENTIALS_DIRECTORY;
  return folder !== undefined && folder !== "" && path.startsWith(join(folder, sep));
}

function may(path: string, rights: number): boolean {
  try {
    accessSync(path, rights);
    return true;
  } catch {
    return false;
  }
}

/** Also where it cannot be seen, behind a folder that is closed. */
function isThere(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EACCES";
  }
}

function nearestThere(path: string): string {
  if (path === "/" || isThere(path)) return path;
  return nearestThere(dirname(path));
}

/** The name of this process's group, as /etc/group has it (group(5)); its number where it is elsewhere. */
function ownGroup(): string {
  const gid = String(process.getegid?.() ?? "");
  try {
    const lines = readFileSync("/etc/group", "utf8").split("\n");
    return lines.find((line) => line.split(":")[2] === gid)?.split(":")[0] || gid;
  } catch {
    return gid;
  }
}
