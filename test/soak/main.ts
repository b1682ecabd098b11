/**
 * `npm run soak`: ten minutes of mail, failures, kills and restarts, each answer proved; `npm run soak -- 1` for one
 * minute. Lists what was wrong; exit status 1 if anything was, 2 for wrong usage.
 *
 * Needs redis-server, and Linux for what it reads of processes.
 */
import { parseArgs } from "node:util";
import { startRedis } from "../support/redis.ts";
import { freePort, temporaryFolder } from "../support/temporary.ts";
import { Authorization } from "./authorization.ts";
import { Bridge } from "./bridge.ts";
import { check, type Wrong } from "./checker.ts";
import { DecisionLog } from "./decision-log.ts";
import { Delays } from "./delay.ts";
import { Faults } from "./faults.ts";
import { Flatness } from "./flatness.ts";
import { History } from "./history.ts";
import { leftOver } from "./left-over.ts";
import { Load } from "./load.ts";

const TOKEN = "token-of-the-soak-5b1c";
const SECRET = "signature-of-the-soak-9e7d";
/** Revoked last, so many of whom come more often. */
const RECENT = 5;
/** Of one kind of wrong, so many are shown. */
const SHOWN = 5;
/** What waits in the bridge's log is written by then; in milliseconds. */
const LOGGED = 1000;

const { positionals } = parseArgs({ allowPositionals: true });
const minutes = Number(positionals[0] ?? 10);
if (positionals.length > 1 || !(minutes >= 1 && minutes <= 24 * 60)) {
  console.error("usage: npm run soak -- [MINUTES], at least 1");
  process.exit(2);
}

const ending: (() => unknown)[] = [];
/** What must not go on when this process ends in the middle. */
const killing: (() => void)[] = [];
process.once("exit", () => {
  for (const kill of killing) kill();
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

try {
  const wrongs = await soak(minutes * 60);
  for (const line of report(wrongs)) console.log(line);
  process.exitCode = wrongs.length === 0 ? 0 : 1;
} finally {
  for (const end of ending.reverse()) await end();
}

async function soak(seconds: number): Promise<Wrong[]> {
  const folder = await temporaryFolder();
  ending.push(() => folder.remove());
  const redis = await startRedis();
  ending.push(() => redis.stop());
  killing.push(() => redis.signal("SIGKILL"));
  const service = await Authorization.start(TOKEN);
  ending.push(() => service.kill());
  const log = new DecisionLog([TOKEN, SECRET]);
  const bridge = await Bridge.start(
    {
      folder: folder.path,
      port: await freePort(),
      service: service.port,
      redis: redis.port,
      token: TOKEN,
      secret: SECRET,
    },
    log.add,
  );
  ending.push(() => bridge.kill());
  killing.push(() => void bridge.kill());

  const history = new History();
  const load = new Load(bridge.port, () => [...history.revocations.keys()].slice(-RECENT));
  const delays = new Delays(() => [bridge.pid, ...bridge.workers(), ...(service.pid ? [service.pid] : [])]);
  const flatness = new Flatness(bridge);
  console.log(`soak of ${seconds} s: mail, failures, kills and restarts …`);
  load.start();
  delays.start();
  flatness.start();
  await new Faults(seconds, { bridge, service, redis, load, history }).run();
  flatness.stop();
  await load.stop();
  delays.stop();

  const wrongs = await leftOver(bridge, [service.port, redis.port]);
  const { asked, connections } = load;
  await new Promise((resolve) => setTimeout(resolve, LOGGED));
  const workers = bridge.workers();
  const status = await bridge.stop();
  if (status !== 0) wrongs.push({ what: "did not end at SIGTERM", detail: `exit status ${status}` });
  for (const pid of workers.filter(isAlive)) {
    wrongs.push({ what: "a worker outlived the bridge", detail: String(pid) });
    process.kill(pid, "SIGKILL");
  }
  const delay = (from: number, to: number) => delays.between(from, to);
  wrongs.push(...check({ asked, connections, ledger: service.ledger, log, history, delay }));
  const flat = flatness.judge();
  wrongs.push(...flat.wrongs);
  for (const source of ["upstream", "cache", "stale", "default", "route"]) {
    if (log.sources[source] === undefined) wrongs.push({ what: "nothing to prove", detail: source });
  }
  console.log(
    `${asked.length} requests over ${connections.length} connections; decisions: ${told(log.sources)}`,
  );
  console.log(`${told(history.counts)}; ${service.ledger.calls.length} calls`);
  for (const line of flat.report) console.log(line);
  return wrongs;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function told(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([what, count]) => `${count} ${what}`)
    .join(", ");
}

function report(wrongs: readonly Wrong[]): string[] {
  if (wrongs.length === 0) return ["nothing wrong, nothing late, nothing without an answer"];
  const kinds = new Map<string, string[]>();
  for (const { what, detail } of wrongs) kinds.set(what, [...(kinds.get(what) ?? []), detail]);
  return [...kinds].flatMap(([what, details]) => [
    `WRONG: ${what} (${details.length})`,
    ...details.slice(0, SHOWN).map((detail) => `    ${detail}`),
  ]);
}
