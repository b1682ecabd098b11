/** Workers that are killed, that stop, or that have lost their supervisor: nobody waits for an answer that never comes. */
import { execFileSync } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { PolicyClient } from "../support/policy-client.ts";
import { type Program, until } from "./program.ts";
import { decider, gone, isAlive, REQUEST, supervised } from "./workers.ts";

/** As long as the longest decision of these configurations may take, in milliseconds. */
const DEADLINE = 3000;
/** The machine may be busy. */
const MORE = 2000;

const SILENT = "a worker process has said nothing for 3 s and is ended";

async function descriptors(pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`)).length;
}

/** Processes that it has started, ready or not. */
async function children(pid: number): Promise<number[]> {
  const pids = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  return pids.split(" ").filter(Boolean).map(Number);
}

/** An answer, or the end of the connection, which has Postfix connect again; in time. */
async function outcome(client: PolicyClient): Promise<"answered" | "closed"> {
  try {
    await client.ask(REQUEST);
    return "answered";
  } catch (error) {
    if (!client.closed) throw error;
    return "closed";
  }
}

async function connected(bridge: Program, count: number): Promise<PolicyClient[]> {
  return Promise.all(Array.from({ length: count }, () => bridge.connect()));
}

describe("a worker that is killed under load", () => {
  it("leaves no connection without an answer or an end, and the first process has no more descriptors than before", async () => {
    const { bridge, workers } = await supervised();
    const supervisor = bridge.child.pid!;
    const before = await descriptors(supervisor);
    let isAsking = true;
    let hung = 0;
    const counts = { answered: 0, closed: 0 };
    const load = Array.from({ length: 8 }, async () => {
      while (isAsking) {
        const client = await bridge.connect();
        try {
          counts[await outcome(client)]++;
        } catch {
          hung++;
        }
        client.end();
      }
    });
    for (let kill = 0; kill < 6; kill++) {
      const [victim = 0] = await until("workers", async () => {
        const found = await workers();
        return found.length === 2 ? found : undefined;
      });
      // Killed while it is not looking: what is on its way to it never arrives.
      process.kill(victim, "SIGSTOP");
      await pause(50);
      process.kill(victim, "SIGKILL");
      await gone(victim);
    }
    isAsking = false;
    await Promise.all(load);
    expect(hung).toBe(0);
    expect(counts.answered).toBeGreaterThan(0);
    await until("both workers", async () => (await workers()).length === 2);
    await until("the descriptors", async () => (await descriptors(supervisor)) <= before);
  }, 60_000);

  it("again and again, each time with all the others, holds up no connection beyond the deadline", async () => {
    const { bridge } = await supervised();
    for (let kill = 0; kill < 9; kill++) {
      const pids = await until("workers", async () => {
        const found = await children(bridge.child.pid!);
        return found.length > 0 ? found : undefined;
      });
      for (const pid of pids) process.kill(pid, "SIGKILL");
      await gone(...pids);
      const begin = performance.now();
      await outcome(await bridge.connect());
      expect(performance.now() - begin).toBeLessThan(DEADLINE + MORE);
    }
  }, 60_000);
});

describe("a worker that cannot be started", () => {
  it("for want of file descriptors is told of once each time, and is there when there are some again", async () => {
    const { bridge, workers } = await supervised();
    const supervisor = bridge.child.pid!;
    const [victim = 0, other] = await workers();
    const open = new Set(await readdir(`/proc/${supervisor}/fd`));
    let lowest = 0;
    while (open.has(String(lowest))) lowest++;
    const limit = (files: number) =>
      execFileSync("prlimit", ["--pid", String(supervisor), `--nofile=${files}:`]);
    limit(lowest);
    process.kill(victim, "SIGKILL");
    await until("the attempt", () => bridge.log.some(({ how }) => /EMFILE/.test(String(how))));
    limit(1000);
    await until("both workers", async () => {
      const found = await workers();
      return found.length === 2 && found.includes(other!) && !found.includes(0);
    });
    expect(bridge.log.filter(({ msg }) => /could not load/.test(String(msg)))).toEqual([]);
  });
});

describe("a worker that stops", () => {
  it("is ended and replaced after some seconds; its connections end, and new ones are answered meanwhile", async () => {
    const { bridge, workers } = await supervised();
    const clients = await connected(bridge, 10);
    const [stopped = 0, other = 0] = await workers();
    const owners = await Promise.all(clients.map(decider));
    process.kill(stopped, "SIGSTOP");
    const lost = clients.filter((_, index) => owners[index] === stopped);
    expect(lost).toHaveLength(5);
    for (const client of lost) client.write("sender=a@example.net\n\n");
    // One of these may have been on its way to it.
    const outcomes = await Promise.all((await connected(bridge, 6)).map(outcome));
    expect(outcomes.filter((one) => one === "closed").length).toBeLessThanOrEqual(1);
    for (const client of lost) expect(await client.untilClosed(10_000)).toMatch(/^action=WARN \d+\n\n$/);
    await gone(stopped);
    expect(await bridge.logged({ msg: SILENT })).toMatchObject({
      worker_pid: stopped,
    });
    const living = clients.filter((_, index) => owners[index] === other);
    for (const client of living) expect(await decider(client)).toBe(other);
  });

  it("is not one that was not listened to", async () => {
    const { bridge, workers } = await supervised();
    const before = await workers();
    bridge.signal("SIGSTOP");
    await pause(4000);
    bridge.signal("SIGCONT");
    await pause(1500);
    expect(await workers()).toEqual(before);
  });

  it("in an endless loop of a module is ended, too", async () => {
    const { bridge, site, config } = await supervised();
    await site.write(
      "loop.mjs",
      `export const toRequest = ({ sender }) => { while (sender === "loop@example.net"); return { path: "/" }; };
       export const toAction = () => "DUNNO";`,
    );
    const services = config.services as { corp: object };
    await site.write("pfxbridge.yaml", {
      ...config,
      services: { corp: { ...services.corp, mapping: "./loop.mjs" } },
    });
    bridge.signal("SIGHUP");
    await bridge.logged({ msg: "configuration loaded again" });
    const client = await bridge.connect();
    client.write("sender=loop@example.net\n\n");
    await bridge.logged({ msg: SILENT });
    expect(await client.untilClosed()).toBe("");
  });
});

describe("without its supervisor a worker ends", () => {
  it("though nobody reads its log", async () => {
    const { bridge, workers } = await supervised({ log: { level: "debug" } });
    const pids = await workers();
    const client = await bridge.connect();
    await client.ask(REQUEST);
    bridge.child.stdout!.pause();
    // More than a pipe holds.
    client.write(`sender=${"x".repeat(400)}@example.net\n\n`.repeat(3000));
    await pause(500);
    bridge.signal("SIGKILL");
    await until("their end", () => pids.every((pid) => !isAlive(pid)) || undefined);
  });
});
