import { describe, expect, it } from "vitest";
import { Deadline } from "../../../src/time/deadline.ts";
import { Limiter } from "../../../src/upstream/limits/limiter.ts";

/** Asks for slots, and keeps in order who got one. */
function line(limit: number | "auto") {
  const limiter = new Limiter(limit);
  const granted: string[] = [];
  const refused: string[] = [];
  const ask = (subject: string, deadline = 60_000) => {
    const slot = limiter.acquire(subject, new Deadline(deadline));
    const note = (got: boolean) => void (got ? granted : refused).push(subject);
    if (typeof slot === "boolean") note(slot);
    else void slot.then(note);
  };
  const askOften = (subject: string, times: number) => {
    for (let n = 0; n < times; n++) ask(subject);
  };
  const release = async (subject: string) => {
    limiter.release(subject, "unknown", []);
    await Promise.resolve();
  };
  const held = (subject: string) => granted.filter((who) => who === subject).length;
  return { limiter, granted, refused, ask, askOften, release, held };
}

describe("one subject", () => {
  it("may have all slots where nobody else has asked", () => {
    const { askOften, held, limiter } = line(10);
    askOften("a", 15);
    expect(held("a")).toBe(10);
    expect(limiter.report).toEqual({ inFlight: 10, waiting: 5, limit: 10 });
  });

  it.each([
    [10, 5],
    [11, 6],
    [256, 128],
    [2, 1],
    [1, 1],
  ])("of %i may have %i where somebody else asks, too", async (limit, most) => {
    const { ask, askOften, held, release } = line(limit);
    ask("b");
    await release("b");
    askOften("a", 2 * limit);
    expect(held("a")).toBe(most);
  });

  it("gives way to the second one with the next slot that becomes free", async () => {
    const { ask, askOften, granted, release, limiter } = line(4);
    askOften("a", 10);
    ask("b");
    expect(granted).not.toContain("b");
    await release("a");
    expect(granted.at(-1)).toBe("b");
    // By and by it is left with its share.
    await release("a");
    expect(granted).toEqual(["a", "a", "a", "a", "b"]);
    await release("a");
    expect(granted.at(-1)).toBe("a");
    expect(limiter.report.inFlight).toBe(3);
  });

  it("finds slots free at any time while others hold their share", () => {
    const { ask, askOften, held } = line(100);
    ask("quiet");
    for (const heavy of ["a", "b", "c"]) askOften(heavy, 100);
    for (let n = 0; n < 10; n++) ask(`new ${n}`);
    expect([held("a"), held("b"), held("c")].every((slots) => slots >= 10)).toBe(true);
    for (let n = 0; n < 10; n++) expect(held(`new ${n}`)).toBe(1);
  });

  it("keeps nothing from nobody in particular", () => {
    const { ask, askOften, held } = line(10);
    ask("b");
    askOften("", 20);
    expect(held("")).toBe(9);
  });
});

describe("those who wait", () => {
  it("are served in turn, each one's calls in their order", async () => {
    const { limiter, ask, askOften, granted, release } = line(1);
    ask("x");
    askOften("a", 3);
    ask("b");
    ask("c");
    ask("b");
    await release("x");
    for (const who of ["a", "b", "c", "a", "b"]) await release(who);
    expect(granted).toEqual(["x", "a", "b", "c", "a", "b", "a"]);
    await release("a");
    expect(limiter.report).toEqual({ inFlight: 0, waiting: 0, limit: 1 });
  });

  it("are not refused for the line of another", async () => {
    const { ask, granted, refused, limiter, release } = line(1);
    ask("a");
    for (let n = 0; n < 200; n++) ask("a");
    // One in thirty milliseconds, for a while.
    for (let n = 0; n < 10; n++) {
      await new Promise((resolve) => setTimeout(resolve, 30));
      limiter.release("a", 30, []);
      await Promise.resolve();
    }
    ask("a", 1000);
    await Promise.resolve();
    expect(refused).toEqual(["a"]);
    ask("b", 1000);
    await Promise.resolve();
    await release("a");
    await release("a");
    expect(granted.at(-1)).toBe("b");
    expect(refused).toEqual(["a"]);
  });

  it("leave when their time is up, wherever they stand", async () => {
    const { limiter, ask, refused, release } = line(1);
    ask("x");
    ask("a", 40);
    ask("b");
    ask("a");
    await expect.poll(() => refused).toEqual(["a"]);
    expect(limiter.report.waiting).toBe(2);
    await release("x");
    await release("b");
    await release("a");
    expect(limiter.report).toMatchObject({ inFlight: 0, waiting: 0 });
    expect(limiter.subjects).toBe(0);
  });
});

describe("what is known of subjects", () => {
  it("is gone with their calls, however many there were", () => {
    const { limiter, ask } = line(100);
    for (let n = 0; n < 10_000; n++) {
      ask(`${n}`);
      limiter.release(`${n}`, 1, []);
    }
    expect(limiter.subjects).toBe(0);
  });

  it("says whose overload is his own making", () => {
    const { limiter, ask, askOften } = line(8);
    askOften("a", 20);
    expect(limiter.hasItsShare("a")).toBe(false);
    ask("b");
    expect(limiter.hasItsShare("a")).toBe(true);
    expect(limiter.hasItsShare("b")).toBe(false);
    expect(limiter.hasItsShare("")).toBe(false);
  });
});

describe("what `auto` has found", () => {
  it("is shrunk by what was dropped of one a few times only", async () => {
    const drop = async (blamed: (n: number) => string[]) => {
      const { limiter, ask } = line("auto");
      for (let n = 0; n < 12; n++) {
        ask("a");
        await new Promise((resolve) => setTimeout(resolve, 105));
        limiter.release("a", "refused", blamed(n));
      }
      return limiter.report.limit;
    };
    const [one, several] = await Promise.all([drop(() => ["a"]), drop((n) => [`${n}`])]);
    expect(one).toBe(14);
    expect(several).toBeLessThan(7);
  });
});
