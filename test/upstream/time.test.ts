import { describe, expect, it } from "vitest";
import { Deadline } from "../../src/time/deadline.ts";
import { caller, httpService, POST, permitted, rawService } from "./harness.ts";

/** Milliseconds that a busy machine may add, beside those in which it did not let this process run. */
const MARGIN = 400;
const TICK = 5;

/** What came of it, the milliseconds that it took, and those of them in which this process ran. */
async function timed<T>(work: () => Promise<T>): Promise<[result: T, ms: number, own: number]> {
  const started = performance.now();
  let [last, lost] = [started, 0];
  const timer = setInterval(() => {
    const now = performance.now();
    lost += Math.max(0, now - last - 2 * TICK);
    last = now;
  }, TICK);
  const result = await work();
  clearInterval(timer);
  const ms = performance.now() - started;
  return [result, ms, ms - lost - Math.max(0, started + ms - last - 2 * TICK)];
}

const silent = () => rawService(() => {});

const dripping = () =>
  rawService((socket) => {
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    const timer = setInterval(() => socket.write("x"), 20);
    socket.on("close", () => clearInterval(timer));
  });

describe("the time limits", () => {
  it.each([
    ["accepts and says nothing", silent, /waiting for the reply/],
    ["sends a byte at a time", dripping, /reading the reply, \d+ bytes so far/],
  ])("cut an attempt when the service %s", async (_name, service, detail) => {
    const { failure } = caller(await service(), { timeout: 150 });
    const [answer, ms, own] = await timed(() => failure());
    expect(answer).toMatchObject({ cause: "timeout", detail: expect.stringMatching(detail) });
    expect(ms).toBeGreaterThanOrEqual(150);
    expect(own).toBeLessThan(150 + MARGIN);
  });

  it.each([
    ["accepts and says nothing", silent],
    ["sends a byte at a time", dripping],
  ])(
    "end the whole call, with all its attempts, at the deadline when the service %s",
    async (_name, service) => {
      const retry = { attempts: 10, backoff: 1, maxBackoff: 1 };
      const { call } = caller(await service(), { timeout: 120, retry });
      const [{ answer, attempts }, , own] = await timed(() => call({}, 300));
      expect(answer).toMatchObject({ cause: "timeout" });
      expect(attempts).toBeGreaterThan(1);
      expect(own).toBeLessThan(300 + MARGIN);
    },
  );

  it("close the connection of a call that was given up", async () => {
    let closed = 0;
    const url = await rawService((socket) => socket.resume().on("close", () => closed++));
    await caller(url, { timeout: 50 }).failure();
    await expect.poll(() => closed).toBe(1);
  });

  it("hold for a mapping that thinks too long, which the service is not blamed for", async () => {
    const url = await httpService((_request, response) => response.end("yes"));
    const breaker = { failureRate: 1, minimumCalls: 1, window: 10_000, openFor: 60_000 };
    const { upstream, circuit } = caller(url, { breaker });
    const never = () => new Promise<never>(() => {});
    const [{ answer }, , own] = await timed(() =>
      upstream.call({ request: POST, id: "id", deadline: new Deadline(100), interpret: never }),
    );
    expect(answer).toMatchObject({ cause: "timeout", detail: expect.stringMatching(/the mapping/) });
    expect(own).toBeLessThan(100 + MARGIN);
    expect(circuit).toEqual([]);
  });

  it("hold for credentials that don't come", async () => {
    const url = await httpService((_request, response) => response.end("yes"));
    const authenticator = { headerNames: [], headers: () => new Promise<never>(() => {}) };
    const [answer, , own] = await timed(() => caller(url, { authenticator }).failure(100));
    expect(answer).toMatchObject({ cause: "timeout", detail: expect.stringMatching(/credentials/) });
    expect(own).toBeLessThan(100 + MARGIN);
  });
});

describe("max_in_flight", () => {
  it("lets no more attempts through at once, and the others wait their turn", async () => {
    let [now, most] = [0, 0];
    const order: (string | undefined)[] = [];
    const url = await httpService((request, response) => {
      most = Math.max(most, ++now);
      order.push(request.url);
      setTimeout(() => {
        now--;
        response.end("yes");
      }, 20);
    });
    const { call } = caller(url, { maxInFlight: 2 });
    const paths = Array.from({ length: 10 }, (_, i) => `/${i}`);
    const results = await Promise.all(paths.map((path) => call({ path })));
    expect(results.every(({ answer }) => "body" in answer)).toBe(true);
    expect(most).toBe(2);
    expect(order.slice(2)).toEqual(paths.slice(2));
  });

  it("is an overload for those who never got a slot, within their deadline", async () => {
    const url = await silent();
    const { call } = caller(url, { maxInFlight: 1, timeout: 400 });
    const first = call();
    const [results, ms] = await timed(() => Promise.all(Array.from({ length: 2000 }, () => call({}, 100))));
    for (const { answer, attempts } of results) {
      expect(answer).toMatchObject({ cause: "overload" });
      expect(attempts).toBe(0);
    }
    expect(ms).toBeLessThan(100 + MARGIN);
    expect((await first).answer).toMatchObject({ cause: "timeout" });
  });

  it("still answers as many as the service can take when twice as many come", async () => {
    const url = await httpService((_request, response) => setTimeout(() => response.end("yes"), 50));
    const { call } = caller(url, { maxInFlight: 2, timeout: 1000 });
    // Two at once, 50 ms each: forty a second. Eighty come.
    const results = [];
    for (let i = 0; i < 80; i++) {
      results.push(call({}, 300));
      await new Promise((resolve) => setTimeout(resolve, 12));
    }
    const ends = (await Promise.all(results)).map(({ answer }) =>
      "cause" in answer ? answer.cause : "answer",
    );
    expect(ends.filter((end) => end === "answer").length).toBeGreaterThan(20);
    expect(ends.filter((end) => end === "timeout").length).toBeLessThan(10);
  });
});

describe("close", () => {
  it("lets calls under way finish, and leaves nothing open", async () => {
    const url = await httpService((_request, response) => setTimeout(() => response.end("yes"), 100));
    const before = sockets();
    const { upstream, call } = caller(url);
    const pending = call();
    let closed = false;
    const closing = upstream.close().then(() => {
      closed = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(closed).toBe(false);
    expect((await pending).answer).toMatchObject({ body: "yes" });
    await closing;
    await expect.poll(sockets).toBeLessThanOrEqual(before);
  });

  it("still makes the calls of decisions that began before", async () => {
    const url = await httpService((_request, response) => response.end("yes"));
    const { upstream } = caller(url);
    await upstream.close();
    const { answer } = await upstream.call({
      request: POST,
      id: "id",
      deadline: new Deadline(1000),
      interpret: permitted,
    });
    expect(answer).toMatchObject({ body: "yes" });
  });
});

function sockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;
}
