/** A service that takes connections and never replies. */
import { startBridge } from "../bridge.ts";
import { Child } from "../child.ts";
import { type Line, serving, using } from "../line.ts";
import { permitted, replies } from "../rate.ts";

const DEADLINE = 1000;
const SERVICE = { timeout: "300ms", deadline: `${DEADLINE}ms`, breaker: { open_for: "10s" } };
const LATEST = DEADLINE + 50;
const P99 = 2;

export const blackhole: Line = {
  name: "blackhole",
  what: "a service that never replies: the default answer with the circuit open; while it opens",
  goal: `p99 < ${P99} ms; none later than deadline + 50 ms`,
  run: (bench) =>
    serving(new Child("load", "service", "silent"), (origin) =>
      using(startBridge(origin, { service: SERVICE }), async (bridge) => {
        const load = { port: bridge.port, pid: bridge.pid, seconds: bench.seconds };
        const opening = await bench.load({ ...load, connections: 500, rate: 300, warmup: 0 });
        const open = await bench.load({ ...load, connections: 50, rate: 1000, warmup: 0.2 });
        return {
          figure: `p99 ${open.p99.toFixed(2)} ms; longest ${opening.longest.toFixed(0)} ms of ${LATEST}`,
          met: open.p99 < P99 && opening.longest <= LATEST && permitted([opening, open]) === 0,
          note: `opening: ${replies([opening])}; open: ${replies([open])}`,
        };
      }),
    ),
};
