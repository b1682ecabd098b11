/** Cerbos, with one policy that permits mail from 192.0.2.0/24; HTTP on a free port. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cerbosBinary } from "../support/cerbos-binary.ts";
import { freePort, temporaryFolder } from "../support/temporary.ts";
import { placed } from "./cores.ts";

const POLICY = {
  apiVersion: "api.cerbos.dev/v1",
  resourcePolicy: {
    resource: "mailbox",
    version: "default",
    rules: [
      {
        actions: ["rcpt"],
        effect: "EFFECT_ALLOW",
        roles: ["*"],
        condition: { match: { expr: 'P.attr.client_address.inIPAddrRange("192.0.2.0/24")' } },
      },
    ],
  },
};

export interface Cerbos {
  readonly url: string;
  stop(): Promise<void>;
}

export async function startCerbos(): Promise<Cerbos> {
  const folder = await temporaryFolder();
  const directory = join(folder.path, "policies");
  await mkdir(directory);
  await writeFile(join(directory, "policy.json"), JSON.stringify(POLICY));
  const [http, grpc] = [await freePort(), await freePort()];
  const file = join(folder.path, "cerbos.yaml");
  const config = {
    server: { httpListenAddr: `127.0.0.1:${http}`, grpcListenAddr: `127.0.0.1:${grpc}` },
    storage: { driver: "disk", disk: { directory, watchForChanges: false } },
    telemetry: { disabled: true },
  };
  await writeFile(file, JSON.stringify(config));
  const [command, parameters] = placed("load", cerbosBinary(), [
    "server",
    "--config",
    file,
    "--log-level=error",
  ]);
  const cerbos = spawn(command, parameters, { stdio: "ignore" });
  const exited = once(cerbos, "exit");
  const url = `http://127.0.0.1:${http}`;
  const stop = async () => {
    cerbos.kill("SIGTERM");
    await exited;
    await folder.remove();
  };
  for (let attempt = 0; attempt < 200 && cerbos.exitCode === null; attempt++) {
    if (await fetch(`${url}/_cerbos/health`).catch(() => null)) return { url, stop };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await stop();
  throw new Error("Cerbos did not start");
}
