import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it, vi } from "vitest";
import { Arrivals } from "../../src/postfix/arrivals.ts";

function waiting() {
  return { resume: vi.fn() };
}

describe("while connections arrive", () => {
  it("what waits goes on when a turn has brought none", async () => {
    const arrivals = new Arrivals();
    const one = waiting();
    for (let count = 0; count < 5; count++) {
      arrivals.note(false);
      expect(arrivals.underway).toBe(true);
      if (count === 0) arrivals.hold(one);
      await turn();
      expect(one.resume).not.toHaveBeenCalled();
    }
    await vi.waitFor(() => expect(one.resume).toHaveBeenCalledOnce());
    expect(arrivals.underway).toBe(false);
  });

  it("what waits goes on in the end, though each turn brings another", async () => {
    const arrivals = new Arrivals();
    const one = waiting();
    arrivals.note(false);
    arrivals.hold(one);
    while (one.resume.mock.calls.length === 0) {
      arrivals.note(false);
      await turn();
    }
    expect(one.resume).toHaveBeenCalledOnce();
  });

  it("turns that bring none are waited for where another is known to follow, but not for ever", async () => {
    const arrivals = new Arrivals();
    const one = waiting();
    arrivals.note(true);
    arrivals.hold(one);
    for (let count = 0; count < 5; count++) await turn();
    expect(one.resume).not.toHaveBeenCalled();
    await vi.waitFor(() => expect(one.resume).toHaveBeenCalledOnce());
    expect(arrivals.underway).toBe(false);
  });
});
