/**
 * The short form of the bench: fails when a decision has become about twice as dear as it was, compared with something
 * else that is measured beside it, so that the speed of the machine does not matter.
 */
import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { expect, it } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");
const TIMEOUT = 60_000;

/** Half of what was reached last; to be raised with it. */
const LINES = [
  { name: "throughput", floor: 0.15 },
  { name: "remembered", floor: 0.2 },
];

it.for(LINES)(
  "$name has not dropped by half",
  { timeout: TIMEOUT, retry: 1 },
  ({ name, floor }, { skip }) => {
    const { status, stdout, stderr } = run("node", "dist/test/bench/main.js", "--quick", "--json", name);
    if (status !== 0) throw new Error(stderr);
    const line: { figure?: string; unavailable?: string; note?: string } = JSON.parse(stdout);
    skip(line.unavailable !== undefined, line.unavailable);
    expect(Number.parseFloat(line.figure ?? ""), line.note).toBeGreaterThan(floor);
  },
);

function run(command: string, ...parameters: string[]) {
  return spawnSync(command, parameters, { cwd: ROOT, encoding: "utf8", timeout: TIMEOUT });
}
