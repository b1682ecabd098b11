import { describe, expect, it } from "vitest";
import { GradientLimit } from "../../../src/upstream/limits/gradient-limit.ts";

interface Simulated {
  /** Calls at once that the service works on; others wait there. */
  readonly workers: number;
  /** Milliseconds of work for a call. */
  readonly work: number;
}

/** Time on a service that is offered as many calls as the limit allows, or fewer: its latency follows from the limit. */
function run(limit: GradientLimit, { workers, work }: Simulated, seconds: number, offered = Infinity): void {
  const end = clock + seconds * 1000;
  while (clock < end) {
    const inFlight = Math.min(limit.current, offered);
    const latency = work * Math.max(1, inFlight / workers);
    limit.observe(latency, inFlight, clock);
    clock += latency / inFlight;
  }
}

let clock = 1e9;

describe("the limit found by latency", () => {
  it.each([
    { workers: 5, work: 10 },
    { workers: 50, work: 20 },
    { workers: 200, work: 50 },
  ])("lets a service of $workers workers work at its full rate, with a short line at most", (service) => {
    const limit = new GradientLimit();
    run(limit, service, 300);
    expect(limit.current).toBeGreaterThanOrEqual(service.workers);
    expect(limit.current).toBeLessThan(service.workers * 3 + 20);
  });

  it("shrinks when the service becomes slower, and grows again with it", () => {
    const limit = new GradientLimit();
    run(limit, { workers: 100, work: 10 }, 20);
    expect(limit.current).toBeGreaterThanOrEqual(100);
    run(limit, { workers: 10, work: 10 }, 10);
    expect(limit.current).toBeLessThan(60);
    run(limit, { workers: 100, work: 10 }, 20);
    expect(limit.current).toBeGreaterThanOrEqual(100);
  });

  it("follows a service whose work takes longer for good", () => {
    const limit = new GradientLimit();
    run(limit, { workers: 100, work: 10 }, 20);
    run(limit, { workers: 100, work: 50 }, 40);
    expect(limit.current).toBeGreaterThanOrEqual(100);
    expect(limit.current).toBeLessThan(320);
  });

  it("doesn't grow for a load that leaves it unused", () => {
    const limit = new GradientLimit();
    run(limit, { workers: 1000, work: 10 }, 60, 5);
    expect(limit.current).toBe(20);
  });

  it("does not shrink for a few questions that are slow by themselves", () => {
    const limit = new GradientLimit();
    run(limit, { workers: 100, work: 10 }, 20);
    let least = limit.current;
    for (let second = 0; second < 20; second += 0.05) {
      for (let n = 0; n < 10; n++) limit.observe(900, limit.current, clock);
      run(limit, { workers: 100, work: 10 }, 0.05);
      least = Math.min(least, limit.current);
    }
    // Half of it is left during a look at the latency without load.
    expect(least).toBeGreaterThanOrEqual(45);
  });

  it("shrinks by calls that are dropped, to its least and no further, and comes back", () => {
    const limit = new GradientLimit({ initial: 50, least: 4, most: 100 });
    for (let n = 0; n < 1000; n++, clock += 10) limit.observe(null, limit.current, clock);
    expect(limit.current).toBe(4);
    run(limit, { workers: 50, work: 10 }, 20);
    expect(limit.current).toBeGreaterThanOrEqual(50);
  });

  it("never exceeds its most", () => {
    const limit = new GradientLimit({ initial: 20, least: 4, most: 30 });
    run(limit, { workers: 1000, work: 10 }, 20);
    expect(limit.current).toBe(30);
  });
});
