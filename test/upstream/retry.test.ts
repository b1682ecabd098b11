import { describe, expect, it } from "vitest";
import type { Failure } from "../../src/model/failure.ts";
import { Deadline } from "../../src/time/deadline.ts";
import { pauseAfter, retry as tryAgain } from "../../src/upstream/retry.ts";
import { caller, httpService, rawService, refusingUrl } from "./harness.ts";

const retry = { attempts: 3, backoff: 5, maxBackoff: 20 };

/** Replies with one status after the other, the last one from then on. */
function statuses(...replies: readonly (readonly [number, Record<string, string>?])[]) {
  let calls = 0;
  return httpService((_request, response) => {
    const [status, headers] = replies[Math.min(calls++, replies.length - 1)]!;
    response.writeHead(status, headers).end("boo");
  });
}

describe("trying again", () => {
  it.each([
    ["500", 500],
    ["503", 503],
    ["429", 429],
    ["408", 408],
  ])("helps where the service's condition passes: %s", async (_name, status) => {
    const { call } = caller(await statuses([status], [status], [200]), { retry });
    expect(await call()).toMatchObject({ answer: { body: "boo" }, status: 200, attempts: 3 });
  });

  it.each([
    ["400", 400, "http_4xx"],
    ["401", 401, "http_4xx"],
    ["403", 403, "http_4xx"],
    ["404", 404, "http_4xx"],
    ["301", 301, "bad_reply"],
  ])("is not done where it would not: %s", async (_name, status, cause) => {
    const { call } = caller(await statuses([status], [200]), { retry });
    expect(await call()).toMatchObject({ answer: { cause }, status, attempts: 1 });
  });

  it("ends after the last attempt with that one's cause", async () => {
    const { call } = caller(await statuses([500], [500], [429], [200]), { retry });
    expect(await call()).toMatchObject({ answer: { cause: "http_4xx" }, status: 429, attempts: 3 });
  });

  it("goes on after an attempt that timed out", async () => {
    let calls = 0;
    const url = await httpService((_request, response) => {
      if (++calls > 1) response.end("yes");
    });
    const { call } = caller(url, { retry, timeout: 400 });
    const { answer, attempts } = await call();
    expect(answer).toMatchObject({ body: "yes" });
    expect(attempts).toBeGreaterThan(1);
  });

  it.each(["circuit_open", "overload"] as const)(
    "ends with what the service said when another attempt could not begin: %s",
    async (cause) => {
      const first = { cause: "http_5xx", detail: "status 500", status: 500 } as const;
      const call = {
        deadline: new Deadline(1000),
        admits: () => true,
        expectedLatency: 0,
        attempt: async () => ({ cause, detail: "no attempt" }),
      };
      expect(await tryAgain(call, first, retry)).toBe(first);
    },
  );

  it("waits at least as long as Retry-After says", async () => {
    const { call } = caller(await statuses([429, { "retry-after": "1" }], [200]), { retry });
    const started = performance.now();
    expect(await call({}, 5000)).toMatchObject({ status: 200, attempts: 2 });
    expect(performance.now() - started).toBeGreaterThanOrEqual(995);
  });

  it("is given up at once when Retry-After is past the deadline", async () => {
    const { call } = caller(await statuses([503, { "retry-after": "60" }], [200]), { retry });
    const started = performance.now();
    expect(await call({}, 1500)).toMatchObject({
      answer: { cause: "http_5xx", retryAfter: 60_000 },
      attempts: 1,
    });
    expect(performance.now() - started).toBeLessThan(1000);
  });

  it.each([
    ["is begun when it can end in time", 1000, 1],
    ["is not begun when it takes longer than there is time, as far as can be known", 60_000, 0],
  ])("%s", async (_name, expectedLatency, expected) => {
    const first: Failure = { cause: "timeout", detail: "the first" };
    let attempts = 0;
    const call = {
      deadline: new Deadline(30_000),
      admits: () => true,
      expectedLatency,
      attempt: async () => {
        attempts++;
        return { body: "yes" };
      },
    };
    const options = { attempts: 2, backoff: 1, maxBackoff: 1 };
    expect(await tryAgain(call, first, options)).toEqual(expected === 1 ? { body: "yes" } : first);
    expect(attempts).toBe(expected);
  });

  it("leaves alone a service that takes longer than there is time left", async () => {
    let [status, asked] = [200, 0];
    const url = await httpService((_request, response) => {
      asked++;
      setTimeout(() => response.writeHead(status).end(), 200);
    });
    const { call } = caller(url, { retry: { attempts: 3, backoff: 1, maxBackoff: 1 } });
    for (let n = 0; n < 4; n++) await call();
    [status, asked] = [503, 0];
    expect((await call({}, 390)).attempts).toBe(1);
    expect(asked).toBe(1);
  });

  it("pauses between nothing and the doubled back-off, at most max_backoff", () => {
    const failure = { cause: "timeout", detail: "" } as const;
    const options = { attempts: 9, backoff: 50, maxBackoff: 500 };
    const longest = [1, 2, 3, 4, 5, 6].map((n) => pauseAfter(n, failure, options, 1));
    expect(longest).toEqual([50, 100, 200, 400, 500, 500]);
    expect(pauseAfter(3, failure, options, 0)).toBe(0);
    expect(pauseAfter(3, { ...failure, retryAfter: 700 }, options, 0.5)).toBe(700);
  });
});

describe("several URLs", () => {
  it("are tried in order: the second answers when the first refuses", async () => {
    const second = await httpService((_request, response) => response.end("second"));
    const { call } = caller([await refusingUrl(), second], { retry });
    expect(await call()).toMatchObject({ answer: { body: "second" }, attempts: 2 });
  });

  it("leave the first alone while its circuit is open", async () => {
    let first = 0;
    const urls = [
      await rawService((socket) => {
        first++;
        socket.destroy();
      }),
      await httpService((_request, response) => response.end("second")),
    ];
    const breaker = { failureRate: 50, minimumCalls: 2, window: 10_000, openFor: 60_000 };
    const { call, circuit } = caller(urls, { retry, breaker });
    await call();
    await call();
    expect(circuit).toMatchObject([{ url: urls[0], state: "open" }]);
    const before = first;
    for (let i = 0; i < 5; i++) {
      expect(await call()).toMatchObject({ answer: { body: "second" }, attempts: 1 });
    }
    expect(first).toBe(before);
  });

  it("come round to the first again when there are attempts left", async () => {
    const { call } = caller([await statuses([500], [200]), await refusingUrl()], { retry });
    expect(await call()).toMatchObject({ status: 200, attempts: 3 });
  });
});
