import { describe, expect, it } from "vitest";
import { type Figures, sumOfFigures } from "../../src/bridge/figures.ts";
import { WorkerFigures } from "../../src/workers/figures.ts";

const of = (requests: number, connections: number): Figures => ({
  requests: [{ labels: ["smtp"], value: requests }],
  connections: [{ labels: ["smtp"], value: connections }],
  upstreamDuration: [{ labels: ["corp"], value: { counts: [requests, 0], sum: requests / 2 } }],
});

describe("what only grows", () => {
  it("does not shrink when a worker says nothing, or ends and is replaced", () => {
    const figures = new WorkerFigures<string>();
    figures.said("a", of(10, 2));
    figures.said("b", of(5, 1));
    expect(figures.sum(new Set(["a", "b"]))).toEqual(of(15, 3));
    // b says nothing: how many connections it has is not known, what it has done is.
    expect(figures.sum(new Set(["a"]))).toMatchObject({ ...of(15, 2) });
    figures.ended("b");
    figures.said("c", of(1, 1));
    expect(figures.sum(new Set(["a", "c"]))).toEqual(of(16, 3));
  });
});

it("is added up each in its own way", () => {
  const one: Figures = {
    reloadOk: [{ labels: [], value: 1 }],
    answered: [{ labels: ["corp"], value: 5 }],
    cacheEntries: [
      { labels: ["corp", "memory"], value: 3 },
      { labels: ["own", "redis"], value: 4 },
    ],
  };
  const other: Figures = {
    reloadOk: [{ labels: [], value: 0 }],
    answered: [{ labels: ["corp"], value: 9 }],
    cacheEntries: [
      { labels: ["corp", "memory"], value: 2 },
      { labels: ["own", "redis"], value: 5 },
    ],
  };
  expect(sumOfFigures([one, other])).toEqual({
    reloadOk: [{ labels: [], value: 0 }],
    answered: [{ labels: ["corp"], value: 9 }],
    cacheEntries: [
      { labels: ["corp", "memory"], value: 5 },
      { labels: ["own", "redis"], value: 5 },
    ],
  });
});
