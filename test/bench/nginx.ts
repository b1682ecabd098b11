/** The service that is asked: nginx where it is installed, which costs next to nothing; else plain Node. */
import { spawn, spawnSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "../support/temporary.ts";
import { Child } from "./child.ts";
import { placed } from "./cores.ts";
import { PERMIT } from "./permit.ts";

export interface PermittingService {
  readonly kind: "nginx" | "node";
  readonly origin: string;
  /** Speaks HTTP/2 without TLS, on a port of its own. */
  readonly http2Origin: string | null;
  stop(): void;
}

/** @param folder for nginx's own files */
export async function startService(folder: string): Promise<PermittingService> {
  if (spawnSync("nginx", ["-v"]).status !== 0) return startNode();
  const [port, http2Port] = [await freePort(), await freePort()];
  await mkdir(join(folder, "nginx"));
  const config = join(folder, "nginx", "nginx.conf");
  await writeFile(config, configuration(join(folder, "nginx"), port, http2Port));
  const [command, parameters] = placed("load", "nginx", ["-p", join(folder, "nginx"), "-c", config]);
  const nginx = spawn(command, parameters, { stdio: ["ignore", "inherit", "inherit"] });
  nginx.once("error", () => {});
  const origin = `http://127.0.0.1:${port}`;
  for (let attempt = 0; attempt < 100 && nginx.exitCode === null; attempt++) {
    const reply = await fetch(`${origin}/check`, { method: "POST" }).catch(() => null);
    if (reply?.ok) {
      const http2Origin = `http://127.0.0.1:${http2Port}`;
      return { kind: "nginx", origin, http2Origin, stop: () => nginx.kill("SIGTERM") };
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  nginx.kill("SIGTERM");
  return startNode();
}

async function startNode(): Promise<PermittingService> {
  const child = new Child("load", "service", "permit");
  const origin = `http://127.0.0.1:${await child.port()}`;
  return { kind: "node", origin, http2Origin: null, stop: () => child.stop() };
}

/** One process, no log, connections for ever. */
function configuration(folder: string, port: number, http2Port: number): string {
  return `
daemon off;
master_process off;
worker_processes 1;
pid ${folder}/pid;
error_log stderr crit;
worker_rlimit_nofile 16384;
events { worker_connections 8192; }
http {
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  default_type application/json;
  server { listen 127.0.0.1:${port} backlog=4096; location / { return 200 '${PERMIT}'; } }
  server { listen 127.0.0.1:${http2Port} http2; location / { return 200 '${PERMIT}'; } }
}
`;
}
