import { describe, expect, it } from "vitest";
import { Deadline } from "../../src/time/deadline.ts";
import { Timer } from "../../src/time/timer.ts";

class Alarm extends Timer {
  firedAt = 0;
  fired = 0;
  readonly #then: () => void;

  constructor(then: () => void = () => {}) {
    super();
    this.#then = then;
  }

  set(due: number, leeway?: number): void {
    this.startTimer(due, leeway);
  }

  stop(): void {
    this.stopTimer();
  }

  protected override onTime(): void {
    this.fired++;
    this.firedAt = performance.now();
    this.#then();
  }
}

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe("a timer", () => {
  it("expires once, never early, and soon after its time, among thousands", async () => {
    const start = performance.now();
    const alarms = Array.from({ length: 5000 }, (_, i) => ({ due: start + (i % 300), alarm: new Alarm() }));
    for (const { due, alarm } of alarms) alarm.set(due);
    await sleep(400);
    for (const { due, alarm } of alarms) {
      expect(alarm.fired).toBe(1);
      expect(alarm.firedAt).toBeGreaterThanOrEqual(due);
      expect(alarm.firedAt).toBeLessThan(due + 250);
    }
  });

  it("does not expire when it was stopped, in whatever order", async () => {
    const alarms = Array.from({ length: 1000 }, () => new Alarm());
    const due = performance.now() + 30;
    for (const alarm of alarms) alarm.set(due);
    const stopped = alarms.filter(() => Math.random() < 0.5);
    for (const alarm of stopped.toSorted(() => Math.random() - 0.5)) alarm.stop();
    await sleep(100);
    for (const alarm of alarms) expect(alarm.fired).toBe(stopped.includes(alarm) ? 0 : 1);
  });

  it("with leeway comes earlier in a crowd, and only there", async () => {
    const due = performance.now() + 500;
    const few = Array.from({ length: 10 }, () => new Alarm());
    for (const alarm of few) alarm.set(due + 1000, 400);
    const crowd = Array.from({ length: 3000 }, () => new Alarm());
    for (const alarm of crowd) alarm.set(due, 400);
    const strict = Array.from({ length: 100 }, () => new Alarm());
    for (const alarm of strict) alarm.set(due);
    await expect.poll(() => few.every(({ fired }) => fired === 1), { timeout: 5000 }).toBe(true);
    expect(crowd.every(({ fired }) => fired === 1)).toBe(true);
    expect(Math.min(...crowd.map(({ firedAt }) => firedAt))).toBeGreaterThanOrEqual(due - 400);
    expect(crowd.filter(({ firedAt }) => firedAt < due).length).toBeGreaterThan(0);
    for (const { firedAt } of strict) expect(firedAt).toBeGreaterThanOrEqual(due);
    for (const { firedAt } of few) expect(firedAt).toBeGreaterThanOrEqual(due + 1000);
  });

  it("that is due does not wait for the end of a turn that brings others", async () => {
    const alarm = new Alarm();
    alarm.set(performance.now() + 5);
    const order: string[] = [];
    await new Promise<void>((resolve) => {
      // Each of these is a callback of one turn, as reads from many sockets are.
      for (let n = 0; n < 20; n++) {
        setImmediate(() => {
          const until = performance.now() + 5;
          while (performance.now() < until);
          new Alarm().set(performance.now() + 10);
          order.push(alarm.fired === 1 ? "after" : "before");
          if (n === 19) resolve();
        });
      }
    });
    expect(order.filter((when) => when === "before").length).toBeLessThan(20);
    expect(alarm.fired).toBe(1);
  });

  it("that is set anew expires at the new time only", async () => {
    const alarm = new Alarm();
    alarm.set(performance.now() + 20);
    alarm.set(performance.now() + 80);
    await sleep(50);
    expect(alarm.fired).toBe(0);
    await expect.poll(() => alarm.fired).toBe(1);
  });

  it("may be beyond one turn of the wheel", async () => {
    const alarm = new Alarm();
    const due = performance.now() + 5500;
    alarm.set(due);
    await expect.poll(() => alarm.fired, { timeout: 8000 }).toBe(1);
    expect(alarm.firedAt).toBeGreaterThanOrEqual(due);
  });

  it("that is past already expires all the same", async () => {
    const alarm = new Alarm();
    alarm.set(performance.now() - 1000);
    await expect.poll(() => alarm.fired).toBe(1);
  });

  it("may stop or set others, also itself, when it expires", async () => {
    const due = performance.now() + 20;
    const victims = [new Alarm(), new Alarm()];
    const killer = new Alarm(() => {
      for (const victim of victims) victim.stop();
    });
    let again = 0;
    const repeated: Alarm = new Alarm(() => {
      if (++again < 3) repeated.set(performance.now() + 10);
    });
    for (const alarm of [victims[0]!, killer, victims[1]!, repeated]) alarm.set(due);
    await expect.poll(() => again).toBe(3);
    expect(killer.fired).toBe(1);
    // Which of those that are due together comes first is open; a stopped one doesn't come later.
    for (const victim of victims) expect(victim.fired).toBeLessThanOrEqual(1);
    expect(victims.some((victim) => victim.fired === 0)).toBe(true);
  });
});

describe("a deadline", () => {
  it("tells what is left, and calls back once it has passed", async () => {
    const deadline = new Deadline(40);
    expect(deadline.remaining()).toBeGreaterThan(0);
    expect(deadline.remaining()).toBeLessThanOrEqual(40);
    let [called, cancelled] = [0, 0];
    deadline.onExpire(() => called++);
    deadline.onExpire(() => cancelled++)();
    await expect.poll(() => called).toBe(1);
    expect(deadline.remaining()).toBe(0);
    expect(cancelled).toBe(0);
  });

  it("cuts work that is late, and no other", async () => {
    const deadline = new Deadline(30);
    const never = new Promise<string>(() => {});
    expect(await deadline.cut(Promise.resolve("done"), "late")).toBe("done");
    await expect(deadline.cut(Promise.reject(new Error("broken")), "late")).rejects.toThrow("broken");
    expect(await deadline.cut(never, "late")).toBe("late");
  });
});
