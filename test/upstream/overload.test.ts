/** Twice the load that a service can take: it is used to the full, the rest is told so in time. */
import { describe, expect, it } from "vitest";
import type { UpstreamOptions } from "../../src/upstream/options.ts";
import { caller, httpService } from "./harness.ts";

const WORKERS = 10;
const WORK = 20;
const DEADLINE = 600;
const SECONDS = 4;
/** Milliseconds late beyond which this machine was too busy to tell how well the service was used. */
const STALLED = 50;

/** A service with so many workers and a line before them, as most are. */
async function serviceWithWorkers(count: number, work: number) {
  const waiting: (() => void)[] = [];
  let busy = 0;
  let served = 0;
  const next = () => {
    while (busy < count && waiting.length > 0) {
      busy++;
      waiting.shift()!();
    }
  };
  const url = await httpService((_request, response) => {
    waiting.push(() =>
      setTimeout(() => {
        busy--;
        served++;
        response.end("yes");
        next();
      }, work),
    );
    next();
  });
  return {
    url,
    served: () => served,
    line: () => waiting.length,
  };
}

describe("twice the load that a service can take", () => {
  it.each<[string, Partial<UpstreamOptions>]>([
    ["a fixed max_in_flight", { maxInFlight: 40 }],
    ["max_in_flight: auto", { maxInFlight: "auto" }],
  ])(
    "is decided at its full rate, the rest refused in time: %s",
    async (_name, options) => {
      const { url, line, served } = await serviceWithWorkers(WORKERS, WORK);
      const { upstream, call } = caller(url, { timeout: 500, ...options });
      const ends = { answer: 0, overload: 0, other: 0 };
      let [longest, longestLine, mostWaiting, pending, stall] = [0, 0, 0, 0, 0];
      const begin = performance.now();
      let [offered, now] = [0, begin];
      while (now - begin < SECONDS * 1000) {
        // As many as have arrived since, at twice the rate; however late the timer is.
        for (const due = ((now - begin) / WORK) * WORKERS * 2; offered < due; offered++) {
          const started = performance.now();
          pending++;
          void call({}, DEADLINE).then(({ answer }) => {
            pending--;
            longest = Math.max(longest, performance.now() - started);
            if ("body" in answer) ends.answer++;
            else if (answer.cause === "overload") ends.overload++;
            else ends.other++;
          });
        }
        longestLine = Math.max(longestLine, line());
        mostWaiting = Math.max(mostWaiting, upstream.report.waiting);
        const before = now;
        await new Promise((resolve) => setTimeout(resolve, 5));
        now = performance.now();
        stall = Math.max(stall, now - before - 5);
      }
      await expect.poll(() => pending, { timeout: 3000 }).toBe(0);
      expect(ends.answer).toBeGreaterThan(0);
      expect(ends.overload).toBeGreaterThan(0);
      // What the service was able to do, with timers as late as they are here, it did for calls that still waited.
      if (stall < STALLED) {
        expect(ends.answer).toBeGreaterThan(0.7 * served());
        expect(ends.other).toBeLessThan(0.1 * offered);
        expect(longest).toBeLessThan(DEADLINE + 4 * STALLED);
      }
      expect(longestLine).toBeLessThan(100);
      expect(mostWaiting).toBeLessThan((2 * DEADLINE * WORKERS) / WORK);
      expect(upstream.report).toMatchObject({ inFlight: 0, waiting: 0 });
    },
    20_000,
  );

  it("is refused at once where the line is too long already", async () => {
    const { url } = await serviceWithWorkers(2, 50);
    const { call } = caller(url, { maxInFlight: 2 });
    // Forty a second; the line of those before shows how fast it moves.
    const before = Array.from({ length: 40 }, () => call({}, 3000));
    await Promise.all(before.slice(0, 20));
    const started = performance.now();
    const { answer, attempts } = await call({}, 200);
    expect(answer).toMatchObject({
      cause: "overload",
      detail: expect.stringMatching(/gets 2 calls at once/),
    });
    expect(attempts).toBe(0);
    expect(performance.now() - started).toBeLessThan(80);
    expect((await Promise.all(before)).every(({ answer }) => "body" in answer)).toBe(true);
  });

  it("leaves no trace: a later line is judged by itself", async () => {
    let work = 200;
    const url = await httpService((_request, response) => setTimeout(() => response.end("yes"), work));
    const { call } = caller(url, { maxInFlight: 1 });
    await Promise.all(Array.from({ length: 4 }, () => call({}, 3000)));
    work = 1;
    const results = await Promise.all(Array.from({ length: 20 }, () => call({}, 600)));
    expect(results.filter(({ answer }) => "body" in answer)).toHaveLength(20);
  });
});
