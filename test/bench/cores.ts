/** Which processor core a process runs on: the bridge has one to itself, load and service share another. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

export type Place = "bridge" | "load" | "both";

/** The command line that runs a program at a place; the program's own where nothing can be pinned. */
export function placed(place: Place, command: string, parameters: readonly string[]): [string, string[]] {
  if (CORES === null) return [command, [...parameters]];
  const [bridge, load] = CORES;
  const list = { bridge: `${bridge}`, load: `${load}`, both: `${bridge},${load}` }[place];
  return ["taskset", ["-c", list, command, ...parameters]];
}

/** For the head of the table. */
export function describeCores(): string {
  return CORES === null
    ? "processes are not pinned to cores (no taskset, or one core only)"
    : `core ${CORES[0]} for the bridge, core ${CORES[1]} for load and service`;
}

const CORES = twoCores();

function twoCores(): readonly [number, number] | null {
  if (spawnSync("taskset", ["-V"]).status !== 0) return null;
  const allowed = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "";
  const cores = allowed.split(",").flatMap((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, n) => first + n);
  });
  const [first, second] = cores;
  return first === undefined || second === undefined ? null : [first, second];
}
