/**
 * Places that a test may use and nobody else has: folders under the system's temporary folder, and
 * TCP ports on loopback.
 */
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface TemporaryFolder {
  readonly path: string;
  remove(): Promise<void>;
}

/** A new, empty folder; `mode` 0o755 where processes of other users must reach what is in it. */
export async function temporaryFolder(mode = 0o700): Promise<TemporaryFolder> {
  const path = await mkdtemp(join(tmpdir(), "pfxbridge-"));
  await chmod(path, mode);
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

// Below the range that Linux gives to outgoing connections, so that none of those takes the port
// between its choice and its use.
const FIRST_PORT = 20_000;
const PORTS = 12_000;

/** A TCP port of 127.0.0.1 on which nothing listens. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
    if (await isFree(port)) return port;
  }
  throw new Error("found no free TCP port on 127.0.0.1");
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
