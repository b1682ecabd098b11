/** A real Redis of the test's own, on a free port of 127.0.0.1, with its files in a temporary folder. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, type TemporaryFolder, temporaryFolder } from "./temporary.ts";

export interface RedisServer {
  readonly port: number;
  /** Starts it again on the same port, with what it had written down. */
  start(): Promise<void>;
  signal(name: "SIGKILL" | "SIGSTOP" | "SIGCONT"): void;
  /** SIGKILL, and waits for its end. */
  kill(): Promise<void>;
  /** Runs redis-cli and gives what it prints. */
  cli(...parameters: readonly string[]): string;
  stop(): Promise<void>;
}

/** Starts redis-server; `parameters` as on its command line. */
export function startRedis(...parameters: readonly string[]): Promise<RedisServer> {
  return startWith(() => ["--save", "", ...parameters]);
}

/** Starts a Sentinel that alone decides when the master `main` at `port` is gone, and soon. */
export function startSentinel(port: number): Promise<RedisServer> {
  return startWith((folder) => {
    const file = join(folder, "sentinel.conf");
    const lines = [
      `monitor main 127.0.0.1 ${port} 1`,
      "down-after-milliseconds main 500",
      "failover-timeout main 3000",
    ];
    writeFileSync(file, lines.map((line) => `sentinel ${line}\n`).join(""));
    return [file, "--sentinel"];
  });
}

async function startWith(parametersIn: (folder: string) => readonly string[]): Promise<RedisServer> {
  // Another test may have taken the port meanwhile.
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(parametersIn);
    } catch (error) {
      if (attempt === 3) throw error;
    }
  }
}

async function startOnce(parametersIn: (folder: string) => readonly string[]): Promise<RedisServer> {
  const folder: TemporaryFolder = await temporaryFolder();
  const port = await freePort();
  let child: ChildProcess | null = null;

  const cli = (...command: readonly string[]) =>
    spawnSync("redis-cli", ["-p", String(port), ...command], {
      encoding: "utf8",
      timeout: 5000,
    }).stdout.trim();

  const start = async () => {
    const place = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder.path];
    // A file comes first.
    child = spawn("redis-server", [...parametersIn(folder.path), ...place], { stdio: "ignore" });
    const end = performance.now() + 10_000;
    while (!/PONG|NOAUTH/.test(cli("PING"))) {
      if (performance.now() > end) throw new Error("redis-server did not start");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };

  const kill = async () => {
    const running = child;
    child = null;
    if (running === null || running.exitCode !== null || running.signalCode !== null) return;
    const gone = new Promise((resolve) => running.once("exit", resolve));
    running.kill("SIGKILL");
    await gone;
  };

  try {
    await start();
  } catch (error) {
    await kill();
    await folder.remove();
    throw error;
  }
  return {
    port,
    start,
    signal: (name) => child?.kill(name),
    kill,
    cli,
    stop: async () => {
      await kill();
      await folder.remove();
    },
  };
}

/** Starts a cluster of three masters, ready for use. */
export async function startRedisCluster(): Promise<readonly RedisServer[]> {
  const nodes: RedisServer[] = [];
  for (let node = 0; node < 3; node++) {
    const options = { "--cluster-enabled": "yes", "--cluster-node-timeout": "2000" };
    // Without it the cluster's bus is 10,000 ports on, where outgoing connections have theirs.
    const bus = ["--cluster-port", String(await freePort())];
    nodes.push(await startRedis(...Object.entries(options).flat(), ...bus));
  }
  const places = nodes.map(({ port }) => `127.0.0.1:${port}`);
  spawnSync("redis-cli", ["--cluster", "create", ...places, "--cluster-yes"], { timeout: 30_000 });
  const end = performance.now() + 20_000;
  while (!nodes.every((node) => node.cli("CLUSTER", "INFO").includes("cluster_state:ok"))) {
    if (performance.now() > end) throw new Error("the Redis cluster did not come up");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return nodes;
}
