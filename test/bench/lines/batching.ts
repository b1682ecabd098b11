/** Calls that wait at the same moment, asked together: against Cerbos, a real policy decision point. */
import { startBridge } from "../bridge.ts";
import { startCerbos } from "../cerbos.ts";
import { inTurn, type Line, using } from "../line.ts";
import { permitted, replies, thousands } from "../rate.ts";
import { median } from "../samples.ts";
import { decisions } from "./throughput.ts";

export const batching: Line = {
  name: "batching",
  what: "decisions a second from Cerbos with `batch: { max: 50, wait: 2ms }`, against without",
  goal: "more",
  run: (bench) =>
    using(startCerbos(), ({ url }) => {
      const options = { mapping: "authzen" };
      const batch = { max: 50, wait: "2ms" };
      return using(startBridge(url, { ...options, service: { batch } }), (batched) =>
        using(startBridge(url, options), async (single) => {
          const seen = await inTurn(bench.rounds, {
            single: () => decisions(bench, single),
            batched: () => decisions(bench, batched),
          });
          const rate = (who: "single" | "batched") => median(seen[who].map((one) => one.rate));
          const right = permitted([...seen.single, ...seen.batched]) > 0.999;
          return {
            figure: `${(rate("batched") / rate("single")).toFixed(2)}`,
            met: right && rate("batched") > rate("single"),
            note: `with ${thousands(rate("batched"))}/s, without ${thousands(rate("single"))}/s${right ? "" : `; replies: ${replies([...seen.single, ...seen.batched])}`}`,
          };
        }),
      );
    }),
};
