/**
 * A folder that is held open: what is done in it is done there, wherever its name leads to in the meantime.
 *
 * Root often has to make a file in a folder that is somebody else's: a socket under Postfix's `private`, which is
 * postfix's, or a log. By name, whoever owns the folder could put a link in the way of each step. So the folder is opened
 * once, and for root no link is followed on the way to it that somebody else could have made or changed.
 */
import { closeSync, constants, fstatSync, openSync, type Stats } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { isClosedToOthers, isOthers, isSame, runsAsRoot } from "./hands.ts";
import { wayTo } from "./way.ts";

const IS_LINUX = process.platform === "linux";
/** The right to look through a folder is enough to hold it (open(2)); Node has no name for it. */
const O_PATH = IS_LINUX ? 0o10000000 : 0;

export class HeldFolder {
  readonly #path: string;
  readonly #fd: number;

  private constructor(path: string, fd: number) {
    this.#path = path;
    this.#fd = fd;
  }

  /**
   * @throws an error of the file system; for root also where a link on the way is in others' hands
   */
  static open(path: string): HeldFolder {
    const folder = new HeldFolder(path, openSync(path, O_PATH | constants.O_DIRECTORY));
    try {
      if (runsAsRoot()) refuseOthersLinks(path, folder.stats);
      return folder;
    } catch (error) {
      folder.close();
      throw error;
    }
  }

  /** The folder of this name in this one, and nothing that a link leads to. */
  openWithin(name: string): HeldFolder {
    const path = this.at(name);
    return new HeldFolder(path, openSync(path, O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW));
  }

  get stats(): Stats {
    return fstatSync(this.#fd);
  }

  /** A path to what has this name in the folder, of use while it is held. */
  at(name: string): string {
    return IS_LINUX ? `/proc/self/fd/${this.#fd}/${name}` : join(this.#path, name);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** Does something with a file of this path: in its folder, held open meanwhile. */
export async function inHeldFolder<T>(
  path: string,
  act: (folder: HeldFolder, name: string) => Promise<T>,
): Promise<T> {
  const folder = HeldFolder.open(dirname(path));
  try {
    return await act(folder, basename(path));
  } finally {
    folder.close();
  }
}

/**
 * Opens a file to write to, made anew where there is none. For root, in a folder where others can put things, it is a file
 * of this name and no other: no link, and nothing that has a second name.
 *
 * @throws an error of the file system, or one whose `code` says in words what lies there
 */
export function openToWrite(path: string, flags: number, mode: number): number {
  const absolute = resolve(path);
  if (!runsAsRoot() || isClosedToOthers(dirname(absolute))) return openSync(absolute, flags, mode);
  const folder = HeldFolder.open(dirname(absolute));
  try {
    const name = basename(absolute);
    const fd = openSync(
      folder.at(name),
      flags | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY,
      mode,
    );
    const stats = fstatSync(fd);
    if (stats.isFile() && stats.nlink === 1) return fd;
    closeSync(fd);
    throw refusal("it is no file, or has a second name, and others can write its folder");
  } finally {
    folder.close();
  }
}

function refuseOthersLinks(path: string, opened: Stats): void {
  let inOthersHands = false;
  let end: Stats | undefined;
  for (const step of wayTo(path)) {
    end = step.stats;
    if (!end.isSymbolicLink()) {
      inOthersHands ||= isOthers(end);
    } else if (inOthersHands || end.uid !== 0) {
      throw refusal(
        `${step.path} is a link that others than root can change; name the folder that it leads to`,
      );
    }
  }
  if (!isSame(opened, end)) throw refusal(`${path} was replaced while it was opened`);
}

/** Told as errors of the file system are, by their code. */
function refusal(code: string): Error {
  return Object.assign(new Error(code), { code });
}
