/**
 * A real policy decision point: Cerbos, with the policies of the test. Its
 * HTTP port also speaks the OpenID AuthZEN Authorization API (`POST /access/v1/evaluation`).
 */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { writeYaml } from "./bridge.ts";
import { cerbosBinary } from "./cerbos-binary.ts";
import { startDaemon } from "./daemon.ts";
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

  const url = `http://127.0.0.1:${http}`;
  const daemon = await startDaemon({
    command: cerbosBinary(),
    parameters: ["server", "--config", file],
    ready: () => fetch(`${url}/_cerbos/health`),
  });
  return {
    url,
    stop: async () => {
      await daemon.stop();
      await folder.remove();
    },
  };
}
