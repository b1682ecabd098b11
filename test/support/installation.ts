/**
 * The bridge as it would be installed for a user other than the one who built it: the built command, the
 * shipped mappings and the dependencies that it runs with, copied to a place that everybody can read.
 * A checkout may well be somewhere that only its owner can.
 */
import { existsSync } from "node:fs";
import { cp, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";

const CHECKOUT = resolve(import.meta.dirname, "../..");

interface LockFile {
  readonly packages: Readonly<Record<string, { readonly dev?: true; readonly devOptional?: true }>>;
}

/** Copies it into `folder` and gives the path of the command there, to be run by `node`. */
export async function install(folder: string): Promise<string> {
  const lock: LockFile = JSON.parse(await readFile(join(CHECKOUT, "package-lock.json"), "utf8"));
  // What is nested in a package is copied with it; what is for other platforms was not installed.
  const dependencies = Object.entries(lock.packages)
    .filter(
      ([path, entry]) => path !== "" && !path.includes("/node_modules/") && !entry.dev && !entry.devOptional,
    )
    .map(([path]) => path)
    .filter((path) => existsSync(join(CHECKOUT, path)));
  for (const path of ["package.json", "dist", "mappings", ...dependencies]) {
    await cp(join(CHECKOUT, path), join(folder, path), { recursive: true });
  }
  return join(folder, "dist/main.js");
}
