import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { CircuitWindow } from "../../../src/upstream/limits/circuit-window.ts";

const LENGTH = 1000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
  onTestFinished(() => void vi.useRealTimers());
});

describe("the calls in a window", () => {
  it("are forgotten a tenth at a time, as it moves on", () => {
    const window = new CircuitWindow(LENGTH);
    const counts: number[] = [];
    for (let tenth = 0; tenth < 20; tenth++) {
      if (tenth < 10) window.count();
      counts.push(window.stats.fires);
      vi.advanceTimersByTime(LENGTH / 10);
    }
    expect(counts).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
  });

  it.each([1, 2, 5, 9])("are forgotten too when nothing was counted for %i tenths", (tenths) => {
    const window = new CircuitWindow(LENGTH);
    for (let tenth = 0; tenth < 10; tenth++) {
      window.count();
      window.increment("failures");
      vi.advanceTimersByTime(LENGTH / 10);
    }
    vi.advanceTimersByTime((LENGTH / 10) * (tenths - 1));
    expect(window.stats).toEqual({ fires: 10 - tenths, failures: 10 - tenths });
  });
});
