/** What a process uses, from Linux's /proc: processor time and memory. Elsewhere, or when it has ended: 0. */
import { readdirSync, readFileSync } from "node:fs";

/** USER_HZ, 100 on every architecture that Node runs on. */
const TICKS = 100;

/** Seconds of processor time, user and system, of the process and of each of its children. */
export function processorTimes(pid: number): Map<number, number> {
  const times = new Map<number, number>();
  for (const process of [pid, ...childrenOf(pid)]) {
    const fields = read(`/proc/${process}/stat`).split(") ").at(-1)!.split(" ");
    times.set(process, (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / TICKS);
  }
  return times;
}

/** Seconds that the busiest of the processes has used since. */
export function busiest(before: ReadonlyMap<number, number>, after: ReadonlyMap<number, number>): number {
  return Math.max(...[...after].map(([pid, seconds]) => seconds - (before.get(pid) ?? 0)));
}

/** Resident memory of the process and its children, in MB. */
export function residentMemory(pid: number): number {
  return [pid, ...childrenOf(pid)].reduce((sum, process) => sum + memoryOf(process), 0);
}

/** Resident memory of one process, in MB. */
export function memoryOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) / 1024;
}

/** How many descriptors a process has open. */
export function descriptorsOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
}

export function childrenOf(pid: number): number[] {
  return read(`/proc/${pid}/task/${pid}/children`)
    .split(" ")
    .filter((child) => child !== "")
    .map(Number);
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
