/** What the bridge keeps of connections when all clients have gone: nothing of theirs, and of others none that is closed. */
import { readFileSync } from "node:fs";
import type { Bridge } from "./bridge.ts";
import type { Wrong } from "./checker.ts";

/** Milliseconds in which it may notice. */
const NOTICING = 3000;

/** States of /proc/net/tcp in which nobody holds a descriptor any more, and that of a listener. */
const NOT_HELD = new Set(["06", "0A"]);
/** The other side has closed, this one has not. */
const CLOSE_WAIT = "08";

/** @param others ports of what the bridge itself connects to */
export async function leftOver({ port }: Bridge, others: readonly number[]): Promise<Wrong[]> {
  await new Promise((resolve) => setTimeout(resolve, NOTICING));
  const sockets = readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .map(([, local = "", remote = "", state = ""]) => ({
      local: portOf(local),
      remote: portOf(remote),
      state,
    }));
  const ofClients = sockets.filter(({ local, state }) => local === port && !NOT_HELD.has(state));
  const ofOthers = sockets.filter(({ remote, state }) => others.includes(remote) && state === CLOSE_WAIT);
  return [
    { what: "connections that nobody has any more, and the bridge keeps", held: ofClients },
    { what: "connections that a service has closed, and the bridge keeps", held: ofOthers },
  ].flatMap(({ what, held }) => (held.length === 0 ? [] : [{ what, detail: String(held.length) }]));
}

function portOf(address: string): number {
  return Number.parseInt(address.split(":")[1] ?? "", 16);
}
