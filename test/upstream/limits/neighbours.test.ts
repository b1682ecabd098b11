import { expect, it } from "vitest";
import { Neighbours } from "../../../src/upstream/limits/neighbours.ts";

it.each<[string, string, [string, number][], number, boolean]>([
  ["nobody has asked", "a", [], 0, false],
  ["only he has", "a", [["a", 0]], 1, false],
  ["another has", "a", [["b", 0]], 1, true],
  [
    "another has, before him",
    "a",
    [
      ["b", 0],
      ["a", 50],
    ],
    99,
    true,
  ],
  [
    "another has, too long ago",
    "a",
    [
      ["b", 0],
      ["a", 50],
    ],
    100,
    false,
  ],
  [
    "another has, many times",
    "a",
    [
      ["b", 0],
      ["b", 50],
      ["a", 60],
      ["a", 70],
    ],
    149,
    true,
  ],
  [
    "one after the other asks",
    "c",
    [
      ["a", 0],
      ["b", 10],
      ["a", 20],
    ],
    119,
    true,
  ],
  [
    "they take turns",
    "a",
    [
      ["a", 0],
      ["b", 10],
      ["a", 20],
      ["b", 30],
      ["a", 140],
    ],
    129,
    true,
  ],
  ["nobody in particular has", "a", [["", 0]], 1, true],
])("knows whether somebody else has asked lately: %s", (_case, subject, asked, now, expected) => {
  const neighbours = new Neighbours(100);
  for (const [who, at] of asked) neighbours.asks(who, at);
  expect(neighbours.has(subject, now)).toBe(expected);
});
