/**
 * In whose hands a file is. What root runs, reads or writes by name must not be for others to change: neither the file,
 * nor a folder or link on the way to it, as sshd's StrictModes and sudo have it.
 *
 * Where there is an access control list, the group's bits are its mask, the most that anybody in it may do (acl(5)). So
 * a list that lets somebody write shows as a file that its group can write.
 */
import type { Stats } from "node:fs";
import { type Step, wayTo } from "./way.ts";

const WRITABLE_BY_OTHERS = 0o022;
const STICKY = 0o1000;

/** Whether the process runs with root's rights. */
export function runsAsRoot(): boolean {
  return process.geteuid?.() === 0;
}

/**
 * Who besides root and `owner` could change what a path leads to, or undefined when nobody could.
 *
 * @param owner the id of a user who may own it all
 * @param opened what was opened by this path: it must be what the path leads to
 * @throws an error of the file system where something is missing
 */
export function changeableByOthers(path: string, owner?: number, opened?: Stats): string | undefined {
  let last: Stats | undefined;
  for (const step of wayTo(path)) {
    const problem = stepProblem(step, path, owner);
    if (problem !== undefined) return problem;
    last = step.stats;
  }
  // What lay there when it was opened may have been somebody else's.
  return opened === undefined || isSame(opened, last)
    ? undefined
    : `${path} was replaced while it was read, so root does not use it; try again`;
}

/**
 * Whether nobody but root and `owner` can put anything into the folder, take it out, or lead the path elsewhere.
 *
 * @throws an error of the file system where something is missing
 */
export function isClosedToOthers(folder: string, owner?: number): boolean {
  let last: Stats | undefined;
  for (const step of wayTo(folder)) {
    if (stepProblem(step, folder, owner) !== undefined) return false;
    last = step.stats;
  }
  // In a folder with the sticky bit others can put what lies at a name before root does.
  return last?.isDirectory() === true && (last.mode & WRITABLE_BY_OTHERS) === 0;
}

/** Whether both are of one and the same file. */
export function isSame(one: Stats, other: Stats | undefined): boolean {
  return one.dev === other?.dev && one.ino === other.ino;
}

/** Whether others than root could replace what is in a folder. */
export function isOthers({ uid, mode }: Stats): boolean {
  return uid !== 0 || ((mode & WRITABLE_BY_OTHERS) !== 0 && (mode & STICKY) === 0);
}

function stepProblem({ path, stats }: Step, end: string, owner: number | undefined): string | undefined {
  const isFolder = stats.isDirectory();
  const what = isFolder && path !== end ? `${path}, a folder on the way to ${end},` : path;
  if (stats.uid !== 0 && stats.uid !== owner && stats.uid !== process.geteuid?.()) {
    return `${what} belongs to user ${stats.uid}, neither to root nor to the bridge's user, so root does not use it; chown ${stats.isSymbolicLink() ? "-h " : ""}root ${path}`;
  }
  if (stats.isSymbolicLink() || (stats.mode & WRITABLE_BY_OTHERS) === 0) return undefined;
  if (!isFolder) {
    return `group or others can write ${path}, so root does not use it; chmod go-w ${path}`;
  }
  // What lies there is its owner's alone, and the next step says who that is.
  if ((stats.mode & STICKY) !== 0) return undefined;
  return `group or others can write the folder of ${end}, so root does not use it; chmod go-w ${path}`;
}
