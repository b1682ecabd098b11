/**
 * How many connections the process can have open. At the limit of open files the event loop would close
 * new connections without a word, and calls to the authorization service would fail; so some are kept back,
 * and the listener can say in the log what is wrong.
 */
import { readFileSync } from "node:fs";

const KEPT_BACK = 64;

/**
 * The limit for connections, from `Max open files` of proc(5); undefined where the system doesn't say.
 */
export function connectionLimit(file = "/proc/self/limits"): number | undefined {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
  const files = /^Max open files\s+(\d+)/m.exec(text)?.[1];
  return files === undefined ? undefined : Math.max(1, Number(files) - KEPT_BACK);
}
