/** Whether the clock of the Redis that hosts share agrees with this machine's: `forget` goes by it. */

import type { RedisUrl } from "../cache/store-url.ts";
import type { Config } from "../config/config.ts";
import { oneLine } from "../text/one-line.ts";
import { LATE, within } from "../time/within.ts";
import { amiss, type Finding, well } from "./finding.ts";

/** What hosts that share a Redis may differ by (deploy/doc/remembering.md), in milliseconds. */
const MOST_APART = 2000;
const PATIENCE = 5000;

export async function checkClocks({ services, mask }: Config): Promise<Finding[]> {
  const stores = [...services.values()].flatMap(({ name, cache }) =>
    cache?.store.kind === "redis" ? [{ name, url: cache.store }] : [],
  );
  return Promise.all(stores.map(({ name, url }) => checkClock(`store of ${name}`, url, mask)));
}

async function checkClock(about: string, url: RedisUrl, mask: (text: string) => string): Promise<Finding> {
  const { createClient } = await import("../cache/stores/redis-client.ts");
  const place = url.nodes.map(({ host, port }) => `${host}:${port}`).join(", ");
  let why = "it did not answer";
  try {
    const client = createClient(url);
    client.on("error", (error: Error) => {
      why = error.message;
    });
    try {
      const asked = await within(
        PATIENCE,
        client.connect().then(async () => {
          const sent = Date.now();
          const [seconds, microseconds] = await client.time();
          return {
            theirs: Number(seconds) * 1000 + Number(microseconds) / 1000,
            ours: (sent + Date.now()) / 2,
          };
        }),
      );
      if (asked !== LATE) {
        const apart = Math.abs(asked.theirs - asked.ours);
        const shown = `${(apart / 1000).toFixed(1)} s`;
        return apart > MOST_APART
          ? amiss(
              about,
              `the clock of Redis at ${place} is ${shown} ${asked.theirs > asked.ours ? "ahead" : "behind"}: forget may miss what another host remembered`,
              "set both clocks, by chrony or systemd-timesyncd, on every host that shares it",
            )
          : well(about, `the clock of Redis at ${place} agrees (${shown})`);
      }
    } finally {
      client.disconnect();
    }
  } catch (error) {
    why = error instanceof Error && error.message !== "" ? error.message : why;
  }
  return amiss(
    about,
    `Redis at ${place} cannot be asked: ${mask(oneLine(why))}`,
    "look at the url under cache.store, its password, and at Redis itself",
  );
}
