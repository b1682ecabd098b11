/** Several processes, one log: every line whole, and what is said once said once. */
import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { formatRequest } from "../support/policy-client.ts";
import { logLines, Program, Site, until } from "./program.ts";
import { ANY_PORT, service } from "./services.ts";
import { REQUEST } from "./workers.ts";

const CLIENTS = 4;
const EACH = 1000;

/** Requests whose lines are short, long, longer than a write to a pipe, and not only ASCII. */
function requests(client: number): string {
  return Array.from({ length: EACH }, (_, number) => {
    const sender = "ü".repeat([1, 300, 700, 3000][number % 4]!);
    return formatRequest({ ...REQUEST, sender, queue_id: `${client}-${number}` });
  }).join("");
}

async function askAll(bridge: Program, endpoint?: string): Promise<void> {
  await Promise.all(
    Array.from({ length: CLIENTS }, async (_, client) => {
      const connection = await bridge.connect(endpoint);
      connection.write(requests(client));
      await connection.answers(EACH, 15_000);
    }),
  );
}

function expectAll(lines: readonly Readonly<Record<string, unknown>>[]): void {
  const decisions = lines.filter(({ msg }) => msg === "decision");
  expect(new Set(decisions.map(({ queue_id }) => queue_id)).size).toBe(CLIENTS * EACH);
  expect(decisions).toHaveLength(CLIENTS * EACH);
  expect(decisions.filter(({ shortened }) => shortened === true).length).toBe((CLIENTS * EACH) / 4);
}

describe("lines of two workers under load are whole", () => {
  const config = { listen: ANY_PORT, workers: 2, routes: [{ action: "DUNNO" }] };

  it("on standard output, a pipe", async () => {
    const bridge = await Program.serve(await Site.create({ "pfxbridge.yaml": config }));
    await askAll(bridge);
    // Whoever reads this log is slower than two workers; at the end lines do not wait for ever.
    await until("the last lines", () => bridge.stdout.split('"decision"').length > CLIENTS * EACH);
    bridge.signal("SIGTERM");
    expect(await bridge.ended).toBe(0);
    expectAll(logLines(bridge.stdout));
  });

  it("in a file", async () => {
    const site = await Site.create({});
    const endpoint = `unix:${site.path("policy")}`;
    await site.write("pfxbridge.yaml", { ...config, listen: [endpoint], log: { file: "log" } });
    const bridge = new Program(["serve", "-c", site.config]);
    const log = async () => logLines(await readFile(site.path("log"), "utf8").catch(() => ""));
    await until("the start", async () => (await log()).some(({ msg }) => msg === "started"));
    await askAll(bridge, endpoint);
    bridge.signal("SIGTERM");
    expect(await bridge.ended).toBe(0);
    expectAll(await log());
  });
});

it("a circuit that opens is logged by the worker whose it is", async () => {
  const { url } = await service(() => ({ status: 503 }));
  const corp = { url, mapping: "rest", retry: { attempts: 1 }, breaker: { minimum_calls: 2 } };
  const site = await Site.create({
    "pfxbridge.yaml": { listen: ANY_PORT, workers: 2, services: { corp } },
  });
  const bridge = await Program.serve(site);
  for (const client of [await bridge.connect(), await bridge.connect()]) {
    for (let count = 0; count < 3; count++) await client.ask({ ...REQUEST, sender: `${count}@example.net` });
  }
  const opened = await until("both circuits", () => {
    const lines = bridge.log.filter(({ state }) => state === "open");
    return lines.length === 2 ? lines : undefined;
  });
  expect(opened.map(({ worker }) => worker).sort()).toEqual([1, 2]);
});
