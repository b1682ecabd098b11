/**
 * A copy of this machine's file system to install packages in, for root: what is changed there is in memory, and gone with it.
 * It is a mount namespace of its own, so that nothing is left mounted either, whatever ends the tests.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { temporaryFolder } from "./temporary.ts";

interface Outcome {
  readonly status: number | null;
  readonly said: string;
}

export interface OtherRoot {
  /** Runs a shell script there, with the words as $1, $2 …; as root, or another user. */
  run(script: string, words?: readonly string[], user?: string): Promise<Outcome>;
  /** Starts a program there that goes on. */
  start(script: string, words?: readonly string[], user?: string): ChildProcess;
  leave(): Promise<void>;
}

const ENTER = `set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/changes" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/changes,workdir=$1/work" "$1/root"
mount --rbind /proc "$1/root/proc"
mount --rbind /dev "$1/root/dev"
echo ready
exec cat`;

/** Throws, with what the system says, where this machine lets root mount nothing. */
export async function otherRoot(): Promise<OtherRoot> {
  const folder = await temporaryFolder(0o755);
  const args = ["--mount", "--propagation", "private", "sh", "-c", ENTER, "sh", folder.path];
  // It lives until its input ends, with the tests at the latest.
  const holder = spawn("unshare", args, { stdio: ["pipe", "pipe", "pipe"] });
  const stderr = text(holder.stderr);
  const ready = await Promise.race([
    once(holder.stdout, "data").then(() => true),
    once(holder, "exit").then(() => false),
  ]);
  if (!ready) throw new Error(`no other root could be made: ${await stderr}`);

  const start = (script: string, words: readonly string[] = [], user = "root") => {
    const inside = [
      "--target",
      String(holder.pid),
      "--mount",
      "chroot",
      `--userspec=${user}`,
      `${folder.path}/root`,
    ];
    const env = {
      PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      LC_ALL: "C.UTF-8",
      DEBIAN_FRONTEND: "noninteractive",
    };
    return spawn("nsenter", [...inside, "sh", "-c", script, "sh", ...words], {
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
  };
  return {
    start,
    async run(script, words, user) {
      const child = start(script, words, user);
      const [out, err, [status]] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        once(child, "exit"),
      ]);
      return { status, said: out + err };
    },
    async leave() {
      const ended = once(holder, "exit");
      holder.stdin.end();
      await ended;
      await folder.remove();
    },
  };
}
