/** Whether a decision costs more when there are many connections. */
import { startBridge } from "../bridge.ts";
import { inTurn, type Line, using } from "../line.ts";
import { median } from "../samples.ts";

const MOST_GROWTH = 1.2;

export const cost: Line = {
  name: "cost",
  what: "processor time for each decision, 100 and 1,000 connections against 10",
  goal: `< ${MOST_GROWTH}`,
  run: (bench) =>
    using(startBridge(bench.service.origin), async (bridge) => {
      const { seconds, warmup } = bench;
      const at = (connections: number) => () =>
        bench.load({ port: bridge.port, pid: bridge.pid, connections, seconds, warmup });
      // What the first measurement would pay for all.
      await at(100)();
      const seen = await inTurn(bench.rounds, { few: at(10), some: at(100), many: at(1000) });
      const microseconds = (who: keyof typeof seen) =>
        1e6 / median(seen[who].map(({ coreRate }) => coreRate));
      const growth = Math.max(microseconds("some"), microseconds("many")) / microseconds("few");
      return {
        figure: growth.toFixed(2),
        met: growth < MOST_GROWTH,
        reached: MOST_GROWTH / growth,
        note: `10: ${microseconds("few").toFixed(1)} µs, 100: ${microseconds("some").toFixed(1)} µs, 1,000: ${microseconds("many").toFixed(1)} µs`,
      };
    }),
};
