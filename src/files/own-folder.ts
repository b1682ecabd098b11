/**
 * A folder for files that are opened by name, again and again, for as long as the process runs. For root it must be one
 * where nobody else can put a link, or a file of his own, in the place of one of these.
 */
import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { changeableByOthers, isClosedToOthers, runsAsRoot } from "./hands.ts";

/**
 * Makes the folder, if it is not there.
 *
 * @throws an error of the file system, or one that says who else could change what lies there, and what to do
 */
export function makeOwnFolder(folder: string): void {
  if (runsAsRoot()) refuseOthers(nearestThere(folder));
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  refuseOpenFolder(folder);
}

/**
 * For root: refuses a folder in which others can put files. One that is not there is as good as empty.
 *
 * @throws an error that says what to do
 */
export function refuseOpenFolder(folder: string): void {
  if (!runsAsRoot() || !existsSync(folder)) return;
  refuseOthers(folder);
  if (isClosedToOthers(folder)) return;
  throw new Error(
    `others can put files into ${folder}; choose another folder, or set user: in the configuration`,
  );
}

function refuseOthers(folder: string): void {
  const othersDoing = changeableByOthers(folder);
  if (othersDoing !== undefined) throw new Error(`${othersDoing}; or set user: in the configuration`);
}

function nearestThere(folder: string): string {
  return existsSync(folder) ? folder : nearestThere(dirname(folder));
}
