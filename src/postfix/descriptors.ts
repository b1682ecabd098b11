/**
 * How the process's file descriptors are shared out. Without any left, the event loop would close new connections without
 * a word, calls to the authorization service would fail and files could not be read; so what these need is kept back before
 * clients get the rest, and the log can say what is wrong.
 *
 * Node.js itself raises the limit to what is allowed (the hard limit) when it starts, in workers too.
 */
import { readFileSync } from "node:fs";

/** For the log, the control socket, stores, modules, files that are read again, and Node.js itself. */
const KEPT_BACK = 64;
/** With fewer the bridge does not start. */
const LEAST = 128;

/** The limit, from `Max open files` of proc(5); infinite where the system has none, or doesn't say. */
export function openFiles(file = "/proc/self/limits"): number {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return Number.POSITIVE_INFINITY;
  }
  const files = /^Max open files\s+(\d+)/m.exec(text)?.[1];
  return files === undefined ? Number.POSITIVE_INFINITY : Number(files);
}

/** Why there are too few to begin with. */
export function descriptorProblem(files = openFiles()): string | undefined {
  return files >= LEAST
    ? undefined
    : `only ${files} files may be open at once, and at least ${LEAST} are needed; raise the limit (LimitNOFILE= of systemd, ulimit -n)`;
}

/**
 * How many connections clients may have. A connection causes one call at a time, so that where there are not enough for
 * all calls and as many clients, half is enough for the calls.
 *
 * @param kept for calls, and what they need
 */
export function mostClients(kept: number, files = openFiles()): number {
  const rest = files - KEPT_BACK;
  return Math.max(1, rest - kept, Math.floor(rest / 2));
}
