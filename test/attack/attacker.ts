/**
 * A local user who means harm: `nobody`, who runs code of his own and owns what a test gives him. What only root can show,
 * or must be shown of root, is skipped for others, with a line that says so.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync } from "node:fs";
import { onTestFinished } from "vitest";

export const ATTACKER = "nobody";

/** For `describe.skipIf`: these tests start the bridge as root. */
export function mustSkip(tests: string): boolean {
  if (process.geteuid?.() === 0) return false;
  console.warn(
    `skipped: ${tests} need root, since they attack a bridge that root has started: run the tests as root`,
  );
  return true;
}

/** The number of the attacker, or of his group with `-g`. */
export function attackerId(option: "-u" | "-g" = "-u"): number {
  return Number(execFileSync("id", [option, ATTACKER], { encoding: "utf8" }));
}

/** From now on it is the attacker's own. */
export function giveToAttacker(path: string): void {
  chownSync(path, attackerId("-u"), attackerId("-g"));
}

/** Runs JavaScript as the attacker until the test is over; resolves when it has begun. */
export async function attack(code: string): Promise<void> {
  const child = spawn(process.execPath, ["-e", `console.log("begun");${code}`], {
    uid: attackerId("-u"),
    gid: attackerId("-g"),
    cwd: "/",
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "close");
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  await once(child.stdout, "data");
}
