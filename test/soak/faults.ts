/**
 * What befalls the bridge during a run of so many seconds, and what its administrator does meanwhile:
 *
 *     a worker killed every 20 s, in the middle of a rush      the service killed and started four times
 *     Redis killed and started twice                          reloads, of which one in five is invalid
 *     senders revoked, at the service and by `forget`          twice offline by hand, and online
 *
 * In one of the outages everything meets: senders are revoked while the service is away, then Redis loses what it was
 * told last, then a worker begins anew with what Redis knows. A shorter run has the same, closer together.
 */
import type { RedisServer } from "../support/redis.ts";
import type { Authorization } from "./authorization.ts";
import type { Bridge } from "./bridge.ts";
import { during, type History } from "./history.ts";
import { type Load, REGULARS, regular } from "./load.ts";

/** Clients that come at the moment when a worker is killed. */
const RUSH = 20;
/** Senders that are revoked when everything meets: not each has been remembered. */
const FORGOTTEN_AT_ONCE = 3;
/** One of so many reloads. */
const INVALID = 5;

export class Faults {
  readonly #seconds: number;
  readonly #bridge: Bridge;
  readonly #service: Authorization;
  readonly #redis: RedisServer;
  readonly #load: Load;
  readonly #history: History;
  readonly #end: number;
  #reloads = 0;
  #revoked = 0;

  constructor(
    seconds: number,
    around: { bridge: Bridge; service: Authorization; redis: RedisServer; load: Load; history: History },
  ) {
    this.#seconds = seconds;
    this.#bridge = around.bridge;
    this.#service = around.service;
    this.#redis = around.redis;
    this.#load = around.load;
    this.#history = around.history;
    this.#end = performance.now() + seconds * 1000;
  }

  /** Resolves when the run is over, and everything is there again. */
  async run(): Promise<void> {
    const outage = between(3, this.#seconds / 60, 10);
    this.#history.generations.push({ number: 1, from: 0, to: Number.POSITIVE_INFINITY });
    await Promise.all([
      this.#every(between(10, this.#seconds / 6, 20), () => this.#killWorker()),
      this.#every(Math.max(4, this.#seconds / 60), () => this.#revoke()),
      this.#every(between(5, this.#seconds / 12, 20), () => this.#reload()),
      ...[0.15, 0.35, 0.85].map((part) => this.#at(part, () => this.#withoutService(outage))),
      this.#at(0.25, () => this.#withoutRedis(outage)),
      ...[0.43, 0.74].map((part) => this.#at(part, () => this.#offline(outage))),
      this.#at(0.58, () => this.#allAtOnce(outage)),
    ]);
  }

  async #killWorker(): Promise<void> {
    const [oldest] = this.#bridge.workers();
    if (oldest === undefined) return;
    this.#load.rush(RUSH);
    await sleep(Math.random() * 0.005);
    this.#history.kills.push(Date.now());
    this.#history.count("workers killed");
    process.kill(oldest, "SIGKILL");
  }

  async #withoutService(seconds: number, meanwhile: () => Promise<void> = async () => {}): Promise<void> {
    const span = this.#history.begin(this.#history.serviceAway);
    this.#history.count("service killed");
    await this.#service.kill();
    await Promise.all([sleep(seconds), meanwhile()]);
    await this.#service.start();
    this.#history.end(span);
  }

  async #withoutRedis(seconds: number): Promise<void> {
    const span = this.#history.begin(this.#history.redisAway);
    this.#history.count("Redis killed");
    await this.#redis.kill();
    await sleep(seconds);
    await this.#redis.start();
    this.#history.end(span);
  }

  async #allAtOnce(seconds: number): Promise<void> {
    await this.#withoutService(seconds, async () => {
      this.#redis.cli("SAVE");
      for (let sender = 0; sender < FORGOTTEN_AT_ONCE; sender++) await this.#revoke();
      await this.#withoutRedis(1);
      await sleep(1.5);
      await this.#killWorker();
      await sleep(seconds);
    });
  }

  /** A sender must not send any more: the service is told, then the bridge forgets. It is tried until that is confirmed. */
  async #revoke(): Promise<void> {
    if (this.#revoked >= REGULARS) return;
    const number = this.#revoked++;
    const sender = regular(number);
    const revocation = { asked: Date.now(), done: Number.POSITIVE_INFINITY };
    this.#history.revocations.set(sender, revocation);
    await this.#service.revoke(sender);
    const user = sender.split("@")[0];
    const which = number % 2 === 0 ? `sender=${sender}` : `sasl_username=${user}`;
    while (performance.now() < this.#end) {
      const from = Date.now();
      const { problem } = await this.#bridge.command("forget", which);
      const to = Date.now();
      if (problem === undefined) {
        revocation.done = to;
        this.#history.count("senders forgotten");
        return;
      }
      if (!during(this.#history.redisAway, from, to, 2000)) this.#history.problems.push(problem);
      await sleep(0.5);
    }
  }

  async #reload(): Promise<void> {
    const { generations } = this.#history;
    const current = generations.at(-1)!;
    if (++this.#reloads % INVALID === 2) {
      this.#history.count("invalid reloads");
      const isRefused = await this.#bridge.reloadInvalid(current.number);
      if (!isRefused) this.#history.problems.push("an invalid configuration was not refused");
      return;
    }
    this.#history.count("reloads");
    const next = { number: current.number + 1, from: Date.now(), to: Number.POSITIVE_INFINITY };
    generations.push(next);
    if (await this.#bridge.reload(next.number)) current.to = Date.now();
    else this.#history.problems.push("a valid configuration was not loaded");
  }

  async #offline(seconds: number): Promise<void> {
    this.#history.count("offline by hand");
    const span = this.#history.begin(this.#history.offline);
    const { problem } = await this.#bridge.command("offline", "soak", "--for", "1h");
    if (problem !== undefined) this.#history.problems.push(problem);
    const noCalls = this.#history.begin(this.#history.noCalls);
    await sleep(seconds);
    this.#history.end(noCalls);
    const back = await this.#bridge.command("online", "soak");
    if (back.problem !== undefined) this.#history.problems.push(back.problem);
    this.#history.end(span);
  }

  /** Again and again, the next no sooner than the last is done. */
  async #every(seconds: number, work: () => Promise<void>): Promise<void> {
    for (;;) {
      const next = Math.min(performance.now() + seconds * 1000, this.#end);
      await sleep((next - performance.now()) / 1000);
      // Nothing new just before the end.
      if (this.#end - performance.now() < 2000) return;
      await work();
    }
  }

  async #at(part: number, work: () => Promise<void>): Promise<void> {
    await sleep(part * this.#seconds);
    await work();
  }
}

function between(least: number, wanted: number, most: number): number {
  return Math.min(Math.max(wanted, least), most);
}

function sleep(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(seconds, 0) * 1000));
}
