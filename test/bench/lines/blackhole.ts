/** A service that takes connections and never replies. */
import { startBridge } from "../bridge.ts";
import { Child } from "../child.ts";
import { type Line, serving, using } from "../line.ts";
import { permitted, replies } from "../rate.ts";

const DEADLINE = 1000;
// The load comes from one address, whose failures alone would not open a circuit.
const SERVICE = { timeout: "300ms", deadline: `${DEADLINE}ms`, breaker: { open_for: "10s" }, fair: false };
/** Where no circuit helps, and each call takes all of the time. */
const ALONE = { timeout: "1s", deadline: `${DEADLINE}ms`, breaker: { minimum_calls: 1_000_000 } };
const MANY = 2000;
const LATEST = DEADLINE + 50;
const P99 = 2;

export const blackhole: Line = {
  name: "blackhole",
  what: "a service that never replies: the default answer with the circuit open; while it opens; without a circuit, 2,000 connections",
  goal: `p99 < ${P99} ms; none later than deadline + 50 ms`,
  run: (bench) =>
    serving(new Child("load", "service", "silent"), (origin) =>
      using(startBridge(origin, { service: SERVICE }), async (bridge) => {
        const load = { port: bridge.port, pid: bridge.pid, seconds: bench.seconds };
        const opening = await bench.load({ ...load, connections: 500, rate: 300, warmup: 0 });
        const open = await bench.load({ ...load, connections: 50, rate: 1000, warmup: 0.2 });
        const alone = await using(startBridge(origin, { service: ALONE }), ({ port, pid }) =>
          bench.load({ ...load, port, pid, connections: MANY, warmup: 0 }),
        );
        const longest = Math.max(opening.longest, alone.longest);
        return {
          figure: `p99 ${open.p99.toFixed(2)} ms; longest ${opening.longest.toFixed(0)} and ${alone.longest.toFixed(0)} ms of ${LATEST}`,
          met: open.p99 < P99 && longest <= LATEST && permitted([opening, open, alone]) === 0,
          note: `opening: ${replies([opening])}; open: ${replies([open])}; without a circuit: ${replies([alone])}`,
        };
      }),
    ),
};
