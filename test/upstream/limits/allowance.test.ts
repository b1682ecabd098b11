import { describe, expect, it } from "vitest";
import { Allowance } from "../../../src/upstream/limits/allowance.ts";

describe("what one brings about", () => {
  it("counts a few times within the window, and again when it has passed", () => {
    const allowance = new Allowance(2, 100);
    const taken = [0, 10, 20, 99, 100, 109, 110].map((now) => allowance.take(["a"], now));
    expect(taken).toEqual([true, true, false, false, true, false, true]);
  });

  it("counts for another all the same", () => {
    const allowance = new Allowance(1, 100);
    expect(["a", "a", "b"].map((name) => allowance.take([name], 0))).toEqual([true, false, true]);
  });

  it("does not count where one of those behind it has none left, and then takes nothing from the other", () => {
    const allowance = new Allowance(1, 100);
    allowance.take(["address 1", "user"], 0);
    expect(allowance.take(["address 2", "user"], 0)).toBe(false);
    expect(allowance.take(["address 2"], 0)).toBe(true);
  });

  it("always counts when nobody is behind it", () => {
    const allowance = new Allowance(1, 100);
    expect([1, 2, 3].map((now) => allowance.take([], now))).toEqual([true, true, true]);
  });

  it("remembers no more of them, however many there are", () => {
    const allowance = new Allowance(1, 1000);
    for (let n = 0; n < 20_000; n++) allowance.take([`${n}`], n / 100);
    expect(allowance.size).toBeLessThan(5000);
    expect(allowance.take(["19999"], 200)).toBe(false);
  });
});
