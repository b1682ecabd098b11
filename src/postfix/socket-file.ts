/**
 * The file of a unix socket: its place made free, and the socket made with its owner, group and mode.
 *
 * The folder may be somebody else's, such as Postfix's `private`, and the process root. So the socket is made in a folder
 * that nobody else can enter, gets its rights there, and then its name, at once and in place of nothing.
 *
 * A socket that nobody answers on is what a crash leaves behind, and is removed; anything else at the path
 * (a file, a link, a socket in use) stays as it is and is a problem for the administrator.
 */
import { randomUUID } from "node:crypto";
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdtempSync,
  rmdirSync,
  type Stats,
  unlinkSync,
} from "node:fs";
import { connect } from "node:net";
import { basename, dirname } from "node:path";
import { HeldFolder } from "../files/held-folder.ts";
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

interface Problem {
  readonly problem: string;
}

const DEFAULT_MODE = 0o660;
/** Milliseconds that a socket in use may take to answer. */
const PROBE_TIMEOUT = 2000;
/** Of what lies in the folder for a moment. */
const PREFIX = ".pfxbridge-";

/** The place of a socket, free when it is given out. */
export class SocketPlace {
  readonly #path: string;
  readonly #name: string;
  readonly #folder: HeldFolder;
  #made: Stats | undefined;

  private constructor(path: string, folder: HeldFolder) {
    this.#path = path;
    this.#name = basename(path);
    this.#folder = folder;
  }

  /** Removes a socket that nobody answers on. Else what is in the way. */
  static async clear(path: string): Promise<SocketPlace | Problem> {
    const directory = dirname(path);
    let folder: HeldFolder;
    try {
      folder = HeldFolder.open(directory);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // libuv has "no rights" for a directory that is not there.
      return code === "ENOENT" || code === "ENOTDIR"
        ? { problem: `there is no directory ${directory}; create it, or choose another` }
        : { problem: `the directory ${directory} cannot be used (${code})` };
    }
    const place = new SocketPlace(path, folder);
    const problem = await place.#clear();
    if (problem === undefined) return place;
    folder.close();
    return { problem };
  }

  /**
   * Makes the socket; undefined when done, else what stands in the way.
   *
   * @param listen binds at the path that it is given, before it returns; false: it could not
   * @throws an error of the system
   */
  make(rights: NumericRights, listen: (path: string) => boolean): string | undefined {
    const within = basename(mkdtempSync(this.#folder.at(PREFIX)));
    const stage = this.#folder.openWithin(within);
    // Its own name too, since the system removes a socket by the path that it was bound at, whatever is there by then.
    const staged = stage.at(`${PREFIX}${randomUUID()}`);
    try {
      const { uid, mode } = stage.stats;
      if (uid !== process.geteuid?.() || (mode & 0o077) !== 0) return `others meddle with ${this.#path}`;
      if (!listen(staged)) return `no socket can be made in the folder of ${this.#path}`;
      const problem = giveRights(staged, this.#path, rights);
      if (problem !== undefined) return problem;
      linkSync(staged, this.#folder.at(this.#name));
      this.#made = lstatSync(staged);
      return undefined;
    } finally {
      ignoringErrors(() => unlinkSync(staged));
      stage.close();
      ignoringErrors(() => rmdirSync(this.#folder.at(within)));
    }
  }

  /** Removes the socket that was made, where it still lies there and the rights allow. */
  leave(): void {
    const path = this.#folder.at(this.#name);
    ignoringErrors(() => {
      if (this.#made !== undefined && lstatSync(path).ino === this.#made.ino) unlinkSync(path);
    });
    this.#folder.close();
  }

  async #clear(): Promise<string | undefined> {
    const path = this.#folder.at(this.#name);
    try {
      const there = lstatSync(path);
      if (!there.isSocket()) {
        const what = there.isSymbolicLink()
          ? "a symbolic link"
          : there.isDirectory()
            ? "a directory"
            : "a file";
        return `${this.#path} is ${what}, not a socket; it was left alone. Remove it, or listen on another path`;
      }
      const problem = await probe(path, this.#path);
      if (problem !== undefined) return problem;
      if (lstatSync(path).ino !== there.ino) {
        return `${this.#path} is being used by another process that just started`;
      }
      unlinkSync(path);
      return undefined;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") return undefined;
      return `cannot remove the old socket ${this.#path} (${code}): the directory must be writable for this user`;
    }
  }
}

/** Owner and group -1: as they are. */
interface NumericRights {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** The numbers of an owner and a group. */
export async function numericRights(rights: SocketRights): Promise<NumericRights | Problem> {
  const uid = rights.owner === undefined ? -1 : await findUser(rights.owner);
  if (typeof uid !== "number") return { problem: `owner: ${uid.problem}` };
  const gid = rights.group === undefined ? -1 : await findGroup(rights.group);
  if (typeof gid !== "number") return { problem: `group: ${gid.problem}` };
  return { mode: rights.mode ?? DEFAULT_MODE, uid, gid };
}

function giveRights(staged: string, path: string, { uid, gid, mode }: NumericRights): string | undefined {
  try {
    if (uid !== -1 || gid !== -1) chownSync(staged, uid, gid);
    chmodSync(staged, mode);
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return `cannot give ${path} its owner, group and mode (${code}): start as root, or leave owner and group out`;
  }
}

function ignoringErrors(act: () => void): void {
  try {
    act();
  } catch {
    // What is left behind is in nobody's way.
  }
}

/** Undefined when nobody answers on the socket. */
function probe(at: string, path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(at);
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
