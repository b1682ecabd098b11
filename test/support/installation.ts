/**
 * The bridge as it would be installed for a user other than the one who built it: the built command, the
 * shipped mappings and the dependencies that it runs with, copied to a place that everybody can read.
 * A checkout may well be somewhere that only its owner can.
 */
import { cp, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";

const CHECKOUT = resolve(import.meta.dirname, "../..");

interface LockFile {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly devOptional?: boolean }>>;
}

/** Copies it into `folder` and gives the path of the command there, to be run by `node`. */
export async function install(folder: string): Promise<string> {
  const lock: LockFile = JSON.parse(await readFile(join(CHECKOUT, "package-lock.json"), "utf8"));
  const dependencies = Object.entries(lock.packages)
    .filter(
      ([path, entry]) => path !== "" && !path.includes("/node_modules/") && !entry.dev && !entry.devOptional,
    )
    .map(([path]) => path);
  for (const path of ["package.json", "dist", "mappings", ...dependencies]) {
    await cp(join(CHECKOUT, path), join(folder, path), { recursive: true });
  }
  return join(folder, "dist/main.js");
}
