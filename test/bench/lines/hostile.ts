/** A service some of whose replies cost as much as the limits allow, and what that costs those who are asked about meanwhile. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { temporaryFolder } from "../../support/temporary.ts";
import { startBridge } from "../bridge.ts";
import { Child } from "../child.ts";
import { type Line, serving, using } from "../line.ts";
import { permitted, replies } from "../rate.ts";

const MOST = 50;
/** The rules look at all of the reply, and at each item of its lists once more for each other. */
const MAPPING = `
request: { method: POST, path: /check, json: { sender: "\${sender}" } }
response:
  - { when: 'list(body.?items).exists(i, list(body.?items).exists(j, i == j + "x"))', action: REJECT }
  - { when: body != null && body.allowed == true, action: DUNNO }
  - { when: status == 200, action: "REJECT \${text}" }
`;

export const hostile: Line = {
  name: "hostile",
  what: "one reply in 50 as costly as allowed (JSON and XML of their limits, lists in lists): the longest decision",
  goal: `< ${MOST} ms`,
  run: async (bench) => {
    const folder = await temporaryFolder();
    try {
      const mapping = join(folder.path, "mapping.yaml");
      await writeFile(mapping, MAPPING, { mode: 0o600 });
      return await serving(new Child("load", "service", "hostile"), (origin) =>
        using(startBridge(origin, { mapping }), async (bridge) => {
          const { port, pid } = bridge;
          const { seconds, warmup } = bench;
          const seen = await bench.load({
            port,
            pid,
            connections: 20,
            rate: 200,
            seconds,
            warmup: warmup + 2,
          });
          return {
            figure: `${seen.longest.toFixed(0)} ms, p99 ${seen.p99.toFixed(1)} ms`,
            met: seen.longest < MOST && permitted([seen]) > 0,
            note: replies([seen]),
          };
        }),
      );
    } finally {
      await folder.remove();
    }
  },
};
