/** Which file a service's `mapping:` means: one that is shipped, by its name, or a path. */
import { readdirSync } from "node:fs";
import { dirname, extname, join, resolve } from "node:path";
import { ROOT } from "../root.ts";
import { excerpt } from "../text/excerpt.ts";
import { suggestion } from "../text/nearest.ts";

/** The folder of those that come with the package. */
export const SHIPPED = join(ROOT, "mappings");
const EXTENSION = ".yaml";

/**
 * The file of a mapping.
 *
 * @param use a name such as `authzen`, or, with a slash or an extension, a path
 * @param relativeTo the configuration file that names it
 * @throws Error that lists the shipped ones, if there is none of that name
 */
export function findMapping(use: string, relativeTo: string): string {
  if (use.includes("/") || extname(use) !== "") return resolve(dirname(resolve(relativeTo)), use);
  const names = shippedMappings();
  if (names.includes(use)) return join(SHIPPED, `${use}${EXTENSION}`);
  throw new Error(
    `there is no mapping "${excerpt(use)}"${suggestion(use, names) || "."} Shipped are ${names.join(", ")}; a file of your own is written with its path, as in ./${excerpt(use)}${EXTENSION}`,
  );
}

/** Whether a file comes with the package: then it is in the same hands as the program itself. */
export function isShipped(file: string): boolean {
  return dirname(file) === SHIPPED;
}

/** The names of the mappings that come with the package. */
export function shippedMappings(): readonly string[] {
  return readdirSync(SHIPPED)
    .filter((file) => file.endsWith(EXTENSION))
    .map((file) => file.slice(0, -EXTENSION.length))
    .sort();
}
