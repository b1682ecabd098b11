/**
 * The way to a file, step by step from the root of the file system: each folder and each link that leads there, and what
 * lies at the end. Whoever can change one of them decides what a path means.
 */
import { lstatSync, readlinkSync, type Stats } from "node:fs";
import { dirname, join, resolve } from "node:path";

/** One thing on the way, itself and not what it leads to. */
export interface Step {
  readonly path: string;
  readonly stats: Stats;
}

/** As the kernel has it (path_resolution(7)). */
const MOST_LINKS = 40;

/**
 * The steps, in the order in which the system takes them; the last is what the path leads to.
 *
 * @throws an error of the file system where something is missing, or the links lead in a circle
 */
export function* wayTo(path: string): Generator<Step, void> {
  const rest = partsOf(resolve(path));
  let folder = "/";
  let links = 0;
  yield { path: "/", stats: lstatSync("/") };
  for (let part = rest.shift(); part !== undefined; part = rest.shift()) {
    if (part === "..") {
      folder = dirname(folder);
      continue;
    }
    const next = join(folder, part);
    const stats = lstatSync(next);
    yield { path: next, stats };
    if (!stats.isSymbolicLink()) {
      folder = next;
      continue;
    }
    if (++links > MOST_LINKS) throw Object.assign(new Error("too many links"), { code: "ELOOP" });
    const target = readlinkSync(next);
    if (target.startsWith("/")) folder = "/";
    rest.unshift(...partsOf(target));
  }
}

/** `..` stays: after a link it leads elsewhere than in the text of the path. */
function partsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}
