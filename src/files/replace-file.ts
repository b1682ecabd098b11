/**
 * A file that is there as a whole or not at all: written beside its place under another name, put on the disk, then given
 * its name. A kill or a power cut leaves what was there before, or the new one.
 */
import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, rename, unlink } from "node:fs/promises";
import { inHeldFolder } from "./held-folder.ts";

/**
 * Makes or replaces the file, 0600. When it resolves the file is on the disk, and so is its name.
 *
 * @param write fills the new file; when it fails, what was there before stays
 * @throws an error of the file system, or that of `write`
 */
export function replaceFile(path: string, write: (file: FileHandle) => Promise<unknown>): Promise<void> {
  return inHeldFolder(path, async (folder, name) => {
    const next = folder.at(`${name}.${randomUUID()}.tmp`);
    try {
      const file = await open(next, "wx", 0o600);
      try {
        await write(file);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(next, folder.at(name));
    } catch (error) {
      await unlink(next).catch(() => {});
      throw error;
    }
    await sync(folder.at("."));
  });
}

/** A name in a folder is on the disk when the folder is. */
async function sync(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
