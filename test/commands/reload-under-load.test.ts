/**
 * 200 reloads while 50 connections ask without end, one reload in five of an invalid configuration: no connection is lost, no
 * answer is wrong, and what the process holds stays as it is.
 *
 * Each configuration's answers bear its number. Right is the number of a configuration that was in use at a moment between
 * question and answer, or was being loaded then.
 */
import { setTimeout as pause } from "node:timers/promises";
import { expect, it } from "vitest";
import { askControl } from "../../src/control/client.ts";
import { descriptorsOf, memoryOf } from "../bench/usage.ts";
import { Program, Site, until } from "./program.ts";
import { service } from "./services.ts";

const CONNECTIONS = 50;
const RELOADS = 200;
/** One in so many is invalid. */
const INVALID = 5;
/** Between an answer and the next question of a connection, in milliseconds: reloads have to get on too. */
const BREATH = 10;
/** Reloads until code is compiled and the heap has its size. */
const WARM_UP = 80;
/** In MB: so that memory tells what is kept rather than what has not been collected yet. */
const HEAP = 64;
/** What passes by chance, in MB. */
const NOISE = 15;
/** Looks that are held against those before them. */
const LAST = 60;

it("loses no connection, answers none wrongly and holds no more after 200 reloads", async () => {
  const corp = await service(async () => {
    await pause(2); // so that each reload finds decisions in flight
    return { body: { allowed: true } };
  });
  const site = await Site.create({});
  const policy = `unix:${site.path("policy")}`;
  const control = { endpoint: { kind: "unix", path: site.path("control") } } as const;
  const rule = (number: number) => ({
    request: { method: "POST", path: "/check", json: { sender: "${sender}" } },
    response: [{ when: "body.allowed == true", action: `PREPEND X-Generation: ${number}` }],
  });
  await site.write("gate.yaml", rule(0));
  await site.write("pfxbridge.yaml", {
    listen: [policy],
    control: `unix:${site.path("control")}`,
    services: { corp: { url: corp.url, mapping: "./gate.yaml" } },
    log: { file: "log", level: "warn" },
  });
  const bridge = new Program(["serve", "-c", site.config], {
    env: { NODE_OPTIONS: `--max-old-space-size=${HEAP}` },
  });
  await until("the start", () => bridge.connect(policy).catch(() => undefined));
  const pid = bridge.child.pid ?? 0;

  /** What was in use last for certain, and what may be in use already. */
  const inUse = { certain: 0, possible: 0 };
  const wrong: string[] = [];
  let isOver = false;
  let answers = 0;
  const connection = async (number: number) => {
    const client = await bridge.connect(policy);
    while (!isOver) {
      const from = inUse.certain;
      client.received = "";
      const action = await client.ask({
        request: "smtpd_access_policy",
        sender: `s${number}@example.net`,
        recipient: "b@example.org",
        client_address: `192.0.2.${number}`,
      });
      answers += 1;
      const [, shown] = /^PREPEND X-Generation: (\d+)$/.exec(action) ?? [];
      if (shown === undefined || Number(shown) < from || Number(shown) > inUse.possible)
        wrong.push(`${action}, where ${from} to ${inUse.possible} were in use`);
      await pause(BREATH);
    }
    expect(client.closed).toBe(false);
  };
  const connections = Promise.all(Array.from({ length: CONNECTIONS }, (_, n) => connection(n + 1)));
  // A connection that is lost ends the reloads too.
  const broken = connections.then(
    () => {},
    (error: unknown) => {
      isOver = true;
      throw error;
    },
  );

  const held = { memory: [] as number[], descriptors: [] as number[] };
  const reload = async () =>
    askControl(control, { method: "POST", path: "/v1/reload", body: { by: "test" } });
  const reloads = async () => {
    for (let number = 1; number <= RELOADS && !isOver; number++) {
      const since = answers;
      const isInvalid = number % INVALID === 0;
      await site.write("gate.yaml", isInvalid ? { ...rule(number), respond: [] } : rule(number));
      if (!isInvalid) inUse.possible = number;
      expect(await reload()).toMatchObject({ loaded: !isInvalid });
      if (!isInvalid) inUse.certain = number;
      held.memory.push(memoryOf(pid));
      held.descriptors.push(descriptorsOf(pid));
      await until("answers between two reloads", () => isOver || answers > since || undefined);
    }
    isOver = true;
  };
  await Promise.all([broken, reloads()]);

  expect(wrong.slice(0, 5)).toEqual([]);
  expect(answers).toBeGreaterThan(RELOADS);
  expect(corp.calls.length).toBeGreaterThanOrEqual(answers);
  expect(bridge.alive).toBe(true);
  expect(lowerQuartile(held.memory.slice(-LAST))).toBeLessThan(
    lowerQuartile(held.memory.slice(WARM_UP, -LAST)) + NOISE,
  );
  // Connections to the service come and go with each configuration; those of Postfix stay.
  expect(lowerQuartile(held.descriptors.slice(-LAST))).toBeLessThanOrEqual(
    lowerQuartile(held.descriptors.slice(WARM_UP, -LAST)) + CONNECTIONS / 2,
  );
}, 60_000);

function lowerQuartile(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 2] ?? 0;
}
