import { describe, expect, it, vi } from "vitest";
import type { PolicyRequest } from "../../src/model/request.ts";
import type { PolicyHandler } from "../../src/postfix/connection.ts";
import { formatRequest } from "../support/policy-client.ts";
import { listening, pause } from "./listening.ts";

/** Answers with the request's `n`, after as many milliseconds as its `ms` says; without one, at once. */
const echo: PolicyHandler = ({ attributes }) => {
  const answer = `INFO ${attributes.get("n")}`;
  const ms = attributes.get("ms");
  return ms === undefined ? answer : pause(Number(ms)).then(() => answer);
};

describe("a connection", () => {
  it("answers request after request", async () => {
    const { connect, listener } = await listening(echo);
    const client = await connect();
    expect(await client.ask({ n: "1" })).toBe("INFO 1");
    expect(await client.ask({ n: "2", ms: "5" })).toBe("INFO 2");
    expect(client.received).toBe("action=INFO 1\n\naction=INFO 2\n\n");
    expect(listener.requests).toBe(2);
  });

  it("answers what people type by hand", async () => {
    const { connect } = await listening(({ attributes }) => `REJECT ${attributes.get("sender")}`);
    const client = await connect();
    client.write("sender=foo@example.com\r\nclient_address=1.2.3.4\r\nclient_name=foo.bar\r\n\r\n");
    expect(await client.answers(1)).toEqual(["REJECT foo@example.com"]);
  });

  it("answers several requests of one packet in order, one at a time", async () => {
    let open = 0;
    let most = 0;
    const { connect } = await listening(async ({ attributes }) => {
      most = Math.max(most, ++open);
      await pause(Number(attributes.get("ms")));
      open--;
      return `INFO ${attributes.get("n")}`;
    });
    const client = await connect();
    client.write([30, 0, 20, 5, 0].map((ms, n) => formatRequest({ n: String(n), ms: String(ms) })).join(""));
    expect(await client.answers(5)).toEqual(["INFO 0", "INFO 1", "INFO 2", "INFO 3", "INFO 4"]);
    expect(most).toBe(1);
  });

  it("keeps the order where some answers are there at once and some are not", async () => {
    const { connect } = await listening(echo);
    const client = await connect();
    const requests = Array.from({ length: 200 }, (_, n) => {
      return formatRequest(n % 7 === 0 ? { n: `${n}`, ms: "1" } : { n: `${n}` });
    });
    client.write(requests.join(""));
    expect(await client.answers(200)).toEqual(requests.map((_, n) => `INFO ${n}`));
  });

  it("answers a request that comes byte by byte", async () => {
    const { connect } = await listening(echo);
    const client = await connect();
    for (const byte of formatRequest({ n: "slow" })) {
      client.write(byte);
      await pause(1);
    }
    expect(await client.answers(1)).toEqual(["INFO slow"]);
  });

  it("tells the handler the listener, the time, and the recipients of the message so far", async () => {
    const seen: PolicyRequest[] = [];
    const { connect } = await listening(
      (request) => {
        seen.push(request);
        return request.attributes.get("recipient") === "no@x" ? "REJECT" : "DUNNO";
      },
      { name: "submission" },
    );
    const client = await connect();
    const before = performance.now();
    for (const recipient of ["a@x", "no@x", "b@x"]) {
      await client.ask({ protocol_state: "RCPT", instance: "i", recipient });
    }
    await client.ask({ protocol_state: "DATA", instance: "i", recipient: "" });
    expect(seen.map((request) => request.recipients)).toEqual([["a@x"], ["no@x"], ["b@x"], ["a@x", "b@x"]]);
    expect(seen[0]!.listener).toBe("submission");
    expect(seen[3]!.startedAt).toBeGreaterThanOrEqual(before);
    expect(seen[3]!.startedAt).toBeLessThanOrEqual(performance.now());
    expect(new Set(seen.map(({ id }) => id)).size).toBe(4);
  });
});

describe("a client that shuts down its writing side", () => {
  it.each([{ n: "1" }, { n: "1", ms: "30" }])("still gets its answer: %j", async (request) => {
    const { connect, listener } = await listening(echo);
    const client = await connect();
    client.socket.end(formatRequest(request));
    expect(await client.untilClosed()).toBe("action=INFO 1\n\n");
    await vi.waitFor(() => expect(listener.connections).toBe(0));
  });

  it("gets the answers to all that was complete, and none to what was not", async () => {
    const { connect, lines } = await listening(echo);
    const client = await connect();
    client.socket.end(`${formatRequest({ n: "1", ms: "20" })}${formatRequest({ n: "2" })}n=3\n`);
    expect(await client.untilClosed()).toBe("action=INFO 1\n\naction=INFO 2\n\n");
    expect(lines.map((line) => line.message)).toEqual([expect.stringContaining("within a request")]);
  });

  it("without a word costs no log line", async () => {
    const { connect, lines } = await listening(echo);
    const client = await connect();
    client.socket.end();
    expect(await client.untilClosed()).toBe("");
    expect(lines).toEqual([]);
  });
});

describe("an answer that is none", () => {
  it.each<[string, PolicyHandler, RegExp | null]>([
    ["null", () => null, null],
    ["null, later", () => Promise.resolve(null), null],
    [
      "an exception",
      () => {
        throw new Error("boom");
      },
      /unexpected error/,
    ],
    ["a rejection", () => Promise.reject(new Error("boom")), /unexpected error/],
    ["a line break", () => "REJECT a\n\naction=OK", /not sent/],
    ["CR", () => "DUNNO\r", /not sent/],
    ["nothing", () => "", /not sent/],
    ["a blank first", () => " permit", /not sent/],
  ])("closes the connection without a reply, and no other: %s", async (_, handle, logged) => {
    const { connect, lines, listener } = await listening((request) =>
      request.attributes.get("n") === "ok" ? "DUNNO" : handle(request),
    );
    const client = await connect();
    const other = await connect();
    client.write(formatRequest({ n: "ok" }) + formatRequest({ n: "1" }) + formatRequest({ n: "ok" }));
    expect(await client.untilClosed()).toBe("action=DUNNO\n\n");
    expect(await other.ask({ n: "ok" })).toBe("DUNNO");
    expect(lines.map((line) => [line.level, line.message])).toEqual(
      logged === null ? [] : [["error", expect.stringMatching(logged)]],
    );
    expect(listener.requests).toBe(3);
  });
});

describe("bad input from a client", () => {
  it.each<[string, string | Buffer, string]>([
    ["a line of 1 MB", `sender=${"x".repeat(1 << 20)}\n\n`, "a line is longer"],
    ["no newline ever", Buffer.alloc(1 << 18, "x"), "a line is longer"],
    ["100,000 attributes", Array.from({ length: 100_000 }, (_, i) => `a${i}=1\n`).join(""), "attributes"],
    ["a request of many long lines", `a=${"x".repeat(30_000)}\n`.repeat(10), "the request is longer"],
    ["NUL", "sender=a\0b\n\n", "NUL"],
    ["no = in a line", "hello\n\n", 'no "=" in "hello"'],
    ["another protocol", "EHLO \x1b[2J\r\n", 'no "=" in "EHLO ?[2J"'],
    ["another request type", "request=junk\n\n", "unknown request type"],
  ])("costs a log line and that connection: %s", async (_, bytes, problem) => {
    const { connect, lines, listener } = await listening(() => "DUNNO");
    const client = await connect();
    const other = await connect();
    client.write(bytes);
    expect(await client.untilClosed()).toBe("");
    expect(await other.ask({ sender: "a@x" })).toBe("DUNNO");
    expect(lines).toHaveLength(1);
    expect(lines[0]!.message).toContain(problem);
    expect(lines[0]!.fields).toMatchObject({ peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/) });
    expect(listener.requests).toBe(1);
  });

  it.each<[string, Buffer, string]>([
    ["invalid UTF-8", Buffer.from("x=\xff\xfe\n\n", "latin1"), "\ufffd\ufffd"],
    ["__proto__", Buffer.from("__proto__=y\nconstructor=z\nx=1\n\n"), "1"],
    ["markup and escapes", Buffer.from('x="<]]>${1+1}%0d%0a..\n\n'), '"<]]>${1+1}%0d%0a..'],
  ])("may be a value like any other: %s", async (_, bytes, value) => {
    const { connect } = await listening(({ attributes }) => `INFO ${attributes.get("x")}`);
    const client = await connect();
    client.write(bytes);
    expect(await client.answers(1)).toEqual([`INFO ${value}`]);
  });
});

describe("time", () => {
  it("is limited for a request from its first byte to its last, however it trickles", async () => {
    const { connect, lines } = await listening(echo, { requestTimeout: 150 });
    const client = await connect();
    const trickle = setInterval(() => client.write("x"), 20);
    client.write("n=");
    expect(await client.untilClosed()).toBe("");
    clearInterval(trickle);
    expect(lines.map((line) => line.message)).toEqual([expect.stringContaining("did not become complete")]);
  });

  it("is not limited for a connection on which no request has begun", async () => {
    const { connect, lines } = await listening(echo, { requestTimeout: 50 });
    const client = await connect();
    client.write("\n\n");
    await pause(200);
    expect(await client.ask({ n: "1" })).toBe("INFO 1");
    await pause(200);
    expect(await client.ask({ n: "2", ms: "150" })).toBe("INFO 2");
    expect(lines).toEqual([]);
  });

  it("counts anew for each request", async () => {
    const { connect } = await listening(echo, { requestTimeout: 200 });
    const client = await connect();
    for (let n = 0; n < 4; n++) {
      client.write(`n=${n}\n`);
      await pause(90);
      client.write("\n");
      await client.answers(n + 1);
    }
    expect(client.actions).toHaveLength(4);
  });
});

describe("a client that never reads its answers", () => {
  it("is not asked for more than it takes, and is given up", async () => {
    const answer = `INFO ${"x".repeat(390)}`;
    const { connect, lines, listener } = await listening(() => answer, { requestTimeout: 300 });
    const client = await connect();
    const other = await connect();
    client.socket.pause();
    const requests = Buffer.from("a=1\n\n".repeat(10_000));
    let written = 0;
    const pump = () => {
      while (written < 100 * requests.length && !client.socket.destroyed) {
        written += requests.length;
        if (!client.socket.write(requests)) return client.socket.once("drain", pump);
      }
      return undefined;
    };
    pump();
    await vi.waitFor(() => expect(lines).toHaveLength(1), { timeout: 8000 });
    expect(lines[0]!.message).toContain("did not read its answers");
    expect(listener.requests).toBeLessThan(500_000);
    expect(await other.ask({ n: "1" })).toBe(answer);
    await vi.waitFor(() => expect(listener.connections).toBe(1));
  });

  it("gets all of them, in order, when it reads after all", async () => {
    const { connect, lines } = await listening(
      ({ attributes }) => `INFO ${attributes.get("n")} ${"x".repeat(300)}`,
    );
    const client = await connect();
    client.socket.pause();
    const count = 30_000;
    client.write(Array.from({ length: count }, (_, n) => `n=${n}\n\n`).join(""));
    await pause(300);
    let received = "";
    client.socket.removeAllListeners("data");
    const all = new Promise<void>((resolve) => {
      client.socket.on("data", (chunk) => {
        received += chunk;
        if (received.endsWith("\n\n") && received.includes(`INFO ${count - 1} `)) resolve();
      });
    });
    client.socket.resume();
    await all;
    const numbers = [...received.matchAll(/action=INFO (\d+) /g)].map((match) => Number(match[1]));
    expect(numbers).toHaveLength(count);
    expect(numbers.every((n, i) => n === i)).toBe(true);
    expect(lines).toEqual([]);
  });
});

describe("a client that is gone before its answer", () => {
  it("costs nobody anything", async () => {
    const { connect, listener } = await listening(echo);
    const client = await connect();
    const other = await connect();
    client.write(formatRequest({ n: "1", ms: "50" }));
    await vi.waitFor(() => expect(listener.requests).toBe(1));
    client.socket.resetAndDestroy();
    await vi.waitFor(() => expect(listener.connections).toBe(1));
    await pause(80);
    expect(await other.ask({ n: "2" })).toBe("INFO 2");
  });
});
