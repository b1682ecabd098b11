/** A bridge with worker processes, whose answers tell which of them has decided. */
import type { Status } from "../../src/control/controls.ts";
import type { PolicyClient } from "../support/policy-client.ts";
import { Program, run, Site, until } from "./program.ts";
import { ANY_PORT, permitting } from "./services.ts";

export const REQUEST = {
  request: "smtpd_access_policy",
  sender: "a@example.net",
  recipient: "b@example.org",
};

/** Answers with the process that decides. */
const WHO = `export const toRequest = () => ({ path: "/", body: "{}" });
  export const toAction = () => "WARN " + process.pid;`;

export interface Supervised {
  readonly site: Site;
  readonly bridge: Program;
  /** What its configuration was, to be changed. */
  readonly config: Readonly<Record<string, unknown>>;
  command(
    name: string,
    ...args: string[]
  ): Promise<{ status: number | null; stdout: string; stderr: string }>;
  status(): Promise<Status>;
  /** The workers' process ids. */
  workers(): Promise<number[]>;
}

/** Two workers; `more` are keys of the configuration. */
export async function supervised(more: Readonly<Record<string, unknown>> = {}): Promise<Supervised> {
  const { url } = await permitting();
  const site = await Site.create({ "who.mjs": WHO });
  const config = {
    listen: ANY_PORT,
    workers: 2,
    control: `unix:${site.path("control")}`,
    services: { corp: { url, mapping: "./who.mjs" } },
    ...more,
  };
  await site.write("pfxbridge.yaml", config);
  return { ...supervisedAt(site, await Program.serve(site)), config };
}

export function supervisedAt(site: Site, bridge: Program): Omit<Supervised, "config"> {
  const command = (name: string, ...args: string[]) => run([name, "-c", site.config, ...args]);
  const status = async () => JSON.parse((await command("status", "--json")).stdout) as Status;
  const workers = async () => ((await status()).workers ?? []).map(({ pid }) => pid);
  return { site, bridge, command, status, workers };
}

/** Which process decides on this connection. */
export async function decider(client: PolicyClient): Promise<number> {
  return Number((await client.ask(REQUEST)).replace("WARN ", ""));
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

export function gone(...pids: number[]): Promise<true> {
  return until("the end of the processes", () => pids.every((pid) => !isAlive(pid)) || undefined);
}
