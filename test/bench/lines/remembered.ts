/** Decisions that are remembered, in memory. */
import { startBridge } from "../bridge.ts";
import { Child } from "../child.ts";
import { inTurn, type Line, serving, using } from "../line.ts";
import { describeRate, fullCoreRate } from "../rate.ts";
import { median } from "../samples.ts";
import { decisions, ratioOf } from "./throughput.ts";

const CONNECTIONS = 100;
const SENDERS = 1000;
const OF_ECHO = 0.6;
const OF_ASKED = 5;
const P99 = 2;

export const remembered: Line = {
  name: "remembered",
  what: `remembered decisions a second, ${CONNECTIONS} connections, against a bare echo server`,
  goal: `${OF_ECHO}; ${OF_ASKED} × as many as asked for; p99 < ${P99} ms`,
  run: (bench) => {
    const server = new Child("bridge", "echo");
    return serving(server, (_origin, echoPort) =>
      using(startBridge(bench.service.origin, { service: { cache: { ttl: "1h" } } }), (bridge) =>
        using(startBridge(bench.service.origin), async (asking) => {
          const { seconds, warmup } = bench;
          const pace = { connections: CONNECTIONS, seconds, warmup, senders: SENDERS };
          const seen = await inTurn(bench.rounds, {
            echo: () => bench.load({ ...pace, port: echoPort, pid: server.pid }),
            bridge: () => bench.load({ ...pace, port: bridge.port, pid: bridge.pid }),
            asked: () => decisions(bench, asking),
          });
          // As many connections that ask one after the other wait for each other: at the full rate p50 is their number by it.
          const rate = fullCoreRate(seen.bridge) / 2;
          const { half } = await inTurn(bench.rounds, {
            half: () => bench.load({ ...pace, rate, port: bridge.port, pid: bridge.pid }),
          });
          const ofEcho = fullCoreRate(seen.bridge) / fullCoreRate(seen.echo);
          const ofAsked = fullCoreRate(seen.bridge) / fullCoreRate(seen.asked);
          const p99 = median(seen.bridge.map((one) => one.p99));
          const { met, ...figure } = ratioOf(ofEcho, OF_ECHO, seen.bridge, {
            remembered: describeRate(seen.bridge),
            echo: describeRate(seen.echo),
            asked: describeRate(seen.asked),
            "p99 of echo": `${median(seen.echo.map((one) => one.p99)).toFixed(2)} ms`,
            "p99 at half the rate": `${median(half.map((one) => one.p99)).toFixed(2)} ms`,
          });
          return {
            ...figure,
            figure: `${figure.figure}; ${ofAsked.toFixed(1)} ×; p99 ${p99.toFixed(2)} ms`,
            met: met && ofAsked >= OF_ASKED && p99 < P99,
          };
        }),
      ),
    );
  },
};
