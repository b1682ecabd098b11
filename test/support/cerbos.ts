/**
 * A real policy decision point: Cerbos, from the npm package `cerbos`, with the policies of the test. Its
 * HTTP port also speaks the OpenID AuthZEN Authorization API (`POST /access/v1/evaluation`).
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { vi } from "vitest";
import { writeYaml } from "./bridge.ts";
import { freePort, temporaryFolder } from "./temporary.ts";

export interface Cerbos {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts Cerbos with these policies, each of which becomes a YAML file. */
export async function startCerbos(policies: readonly object[]): Promise<Cerbos> {
  const folder = await temporaryFolder();
  const directory = join(folder.path, "policies");
  await mkdir(directory);
  await Promise.all(policies.map((policy, n) => writeYaml(join(directory, `policy${n}.yaml`), policy)));
  const [http, grpc] = [await freePort(), await freePort()];
  const file = join(folder.path, "cerbos.yaml");
  await writeYaml(file, {
    server: { httpListenAddr: `127.0.0.1:${http}`, grpcListenAddr: `127.0.0.1:${grpc}` },
    storage: { driver: "disk", disk: { directory, watchForChanges: false } },
    telemetry: { disabled: true },
  });

  const child = spawn(cerbosBinary(), ["server", "--config", file], { stdio: ["ignore", "pipe", "pipe"] });
  const exited = once(child, "exit");
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      output = (output + String(chunk)).slice(-4000);
    });
  }
  const url = `http://127.0.0.1:${http}`;
  await vi
    .waitFor(() => fetch(`${url}/_cerbos/health`), { timeout: 20_000, interval: 100 })
    .catch(() => {
      child.kill();
      throw new Error(`Cerbos did not start: ${output}`);
    });
  return {
    url,
    stop: async () => {
      child.kill();
      await exited;
      await folder.remove();
    },
  };
}

/** The binary is in the package for this platform, on which `cerbos` depends. */
function cerbosBinary(): string {
  const name = `cerbos-${process.platform}-${process.arch}`;
  const manifest = createRequire(import.meta.url).resolve(`@cerbos/${name}/package.json`);
  return join(dirname(manifest), name);
}
