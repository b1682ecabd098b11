/**
 * What the bridge is measured against: undici's `dispatch` with a bare handler, one client for each connection, the body
 * as large as what the bridge sends.
 */
import { Client, type Dispatcher } from "undici";
import type { DirectLoad, Measured } from "../measurement.ts";
import { answerJobs } from "./jobs.ts";
import { Run } from "./run.ts";

const HEADERS = ["content-type", "application/json", "accept", "application/json", "user-agent", "bench"];
const AFTER_DIGITS =
  '@example.net","recipient":"someone@example.org","client_address":"192.0.2.17","client_name":"mail.example.net","size":12345}';

let asked = 1_000_000_000;

class Caller implements Dispatcher.DispatchHandler {
  readonly client: Client;
  readonly #run: Run<Caller>;
  #startedAt = 0;

  constructor(load: DirectLoad, run: Run<Caller>) {
    this.client = new Client(load.origin, { pipelining: 1 });
    this.#run = run;
  }

  start(arrivedAt: number): void {
    this.#startedAt = arrivedAt;
    const body = `{"user":"","sender":"u${asked++}${AFTER_DIGITS}`;
    this.client.dispatch({ method: "POST", path: "/check", headers: HEADERS, body }, this);
  }

  onRequestStart(): void {}

  onResponseStart(): void {}

  onResponseData(): void {}

  onResponseEnd(): void {
    this.#run.end(this, this.#startedAt, "");
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.#run.end(this, this.#startedAt, error.message);
    this.#run.lose(this);
  }
}

async function measure(load: DirectLoad): Promise<Measured> {
  const run = new Run<Caller>(load, {
    processorTimes: () =>
      new Map([[process.pid, process.cpuUsage().user / 1e6 + process.cpuUsage().system / 1e6]]),
    busiest: (before, after) => after.get(process.pid)! - before.get(process.pid)!,
    memory: () => process.memoryUsage.rss() / 1024 / 1024,
  });
  const callers = Array.from({ length: load.connections }, () => new Caller(load, run));
  const measured = await run.measure(callers);
  await Promise.all(callers.map(({ client }) => client.destroy()));
  return measured;
}

answerJobs(measure);
