/** Thousands of connections that say nothing. */
import { startBridge } from "../bridge.ts";
import { inTurn, type Line, using } from "../line.ts";
import { median } from "../samples.ts";

const IDLE = 5000;
const CONNECTIONS = 10;
const RATE = 500;
const MEMORY = 100;
/** Both are a fraction of a millisecond; the difference must be more than what the machine does by itself. */
const AS_FAST = 0.2;

export const idle: Line = {
  name: "idle",
  what: `${IDLE.toLocaleString("en")} idle connections: memory, and p50 of the next request against without them`,
  goal: `< ${MEMORY} MB, as fast`,
  run: (bench) =>
    using(startBridge(bench.service.origin), async (bridge) => {
      const { warmup, seconds } = bench;
      const pace = {
        port: bridge.port,
        pid: bridge.pid,
        connections: CONNECTIONS,
        rate: RATE,
        seconds,
        warmup,
      };
      const seen = await inTurn(bench.rounds, {
        without: () => bench.load(pace),
        with: () => bench.load({ ...pace, idle: IDLE }),
      });
      const memory = Math.max(...seen.with.map((one) => one.memory[1]));
      const p50 = (who: "without" | "with") => median(seen[who].map((one) => one.p50));
      return {
        figure: `${memory.toFixed(0)} MB, p50 ${p50("with").toFixed(2)} ms against ${p50("without").toFixed(2)} ms`,
        met: memory < MEMORY && p50("with") < p50("without") + AS_FAST,
        note: `${median(seen.without.map((one) => one.memory[0])).toFixed(0)} MB without them`,
      };
    }),
};
