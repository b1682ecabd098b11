/** After a restart all of Postfix's processes connect at once. */
import { type BridgeOptions, startBridge } from "../bridge.ts";
import { Child } from "../child.ts";
import { type Line, using } from "../line.ts";
import type { Storm, StormLoad } from "../measurement.ts";
import { median } from "../samples.ts";
import { decide } from "./start.ts";

const MOST = 1000;
/** The goal is for so many; the others are shown beside it. */
const CONNECTIONS = 1000;
const SIZES = [100, CONNECTIONS, 5000];
const STORMS = 3;
const PATIENCE = 20_000;

const SHAPES: readonly { readonly shape: string; readonly options: BridgeOptions }[] = [
  { shape: "one process", options: {} },
  { shape: "two workers", options: { place: "both", config: { workers: 2 } } },
];

/** Nothing is asked of any service, so that the bridge alone is measured. */
const ALONE = { services: {}, routes: [{ action: "DUNNO" }] };

export const storm: Line = {
  name: "storm",
  what: `all connect at once and ask without end: the last one's first answer, ${CONNECTIONS.toLocaleString("en")} connections`,
  goal: `< ${MOST} ms`,
  run: async () =>
    using(new Child("load", "storm-load"), async (load) => {
      const seen: string[] = [];
      let worst = 0;
      for (const { shape, options } of SHAPES) {
        for (const connections of SIZES) {
          const last = await lastFirst(load, connections, options);
          seen.push(`${shape}, ${connections.toLocaleString("en")}: ${last.toFixed(0)} ms`);
          if (connections === CONNECTIONS) worst = Math.max(worst, last);
        }
      }
      return { figure: `${worst.toFixed(0)} ms`, met: worst < MOST, note: seen.join("; ") };
    }),
};

/** The median of a few storms, each on a bridge of its own; in milliseconds. */
async function lastFirst(load: Child, connections: number, options: BridgeOptions): Promise<number> {
  const times: number[] = [];
  for (let count = 0; count < STORMS; count++) {
    const config = { ...ALONE, ...options.config };
    await using(startBridge("http://127.0.0.1:1", { ...options, config }), async ({ port }) => {
      // Not before all of it has started.
      await decide(port);
      const job: StormLoad = { port, connections, patience: PATIENCE };
      const { first, unanswered } = await load.work<Storm>(job);
      times.push(unanswered > 0 ? PATIENCE : Math.max(...first));
    });
  }
  return median(times);
}
