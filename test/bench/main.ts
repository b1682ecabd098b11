/**
 * `npm run bench`: measures the commit at hand and prints the table. `npm run bench -- NAME …` measures these lines only;
 * `-- breakdown` shows where the time of a decision goes.
 *
 * Options: --quick (short rounds), --minute (overload for a minute), --json.
 */
import { parseArgs } from "node:util";
import { temporaryFolder } from "../support/temporary.ts";
import { breakdown } from "./breakdown.ts";
import { UnknownKey } from "./bridge.ts";
import { Child } from "./child.ts";
import { describeCores } from "./cores.ts";
import type { Bench, Line } from "./line.ts";
import { batching } from "./lines/batching.ts";
import { blackhole } from "./lines/blackhole.ts";
import { cost } from "./lines/cost.ts";
import { hostile } from "./lines/hostile.ts";
import { idle } from "./lines/idle.ts";
import { latency } from "./lines/latency.ts";
import { metrics } from "./lines/metrics.ts";
import { overload } from "./lines/overload.ts";
import { remembered } from "./lines/remembered.ts";
import { start } from "./lines/start.ts";
import { storm } from "./lines/storm.ts";
import { http2, pipelining, throughput } from "./lines/throughput.ts";
import { workers } from "./lines/workers.ts";
import { startService } from "./nginx.ts";
import { HEAD, json, type Outcome, row } from "./table.ts";

const LINES: readonly Line[] = [
  throughput,
  pipelining,
  http2,
  remembered,
  latency,
  metrics,
  cost,
  idle,
  blackhole,
  hostile,
  overload,
  start,
  workers,
  storm,
  batching,
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: "boolean" }, minute: { type: "boolean" }, json: { type: "boolean" } },
});
const known = ["breakdown", ...LINES.map(({ name }) => name)];
const unknown = positionals.find((name) => !known.includes(name));
if (unknown !== undefined) {
  console.error(`no line of the table is named ${unknown}; there are: ${known.join(", ")}`);
  process.exit(2);
}

const folder = await temporaryFolder();
const service = await startService(folder.path);
const load = new Child("load", "policy-load");
const direct = new Child("bridge", "direct-load");
const bench: Bench = {
  service,
  load: (job) => load.work(job),
  direct: (job) => direct.work(job),
  rounds: values.quick ? 3 : 5,
  seconds: values.quick ? 0.6 : 2.5,
  warmup: values.quick ? 0.4 : 1,
  overload: values.minute ? 60 : 10,
};
try {
  if (positionals.includes("breakdown")) await breakdown(bench);
  else await table(LINES.filter(({ name }) => positionals.length === 0 || positionals.includes(name)));
} finally {
  load.stop();
  direct.stop();
  service.stop();
  await folder.remove();
}

async function table(lines: readonly Line[]): Promise<void> {
  if (!values.json) {
    console.log(`Node ${process.version}; ${describeCores()}; service: ${service.kind}\n\n${HEAD}`);
  }
  for (const line of lines) {
    const outcome = { line, result: await measure(line) };
    console.log(values.json ? json(outcome) : row(outcome));
  }
}

async function measure(line: Line): Promise<Outcome["result"]> {
  try {
    return await line.run(bench);
  } catch (error) {
    if (error instanceof UnknownKey) return { unavailable: "the configuration does not know the option yet" };
    throw error;
  }
}
