/** What it costs to be watched: figures that are counted and scraped each second, against a bridge without an admin address. */
import { freePort } from "../../support/temporary.ts";
import { startBridge } from "../bridge.ts";
import { inTurn, type Line, using } from "../line.ts";
import { describeRate, fullCoreRate } from "../rate.ts";
import { decisions, ratioOf } from "./throughput.ts";

const OF_UNWATCHED = 0.97;
/** Prometheus' own default is a minute. */
const EVERY = 1_000;

export const metrics: Line = {
  name: "metrics",
  what: "decisions a second with `admin` and a scrape each second, against without",
  goal: `${OF_UNWATCHED}`,
  run: async (bench) => {
    const port = await freePort();
    const config = { admin: `inet:127.0.0.1:${port}` };
    return using(startBridge(bench.service.origin, { config }), (watched) =>
      using(startBridge(bench.service.origin), async (plain) => {
        let scrapes = 0;
        const scraped = async () => {
          const timer = setInterval(async () => {
            const reply = await fetch(`http://127.0.0.1:${port}/metrics`);
            if ((await reply.text()).includes("pfxbridge_decisions_total{")) scrapes++;
          }, EVERY);
          try {
            return await decisions(bench, watched);
          } finally {
            clearInterval(timer);
          }
        };
        const seen = await inTurn(bench.rounds, { plain: () => decisions(bench, plain), watched: scraped });
        const ratio = fullCoreRate(seen.watched) / fullCoreRate(seen.plain);
        const figure = ratioOf(ratio, OF_UNWATCHED, seen.watched, {
          watched: describeRate(seen.watched),
          without: describeRate(seen.plain),
        });
        return { ...figure, met: figure.met && scrapes > 0, note: `${figure.note}; ${scrapes} scrapes` };
      }),
    );
  },
};
