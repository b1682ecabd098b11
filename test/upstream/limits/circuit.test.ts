import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { type BreakerOptions, Circuit, countedOfOne } from "../../../src/upstream/limits/circuit.ts";
import { caller, httpService, rawService, refusingUrl } from "../harness.ts";

function circuit(options: Partial<BreakerOptions> = {}): { circuit: Circuit; states: string[] } {
  const states: string[] = [];
  const all = { failureRate: 50, minimumCalls: 4, window: 10_000, openFor: 50, ...options };
  const made = new Circuit(all, (state, detail) => states.push(`${state}: ${detail}`));
  onTestFinished(() => made.close());
  return { circuit: made, states };
}

/** Completes calls, `x` a failure and `.` a success, one after the other. */
async function completed(circuit: Circuit, calls: string): Promise<void> {
  for (const call of calls) {
    const permit = circuit.admit("");
    if (call === "x") permit?.failed("boom", []);
    else permit?.succeeded();
    await sleep(0);
  }
}

describe("a closed circuit", () => {
  it.each([
    ["opens when the rate is reached", 50, "..xx", true],
    ["opens at 100 percent when all fail", 100, "xxxx", true],
    ["stays closed below the rate", 50, "...xx", false],
    ["stays closed below the minimum of calls", 50, "xxx", false],
    ["opens at a third", 33.3, "....xx", true],
    ["forgets no success", 50, "........xxxxxxx", false],
  ])("%s", async (_name, failureRate, calls, opens) => {
    const { circuit: one, states } = circuit({ failureRate, openFor: 60_000 });
    await completed(one, calls);
    expect(states.length).toBe(opens ? 1 : 0);
    expect(one.admits("")).toBe(!opens);
  });

  it("says why it opened", async () => {
    const { circuit: one, states } = circuit({ openFor: 60_000 });
    await completed(one, "..xx");
    expect(states).toEqual([
      "open: 2 of 4 calls in the last 10 s failed, the last one so: boom; next trial in 60 s",
    ]);
  });

  it("counts calls when they are over, so that hanging ones don't hide that all fail", async () => {
    const { circuit: one } = circuit({ openFor: 60_000 });
    const hanging = Array.from({ length: 100 }, () => one.admit("")!);
    for (const permit of hanging.slice(0, 4)) permit.failed("timeout", []);
    await sleep(0);
    expect(one.admits("")).toBe(false);
  });

  it("forgets what is older than the window", async () => {
    const { circuit: one, states } = circuit({ window: 100 });
    await completed(one, "xxx");
    await sleep(150);
    await completed(one, "x..x");
    expect(states.length).toBe(1);
    expect(states[0]).toMatch(/^open: 2 of 4/);
  });
});

describe("an open circuit", () => {
  async function opened(): Promise<ReturnType<typeof circuit>> {
    const made = circuit();
    await completed(made.circuit, "xxxx");
    return made;
  }

  it("lets nothing through, then one trial at a time", async () => {
    const { circuit: one } = await opened();
    expect(one.admit("")).toBeNull();
    await expect.poll(() => one.admits("")).toBe(true);
    expect(one.admit("")).not.toBeNull();
    expect(one.admits("")).toBe(false);
    expect(one.admit("")).toBeNull();
  });

  it("closes when the trial succeeds, with a clean slate", async () => {
    const { circuit: one, states } = await opened();
    await expect.poll(() => one.admits("")).toBe(true);
    one.admit("")!.succeeded();
    await sleep(0);
    await completed(one, "xxx");
    expect(states.map((state) => state.split(":")[0])).toEqual(["open", "half-open", "closed"]);
    expect(one.admits("")).toBe(true);
  });

  it("opens again when the trial fails", async () => {
    const { circuit: one, states } = await opened();
    await expect.poll(() => one.admits("")).toBe(true);
    one.admit("")!.failed("still down", []);
    await sleep(0);
    expect(one.admits("")).toBe(false);
    expect(states.at(-1)).toMatch(/^open: the trial failed, the last one so: still down/);
  });

  it("is not closed, nor opened again, by calls from before", async () => {
    const { circuit: one, states } = circuit();
    const [early, late] = [one.admit("")!, one.admit("")!];
    await completed(one, "xxxx");
    await expect.poll(() => one.admits("")).toBe(true);
    early.succeeded();
    late.failed("timeout", []);
    await sleep(0);
    expect(states.length).toBe(2);
    expect(one.admits("")).toBe(true);
  });
});

describe("what one client asks", () => {
  /** In milliseconds; a loaded machine needs no longer. */
  const PATIENCE = 30_000;
  const breaker = { failureRate: 50, minimumCalls: 20, window: 10_000, openFor: 100 };

  /** Answers by path: `/500` and the like, and `/never`. */
  const byPath = () =>
    httpService(({ url = "" }, response) => {
      if (url !== "/never") response.writeHead(Number(url.slice(1)) || 200).end("boo");
    });

  it.each([
    ["a 500", "/500"],
    ["no reply in time", "/never"],
    ["a 429 in time", "/429"],
    ["a 408 in time", "/408"],
  ])("does not open the circuit by itself: %s", async (_name, path) => {
    // Only what is never answered may take as long: a neighbour that was slow would count.
    const timeout = path === "/never" ? 2000 : PATIENCE;
    const { callAs, circuit: changes } = caller(await byPath(), { breaker, timeout });
    for (let round = 0; round < 2; round++) {
      const attack = Array.from({ length: 30 }, () => callAs(["192.0.2.1"], { path }, PATIENCE));
      const others = Array.from({ length: 20 }, (_, n) => callAs([`198.51.100.${n}`], {}, PATIENCE));
      await Promise.all([...attack, ...others]);
    }
    await Promise.all(Array.from({ length: 60 }, () => callAs(["192.0.2.1"], { path }, PATIENCE)));
    expect(changes).toEqual([]);
  });

  it("does not either from several addresses, by one account", async () => {
    const { callAs, circuit: changes } = caller(await byPath(), { breaker });
    for (let n = 0; n < 60; n++) await callAs([`192.0.2.${n}`, "user a"], { path: "/500" });
    expect(changes).toEqual([]);
  });

  it("opens it together with what others ask", async () => {
    const { callAs, circuit: changes } = caller(await byPath(), { breaker });
    for (let n = 0; n < 20; n++) await callAs([`192.0.2.${n % 10}`], { path: "/500" });
    expect(changes).toMatchObject([{ state: "open" }]);
  });

  it("opens it where the service is not there, whoever asks", async () => {
    const { callAs, circuit: changes } = caller(await refusingUrl(), { breaker });
    for (let n = 0; n < 20; n++) await callAs(["192.0.2.1"]);
    expect(changes).toMatchObject([{ state: "open" }]);
  });

  it.each([
    [1, 1],
    [2, 1],
    [6, 1],
    [12, 2],
    [20, 3],
    [1000, 3],
  ])("counts, of %i calls that it takes at 50 percent, %i times", (minimumCalls, times) => {
    expect(countedOfOne({ failureRate: 50, minimumCalls })).toBe(times);
  });

  async function halfOpen() {
    const made = circuit();
    await completed(made.circuit, "xxxx");
    await expect.poll(() => made.circuit.admits("")).toBe(true);
    return made;
  }

  it("does not keep it open: the next trial is another's", async () => {
    const { circuit: one, states } = await halfOpen();
    one.admit("a")!.failed("boo", ["a"]);
    expect(one.admit("a")).toBeNull();
    one.admit("b")!.succeeded();
    expect(states.map((state) => state.split(":")[0])).toEqual(["open", "half-open", "half-open", "closed"]);
  });

  it("keeps it open where several have failed", async () => {
    const { circuit: one, states } = await halfOpen();
    for (const client of ["a", "b", "c"]) one.admit(client)!.failed("boo", [client]);
    expect(one.admit("d")).toBeNull();
    expect(states.at(-1)).toMatch(/^open: the trial failed, the last one so: boo/);
  });

  it("is tried again after a while where nobody else asks", async () => {
    const { circuit: one } = await halfOpen();
    for (let n = 0; n < 3; n++) {
      one.admit("a")!.failed("boo", ["a"]);
      expect(one.admits("a")).toBe(false);
      await expect.poll(() => one.admits("a")).toBe(true);
    }
  });

  it("closes it with a 429 in time: the service is there", async () => {
    const { circuit: one, states } = await halfOpen();
    one.admit("a")!.declined();
    expect(states.at(-1)).toMatch(/^closed/);
  });
});

describe("the circuit of a service", () => {
  const breaker = { failureRate: 50, minimumCalls: 5, window: 10_000, openFor: 100 };

  it("opens in a burst of 500s, answers at once meanwhile, and closes when the service is well again", async () => {
    let [status, calls] = [500, 0];
    const url = await httpService((_request, response) => {
      calls++;
      response.writeHead(status).end("boo");
    });
    const { call, circuit: changes } = caller(url, { breaker: { ...breaker, openFor: 300 } });
    for (let i = 0; i < 5; i++) expect((await call()).answer).toMatchObject({ cause: "http_5xx" });
    expect(changes).toMatchObject([{ url, state: "open" }]);
    expect(await call()).toMatchObject({ answer: { cause: "circuit_open" }, attempts: 0 });
    expect(calls).toBe(5);

    status = 200;
    await expect.poll(async () => (await call()).answer, { timeout: 5000 }).toMatchObject({ body: "boo" });
    expect(changes.map(({ state }) => state)).toEqual(["open", "half-open", "closed"]);
  });

  it("opens on a black hole, and a trial that the deadline cuts is a failure", async () => {
    const { call, circuit: changes } = caller(await rawService(() => {}), { breaker, timeout: 5000 });
    await Promise.all(Array.from({ length: 20 }, () => call({}, 60)));
    expect(changes.map(({ state }) => state)).toEqual(["open"]);
    await expect.poll(async () => (await call({}, 60)).attempts).toBe(1);
    expect(changes.map(({ state }) => state).slice(0, 3)).toEqual(["open", "half-open", "open"]);
  });

  it("is not opened by answers, 4xx or unusable replies", async () => {
    let calls = 0;
    const url = await httpService((_request, response) =>
      response.writeHead([200, 301, 403, 404][calls++ % 4]!).end("boo"),
    );
    const { call, circuit: changes } = caller(url, { breaker });
    for (let i = 0; i < 20; i++) await call();
    expect(changes).toEqual([]);
  });

  it.each([
    ["too large", `HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n${"x".repeat(2000)}`],
    ["cut off", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhal"],
    ["not HTTP", "220 mail.example.org ESMTP\r\n"],
  ])("is not opened by replies that are unusable: %s", async (_name, bytes) => {
    const url = await rawService((socket) => socket.once("data", () => socket.end(bytes)));
    const { call, circuit: changes } = caller(url, { breaker, maxReplySize: 1000 });
    for (let i = 0; i < 20; i++) expect((await call()).answer).toMatchObject({ cause: "bad_reply" });
    expect(changes).toEqual([]);
  });

  it("gives the last attempt's cause, without a pause, when it opens under a call", async () => {
    const url = await httpService((_request, response) => response.writeHead(503).end());
    const once = { ...breaker, minimumCalls: 1, openFor: 60_000 };
    const retry = { attempts: 3, backoff: 60_000, maxBackoff: 60_000 };
    const { call } = caller(url, { breaker: once, retry });
    expect(await call({}, 120_000)).toMatchObject({ answer: { cause: "http_5xx" }, attempts: 1 });
  });
});

describe("the report of a circuit", () => {
  it("says since when the service has been down, also after failed trials, and what went wrong last", async () => {
    const { circuit: one } = circuit({ openFor: 30 });
    expect(one.report).toEqual({ state: "closed", openSince: null, lastFailure: "" });
    const before = Date.now();
    await completed(one, "xxxx");
    const { openSince } = one.report;
    expect(openSince).toBeGreaterThanOrEqual(before);
    await expect.poll(() => one.report.state).toBe("half-open");
    one.admit("")?.failed("still down", []);
    expect(one.report).toEqual({ state: "open", openSince, lastFailure: "still down" });
    await expect.poll(() => one.report.state).toBe("half-open");
    one.admit("")?.succeeded();
    expect(one.report).toEqual({ state: "closed", openSince: null, lastFailure: "" });
  });
});
