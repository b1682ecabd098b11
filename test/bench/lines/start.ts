/** From the start of the process to its first decision. */

import { once } from "node:events";
import { createConnection } from "node:net";
import { startBridge } from "../bridge.ts";
import { type Line, using } from "../line.ts";
import { median } from "../samples.ts";

const MOST = 300;
const STARTS = 7;

export const start: Line = {
  name: "start",
  what: "cold start to the first decision",
  goal: `< ${MOST} ms`,
  run: async (bench) => {
    const times: number[] = [];
    for (let start = 0; start < STARTS; start++) {
      await using(startBridge(bench.service.origin), async ({ port, startedAt }) => {
        await decide(port);
        times.push(performance.now() - startedAt);
      });
    }
    return {
      figure: `${median(times).toFixed(0)} ms`,
      met: median(times) < MOST,
      note: `${STARTS} starts: ${times.map((time) => time.toFixed(0)).join(", ")} ms`,
    };
  },
};

/** One request, over a connection of its own. */
export async function decide(port: number): Promise<void> {
  const socket = createConnection({ host: "127.0.0.1", port });
  socket.write("request=smtpd_access_policy\nsender=a@example.net\nrecipient=b@example.org\n\n");
  const [reply] = await once(socket, "data");
  socket.destroy();
  if (String(reply) !== "action=DUNNO\n\n") throw new Error(`the first decision was ${String(reply)}`);
}
