/** What the bridge adds to the time of a call, when nothing is saturated. */
import { startBridge } from "../bridge.ts";
import { inTurn, type Line, using } from "../line.ts";
import { median } from "../samples.ts";

const CONNECTIONS = 10;
const RATE = 1000;
const P50 = 0.2;
const P99 = 1;

export const latency: Line = {
  name: "latency",
  what: `time added to a call, ${CONNECTIONS} connections, ${RATE} a second`,
  goal: `p50 < ${P50} ms, p99 < ${P99} ms`,
  run: (bench) =>
    using(startBridge(bench.service.origin), async (bridge) => {
      const { seconds, warmup, service } = bench;
      const pace = { connections: CONNECTIONS, rate: RATE, seconds, warmup };
      // Code that the compiler has not seen yet is not what is asked about.
      await bench.load({
        connections: CONNECTIONS,
        seconds: warmup,
        warmup,
        port: bridge.port,
        pid: bridge.pid,
      });
      const seen = await inTurn(bench.rounds, {
        direct: () => bench.direct({ ...pace, origin: service.origin }),
        bridge: () => bench.load({ ...pace, port: bridge.port, pid: bridge.pid }),
      });
      const of = (part: "p50" | "p99", who: "direct" | "bridge") => median(seen[who].map((one) => one[part]));
      const p50 = of("p50", "bridge") - of("p50", "direct");
      const p99 = of("p99", "bridge") - of("p99", "direct");
      const both = (who: "direct" | "bridge") =>
        `${of("p50", who).toFixed(2)} / ${of("p99", who).toFixed(2)} ms`;
      return {
        figure: `p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`,
        met: p50 < P50 && p99 < P99,
        note: `p50 / p99: bridge ${both("bridge")}; direct ${both("direct")}`,
      };
    }),
};
