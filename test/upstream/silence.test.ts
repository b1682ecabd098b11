/** A service that takes calls and says nothing: what is not worth a call is not made one, and its return is noticed. */
import { describe, expect, it } from "vitest";
import { caller, rawService } from "./harness.ts";

/** Long enough for a loaded machine to make all calls within it. */
const DEADLINE = 2500;
/** So long a call may take that is answered in the end. */
const ANSWERED = 60_000;
const SLOTS = 40;
const MANY = 8 * SLOTS;

/** Counts calls, and replies as long as it is told to. */
async function service() {
  const state = { calls: 0, replies: false };
  const url = await rawService((socket) => {
    socket.on("data", (chunk) => {
      // A call may arrive in several pieces; each has one line that begins so.
      if (!chunk.includes("POST ")) return;
      state.calls++;
      if (state.replies) socket.write("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nyes");
    });
  });
  return { url, state };
}

describe("a service that says nothing", () => {
  it("is not asked again by all who wait, when their time is nearly over", async () => {
    const { url, state } = await service();
    const { call, upstream } = caller(url, { maxInFlight: SLOTS, timeout: 0.7 * DEADLINE });
    const all = await Promise.all(Array.from({ length: MANY }, () => call({}, DEADLINE)));
    // Those that it took to see that there is no reply have successors, the others none.
    expect(state.calls).toBeGreaterThanOrEqual(SLOTS);
    expect(state.calls).toBeLessThan(1.8 * SLOTS);
    const causes = all.map(({ answer }) => ("cause" in answer ? answer.cause : "none"));
    expect(new Set(causes)).toEqual(new Set(["timeout", "overload"]));
    expect(upstream.report).toMatchObject({ inFlight: 0, waiting: 0, limit: SLOTS });
  });

  it("is asked by a few at a time then, and by all again with its first reply", async () => {
    const { url, state } = await service();
    const { call, upstream } = caller(url, {
      maxInFlight: 500,
      timeout: ANSWERED,
      retry: { attempts: 5, backoff: 5, maxBackoff: 20 },
    });
    await Promise.all(Array.from({ length: 60 }, () => call({}, DEADLINE)));
    expect(state.calls).toBe(60);
    const silent = Array.from({ length: MANY }, () => call({}, DEADLINE));
    expect(upstream.report.inFlight).toBeLessThan(MANY / 4);
    expect(upstream.report.inFlight).toBeGreaterThan(0);
    await Promise.all(silent);

    state.replies = true;
    const answered = await Promise.all(Array.from({ length: MANY }, () => call({}, ANSWERED)));
    expect(answered.filter(({ answer }) => "body" in answer)).toHaveLength(MANY);
    state.replies = false;
    const next = Array.from({ length: MANY }, () => call({}, DEADLINE));
    expect(upstream.report.inFlight).toBe(MANY);
    await Promise.all(next);
  });

  it("is asked by each call that finds a slot, however little time that has", async () => {
    const { url, state } = await service();
    const { call } = caller(url, { maxInFlight: SLOTS, timeout: DEADLINE });
    await Promise.all(Array.from({ length: SLOTS }, () => call({}, DEADLINE)));
    state.replies = true;
    expect(await call({}, DEADLINE / 4)).toMatchObject({ answer: { body: "yes" } });
  });
});
