/** Two workers on two cores. */
import { startBridge } from "../bridge.ts";
import { inTurn, type Line, using } from "../line.ts";
import { thousands } from "../rate.ts";
import { median } from "../samples.ts";
import { decisions } from "./throughput.ts";

const GOAL = 1.7;

/**
 * Where load and service need a core of their own, two workers cannot have two to themselves. So what is compared is
 * what the busiest process uses for a decision: it is its core that would be full first.
 */
export const workers: Line = {
  name: "workers",
  what: "two workers on two cores against one, by the busiest one's processor time for each decision",
  goal: `${GOAL}`,
  run: (bench) =>
    using(startBridge(bench.service.origin, { config: { workers: 2 }, place: "both" }), (two) =>
      using(startBridge(bench.service.origin, { place: "both" }), async (one) => {
        const seen = await inTurn(bench.rounds, {
          one: () => decisions(bench, one),
          two: () => decisions(bench, two),
        });
        const rate = (who: "one" | "two") => median(seen[who].map(({ coreRate }) => coreRate));
        const ratio = rate("two") / rate("one");
        return {
          figure: ratio.toFixed(2),
          met: ratio >= GOAL,
          reached: ratio / GOAL,
          note: `until a core is full: one ${thousands(rate("one"))}/s, two ${thousands(rate("two"))}/s`,
        };
      }),
    ),
};
