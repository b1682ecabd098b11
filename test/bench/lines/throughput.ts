/** Decisions that have to be asked for, as fast as one core can. */
import { type BridgeOptions, startBridge } from "../bridge.ts";
import { type Bench, type Figure, inTurn, type Line, using } from "../line.ts";
import type { Measured } from "../measurement.ts";
import { describeRate, fullCoreRate, permitted, replies } from "../rate.ts";

const CONNECTIONS = 100;
const OF_DISPATCH = 0.55;
const OF_UNPIPELINED = 1.6;

/** Decisions a second through one bridge, every one of another sender. */
export function decisions(bench: Bench, bridge: { port: number; pid: number }): Promise<Measured> {
  const { seconds, warmup } = bench;
  return bench.load({ port: bridge.port, pid: bridge.pid, connections: CONNECTIONS, seconds, warmup });
}

export const throughput: Line = {
  name: "throughput",
  what: `decisions a second, each asked for, ${CONNECTIONS} connections, against undici's dispatch alone`,
  goal: `${OF_DISPATCH}`,
  run: (bench) =>
    using(startBridge(bench.service.origin), async (bridge) => {
      const { seconds, warmup, service } = bench;
      const direct = () =>
        bench.direct({ origin: service.origin, connections: CONNECTIONS, seconds, warmup });
      const seen = await inTurn(bench.rounds, { direct, bridge: () => decisions(bench, bridge) });
      const ratio = fullCoreRate(seen.bridge) / fullCoreRate(seen.direct);
      return ratioOf(ratio, OF_DISPATCH, seen.bridge, {
        bridge: describeRate(seen.bridge),
        dispatch: describeRate(seen.direct),
      });
    }),
};

function against(
  name: string,
  what: string,
  options: (bench: Bench) => BridgeOptions & { url: string },
): Line {
  return {
    name,
    what,
    goal: `${OF_UNPIPELINED}`,
    run: (bench) => {
      const { url, ...rest } = options(bench);
      return using(startBridge(url, rest), (changed) =>
        using(startBridge(bench.service.origin), async (plain) => {
          const seen = await inTurn(bench.rounds, {
            plain: () => decisions(bench, plain),
            changed: () => decisions(bench, changed),
          });
          const ratio = fullCoreRate(seen.changed) / fullCoreRate(seen.plain);
          return ratioOf(ratio, OF_UNPIPELINED, seen.changed, {
            [name]: describeRate(seen.changed),
            without: describeRate(seen.plain),
          });
        }),
      );
    },
  };
}

export const pipelining = against(
  "pipelining",
  "the same with `pipelining: 10`, against without",
  ({ service }) => ({ url: service.origin, service: { pipelining: 10 } }),
);

export const http2 = against("http2", "the same with `http2: true`, against without", ({ service }) => ({
  url: service.http2Origin ?? service.origin,
  service: { http2: true },
}));

/** A ratio and what it was made of; met only where the service was really asked. */
export function ratioOf(
  ratio: number,
  goal: number,
  bridge: readonly Measured[],
  parts: Readonly<Record<string, string>>,
): Figure {
  const right = permitted(bridge) > 0.999;
  const seen = Object.entries(parts).map(([name, rate]) => `${name} ${rate}`);
  if (!right) seen.push(`replies: ${replies(bridge)}`);
  return {
    figure: ratio.toFixed(2),
    met: right && ratio >= goal,
    reached: right ? ratio / goal : 0,
    note: seen.join("; "),
  };
}
