/** Several worker processes: who answers, and what becomes of it all when one of them, or all, or the first process ends. */
import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { childrenOf } from "../bench/usage.ts";
import type { PolicyClient } from "../support/policy-client.ts";
import { Program, run, Site, until } from "./program.ts";
import { ANY_PORT, GATE, heldService, permitting } from "./services.ts";
import { decider, gone, isAlive, REQUEST, supervised, supervisedAt } from "./workers.ts";

const REPLACED = "a worker process has ended and is replaced; its connections are lost";

async function connections(bridge: Program, count: number): Promise<PolicyClient[]> {
  return Promise.all(Array.from({ length: count }, () => bridge.connect()));
}

/** How many of the connections each process has. */
async function spread(clients: readonly PolicyClient[]): Promise<Map<number, number>> {
  const counts = new Map<number, number>();
  for (const pid of await Promise.all(clients.map(decider))) counts.set(pid, (counts.get(pid) ?? 0) + 1);
  return counts;
}

describe("workers: 2", () => {
  it("spreads connections evenly, and the first process answers none", async () => {
    const { bridge, status } = await supervised();
    const counts = await spread(await connections(bridge, 100));
    // One may have been a little ahead in taking over what was handed to it.
    for (const count of counts.values()) expect(count).toBeGreaterThanOrEqual(40);
    expect(counts.has(bridge.child.pid!)).toBe(false);
    const { workers = [], listeners } = await status();
    expect(workers.map(({ connections }) => connections).toSorted()).toEqual([...counts.values()].toSorted());
    expect(listeners).toMatchObject([{ connections: 100, requests: 100 }]);
    expect(bridge.log.filter(({ msg }) => msg === "started")).toMatchObject([{ workers: 2 }]);
  });

  it("takes connections on a unix socket, and answers a client that has shut down its writing side", async () => {
    const site = await Site.create({});
    const endpoint = `unix:${site.path("policy")}`;
    await site.write("pfxbridge.yaml", { listen: [endpoint], workers: 2, routes: [{ action: "WARN one" }] });
    const bridge = await Program.serve(site);
    for (let count = 0; count < 4; count++) {
      const client = await bridge.connect();
      client.socket.end(
        `${Object.entries(REQUEST)
          .map(([name, value]) => `${name}=${value}\n`)
          .join("")}\n`,
      );
      expect(await client.untilClosed()).toBe("action=WARN one\n\n");
    }
    bridge.signal("SIGTERM");
    expect(await bridge.ended).toBe(0);
    await expect(readFile(site.path("policy"))).rejects.toThrow(/ENOENT/);
  });

  it("is one process with workers: 1, and a whole number or auto in any case", async () => {
    const site = await Site.create({
      "pfxbridge.yaml": { listen: ANY_PORT, workers: 1, routes: [{ action: "WARN one" }] },
    });
    const bridge = await Program.serve(site);
    const children = `/proc/${bridge.child.pid}/task/${bridge.child.pid}/children`;
    expect((await readFile(children, "utf8")).trim()).toBe("");
    await site.write("pfxbridge.yaml", { workers: "many" });
    const { status, stderr } = await run(["check", "-c", site.config]);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringContaining("expected a number from 1 to 256, or auto"),
    });
  });
});

describe("a worker that is killed", () => {
  it("is replaced; other connections live on, and the new one gets the next", async () => {
    const { bridge, workers } = await supervised();
    const clients = await connections(bridge, 10);
    const [killed = 0, other = 0] = await workers();
    const owners = await Promise.all(clients.map(decider));
    process.kill(killed, "SIGKILL");
    expect(await bridge.logged({ msg: REPLACED })).toMatchObject({
      worker_pid: killed,
      how: "signal SIGKILL",
      connections: 5,
    });
    await until("the end of its connections", () => clients.filter(({ closed }) => closed).length === 5);
    const living = clients.filter((_, index) => owners[index] === other);
    expect([...(await spread(living))]).toEqual([[other, 5]]);

    const replacement = await until("the replacement", async () =>
      (await workers()).find((pid) => pid !== killed && pid !== other),
    );
    // It has the fewest.
    await until("its first connection", async () => (await decider(await bridge.connect())) === replacement);
    expect(bridge.log.filter(({ msg }) => msg === REPLACED)).toHaveLength(1);
  });

  it("costs no new connection its answer, also when all of them are killed at once", async () => {
    const { bridge, workers } = await supervised();
    const before = await workers();
    for (const pid of before) process.kill(pid, "SIGKILL");
    await gone(...before);
    const clients = await connections(bridge, 10);
    for (const pid of (await spread(clients)).keys()) expect(before).not.toContain(pid);
    expect(bridge.log.filter(({ msg }) => msg === REPLACED)).toHaveLength(2);
  });

  it("again and again is replaced after longer and longer pauses, which the log tells", async () => {
    const { bridge } = await supervised();
    const workers = () => childrenOf(bridge.child.pid!);
    const pauses: number[] = [];
    let victim = workers()[0]!;
    for (let count = 0; count < 4; count++) {
      const before = workers();
      process.kill(victim, "SIGKILL");
      const killed = performance.now();
      victim = await until("another worker", () => workers().find((pid) => !before.includes(pid)));
      pauses.push(performance.now() - killed);
    }
    const told = bridge.log.filter(({ msg }) => msg === REPLACED).map((line) => line.replaced_in_ms);
    expect(told).toEqual([undefined, 100, 200, 400]);
    for (const [count, pause = 0] of (told as (number | undefined)[]).entries()) {
      expect(pauses[count]).toBeGreaterThanOrEqual(pause - 5);
    }
  });

  it("starts with the configuration in use, whatever its file says by then", async () => {
    const { bridge, site, workers } = await supervised();
    const [killed = 0] = await workers();
    await site.write("pfxbridge.yaml", "nonsense: [");
    process.kill(killed, "SIGKILL");
    await bridge.logged({ msg: REPLACED });
    await until("the replacement", async () => {
      const pids = await spread(await connections(bridge, 4));
      return pids.size === 2 && !pids.has(killed);
    });
  });
});

describe("SIGHUP", () => {
  const LOADED = "configuration loaded again";
  const REFUSED = "configuration not loaded, the old one stays in use";

  it("brings a valid configuration to all workers, while they answer, and is logged once", async () => {
    const { bridge, site, config } = await supervised();
    const clients = await connections(bridge, 10);
    let asking = true;
    const traffic = clients.map(async (client) => {
      const answers: string[] = [];
      while (asking) answers.push(await client.ask(REQUEST));
      return answers;
    });
    await site.write("pfxbridge.yaml", { ...config, routes: [{ action: "WARN two" }] });
    bridge.signal("SIGHUP");
    await bridge.logged({ msg: LOADED });
    for (const client of await connections(bridge, 4)) expect(await client.ask(REQUEST)).toBe("WARN two");
    asking = false;
    for (const answers of await Promise.all(traffic)) {
      expect(answers.every((answer) => answer.startsWith("WARN "))).toBe(true);
    }
    for (const client of clients) expect(await client.ask(REQUEST)).toBe("WARN two");
    expect(bridge.log.filter(({ msg }) => msg === LOADED)).toHaveLength(1);
    expect(bridge.log.filter(({ level }) => level === "error")).toEqual([]);
  });

  it.each([
    [
      "an unknown key",
      { nonsense: 1 },
      { line: expect.any(Number), msg: expect.stringContaining("unknown key") },
    ],
    [
      "a module that only workers import",
      { services: { corp: { url: "http://127.0.0.1:1", mapping: "./broken.mjs" } } },
      { msg: expect.stringContaining("the module cannot be loaded") },
    ],
  ])(
    "leaves the old one where the new one is not valid, and says so once: %s",
    async (_, change, problem) => {
      const { bridge, site, config } = await supervised();
      const clients = await connections(bridge, 4);
      const before = await Promise.all(clients.map(decider));
      await site.write("broken.mjs", "throw new Error('broken');");
      await site.write("pfxbridge.yaml", { ...config, ...change });
      const since = bridge.log.length;
      bridge.signal("SIGHUP");
      await bridge.logged({ msg: REFUSED });
      const errors = bridge.log.slice(since).filter(({ level }) => level === "error");
      expect(errors).toEqual([expect.objectContaining(problem), expect.objectContaining({ msg: REFUSED })]);
      expect(await Promise.all(clients.map(decider))).toEqual(before);
    },
  );

  it("changes the number of workers without ending a connection", async () => {
    const { bridge, site, config, workers } = await supervised();
    const clients = await connections(bridge, 4);
    await site.write("pfxbridge.yaml", { ...config, workers: 3 });
    bridge.signal("SIGHUP");
    await until("a third worker", async () => (await workers()).length === 3);
    const since = bridge.log.length;
    await site.write("pfxbridge.yaml", { ...config, workers: 1 });
    bridge.signal("SIGHUP");
    await bridge.logged({ msg: LOADED }, since);
    expect((await spread(await connections(bridge, 4))).size).toBe(1);
    expect((await spread(clients)).size).toBe(2);
    for (const client of clients) client.end();
    await until("one worker", async () => (await workers()).length === 1);
    expect(bridge.log.filter(({ msg }) => msg === REPLACED)).toEqual([]);
  });

  it("binds a new endpoint, and leaves connections of one that is gone alone", async () => {
    const { bridge, site, config } = await supervised();
    const client = await bridge.connect();
    await decider(client);
    const endpoint = `unix:${site.path("policy")}`;
    await site.write("pfxbridge.yaml", { ...config, listen: [endpoint] });
    bridge.signal("SIGHUP");
    await bridge.logged({ msg: LOADED });
    expect(bridge.endpoints).toEqual([endpoint]);
    expect(await decider(await bridge.connect())).toBeGreaterThan(0);
    expect(await decider(client)).toBeGreaterThan(0);
  });
});

describe("the end", () => {
  async function withHeldCalls(deadline = "5s") {
    const { url, release, waiting } = await heldService();
    const site = await Site.create({ "gate.yaml": GATE });
    await site.write("pfxbridge.yaml", {
      listen: ANY_PORT,
      workers: 2,
      control: `unix:${site.path("control")}`,
      services: { corp: { url, mapping: "./gate.yaml", timeout: deadline, deadline } },
    });
    const bridge = await Program.serve(site);
    const { workers } = supervisedAt(site, bridge);
    const pids = await workers();
    const answers = (await connections(bridge, 4)).map((client, index) =>
      client.ask({ ...REQUEST, sender: `${index}@example.net` }),
    );
    await until("the calls", () => waiting() === 4);
    return { bridge, pids, answers, release };
  }

  it.each(["SIGTERM", "SIGINT"] as const)(
    "by %s comes when what is in flight is answered, with status 0",
    async (signal) => {
      const { bridge, pids, answers, release } = await withHeldCalls();
      bridge.signal(signal);
      await bridge.logged({ msg: "stopping: answering what is in flight" });
      await expect(bridge.connect()).rejects.toThrow(/ECONNREFUSED/);
      release();
      expect(await Promise.all(answers)).toEqual(["DUNNO", "DUNNO", "DUNNO", "DUNNO"]);
      expect(await bridge.ended).toBe(0);
      await gone(...pids);
      expect(bridge.log.filter(({ msg }) => msg === "stopped")).toHaveLength(1);
      expect(bridge.log.filter(({ msg }) => msg === REPLACED)).toEqual([]);
    },
  );

  it("of the first process by kill -9 is the end of its workers, when they have answered what is in flight", async () => {
    const { bridge, pids, answers, release } = await withHeldCalls();
    bridge.signal("SIGKILL");
    await until("the end of the first process", () => !bridge.alive);
    release();
    expect(await Promise.all(answers)).toEqual(["DUNNO", "DUNNO", "DUNNO", "DUNNO"]);
    await gone(...pids);
  });

  it("comes within the deadline and a second for a service that never answers", async () => {
    const { bridge, pids, answers } = await withHeldCalls("3s");
    const begin = performance.now();
    bridge.signal("SIGTERM");
    expect(await bridge.ended).toBe(0);
    expect(performance.now() - begin).toBeLessThan(3000 + 1000 + 1500);
    for (const answer of await Promise.all(answers)) expect(answer).toMatch(/^DEFER/);
    expect(pids.filter(isAlive)).toEqual([]);
  });
});

it("a bridge whose workers cannot start does not start, and says why once", async () => {
  const site = await Site.create({
    "pfxbridge.yaml": {
      listen: ANY_PORT,
      workers: 2,
      services: { corp: { url: "http://127.0.0.1:1", mapping: "./broken.mjs" } },
    },
    "broken.mjs": "throw new Error('broken');",
  });
  const { status, stdout, stderr } = await run(["serve", "-c", site.config]);
  expect(status).toBe(1);
  expect(stderr.match(/the module cannot be loaded: Error: broken/g)).toHaveLength(1);
  expect(stdout.match(/"msg":"not started"/g)).toHaveLength(1);
});

it("workers have no secret in their environment, and know it all the same", async () => {
  const wanted = await permitting();
  const site = await Site.create({
    "who.mjs": `export const toRequest = () => ({ path: "/" });
    export const toAction = () => "WARN " + (process.env.CORP_TOKEN ?? "none") + process.env.OTHER;`,
  });
  const corp = { url: wanted.url, mapping: "./who.mjs", auth: { bearer: { env: "CORP_TOKEN" } } };
  await site.write("pfxbridge.yaml", { listen: ANY_PORT, workers: 2, services: { corp } });
  const env = { CORP_TOKEN: "t0ken-of-corp", OTHER: "-other" };
  const bridge = new Program(["serve", "-c", site.config], { env });
  await bridge.logged({ msg: "started" });
  expect(await bridge.ask(REQUEST)).toBe("WARN none-other");
  expect(wanted.calls[0]?.headers.authorization).toBe("Bearer t0ken-of-corp");
});
