/** Twice as much as the service can take. */
import { startBridge } from "../bridge.ts";
import { Child } from "../child.ts";
import { type Line, serving, using } from "../line.ts";
import { permitted, replies, thousands } from "../rate.ts";

const FULL_RATE = 500;
const DEADLINE = 1500;
const SERVICE = { timeout: "1s", deadline: `${DEADLINE}ms`, on_failure: "DEFER ${cause}" };
const LATEST = DEADLINE + 50;
const DECIDED = 0.95;
const GROWTH = 1.1;

export const overload: Line = {
  name: "overload",
  what: `a service that takes ${FULL_RATE} a second is offered ${2 * FULL_RATE}`,
  goal: `${DECIDED} of ${FULL_RATE} decided; the rest overload, none later than deadline + 50 ms; memory flat`,
  run: (bench) =>
    serving(new Child("load", "service", "throttled", String(FULL_RATE)), (origin) =>
      using(startBridge(origin, { service: SERVICE }), async (bridge) => {
        const seen = await bench.load({
          port: bridge.port,
          pid: bridge.pid,
          connections: 4 * FULL_RATE,
          rate: 2 * FULL_RATE,
          seconds: bench.overload,
          warmup: 4,
        });
        const decided = seen.rate * permitted([seen]);
        const [begin, end] = seen.memory;
        const part = decided / FULL_RATE;
        const causes = Object.keys(seen.replies).filter(
          (text) => !/^action=(?:DUNNO|DEFER overload)\n/.test(text),
        );
        return {
          figure: `${part.toFixed(2)} (${thousands(decided)}/s); longest ${seen.longest.toFixed(0)} ms of ${LATEST}; ${begin.toFixed(0)} → ${end.toFixed(0)} MB`,
          met: part >= DECIDED && seen.longest <= LATEST && end < GROWTH * begin && causes.length === 0,
          note: `${bench.overload} s: ${replies([seen])}`,
        };
      }),
    ),
};
