/** What the bridge keeps of connections when all clients have gone: it should be nothing. */
import { readFileSync } from "node:fs";
import type { Bridge } from "./bridge.ts";
import type { Wrong } from "./checker.ts";

/** Milliseconds in which it may notice. */
const NOTICING = 3000;

/** States of /proc/net/tcp in which nobody holds a descriptor any more, and that of a listener. */
const NOT_HELD = new Set(["06", "0A"]);

export async function leftOver({ port }: Bridge): Promise<Wrong[]> {
  await new Promise((resolve) => setTimeout(resolve, NOTICING));
  const end = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const held = readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local = "", , state = ""]) => local.endsWith(end) && !NOT_HELD.has(state));
  if (held.length === 0) return [];
  return [
    { what: "connections that nobody has any more, and the bridge keeps", detail: String(held.length) },
  ];
}
