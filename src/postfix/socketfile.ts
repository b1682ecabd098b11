/**
 * The file of a unix socket: made free before binding, and given its rights afterwards.
 *
 * A socket that nobody answers on is what a crash leaves behind, and is removed; anything else at the path
 * (a file, a link, a socket in use) stays as it is and is a problem for the administrator.
 */
import { chmod, chown, lstat, stat, unlink } from "node:fs/promises";
import { connect } from "node:net";
import { dirname } from "node:path";
import { findGroup, findUser } from "./accounts.ts";

/** Who may connect to a unix socket. */
export interface SocketRights {
  /** Permission bits, 0o660 by default: connecting takes the right to write. */
  readonly mode?: number | undefined;
  /** Name or number. */
  readonly owner?: string | undefined;
  /** Name or number. */
  readonly group?: string | undefined;
}

const DEFAULT_MODE = 0o660;
/** Milliseconds that a socket in use may take to answer. */
const PROBE_TIMEOUT = 2000;

/** Makes the path free to be bound. Undefined when it is; else what is in the way. */
export async function clearSocketFile(path: string): Promise<string | undefined> {
  try {
    const there = await lstat(path);
    if (!there.isSocket()) {
      const what = there.isSymbolicLink()
        ? "a symbolic link"
        : there.isDirectory()
          ? "a directory"
          : "a file";
      return `${path} is ${what}, not a socket; it was left alone. Remove it, or listen on another path`;
    }
    const problem = await probe(path);
    if (problem !== undefined) return problem;
    const now = await lstat(path);
    if (now.ino !== there.ino) return `${path} is being used by another process that just started`;
    await unlink(path);
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return directoryProblem(dirname(path));
    return `cannot remove the old socket ${path} (${code}): the directory must be writable for this user`;
  }
}

/** Sets owner, group and mode. Undefined when done; else what stands in the way. */
export async function setSocketRights(path: string, rights: SocketRights): Promise<string | undefined> {
  const uid = rights.owner === undefined ? -1 : await findUser(rights.owner);
  if (typeof uid !== "number") return `owner: ${uid.problem}`;
  const gid = rights.group === undefined ? -1 : await findGroup(rights.group);
  if (typeof gid !== "number") return `group: ${gid.problem}`;
  try {
    if (uid !== -1 || gid !== -1) await chown(path, uid, gid);
    await chmod(path, rights.mode ?? DEFAULT_MODE);
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return `cannot give ${path} its owner, group and mode (${code}): start as root, or leave owner and group out`;
  }
}

/** The system's own error for a directory that is not there would be "no rights" (libuv maps it so). */
async function directoryProblem(directory: string): Promise<string | undefined> {
  const there = await stat(directory).catch(() => undefined);
  return there?.isDirectory()
    ? undefined
    : `there is no directory ${directory}; create it, or choose another`;
}

/** Undefined when nobody answers on the socket. */
function probe(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const done = (problem: string | undefined) => {
      socket.destroy();
      resolve(problem);
    };
    const inUse = `another process answers on ${path}; stop it (fuser ${path} shows which), or listen on another path`;
    socket.setTimeout(PROBE_TIMEOUT, () => done(inUse));
    socket.once("connect", () => done(inUse));
    socket.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNREFUSED" || error.code === "ENOENT") return done(undefined);
      if (error.code === "EAGAIN") return done(inUse);
      return done(`cannot tell whether ${path} is in use (${error.code}); remove it if it is not`);
    });
  });
}
