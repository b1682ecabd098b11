/** Failures that are this machine's own: said so, and never held against the service. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it, onTestFinished } from "vitest";
import { failureOf } from "../../src/upstream/transport/errors.ts";
import { caller, httpService } from "./harness.ts";

const PROGRESS = {
  url: "https://authz.example.com",
  hostname: "authz.example.com",
  replyBegun: false,
  status: 0,
  received: 0,
  tls: null,
};
const EVERY_FAILURE_OPENS = { failureRate: 1, minimumCalls: 1, window: 10_000, openFor: 60_000 };

describe("a failure that is the bridge's own", () => {
  it.each([
    ["EMFILE", /LimitNOFILE/],
    ["ENFILE", /fs\.file-max/],
    ["ENOMEM", /memory/],
    ["EAI_MEMORY", /memory/],
    ["ENOBUFS", /tcp_mem/],
    ["EADDRNOTAVAIL", /ip_local_port_range/],
    ["EAGAIN", /ulimit -u/],
  ])("is an overload that says what to do: %s", (code, advice) => {
    const error = Object.assign(new Error("connect"), { code });
    expect(failureOf(error, PROGRESS)).toMatchObject({
      cause: "overload",
      blameless: true,
      detail: expect.stringMatching(advice),
    });
  });

  it.each(["EAI_AGAIN", "ECONNREFUSED", "ENETUNREACH", "ETIMEDOUT"])("is not %s", (code) => {
    const error = Object.assign(new Error("connect"), { code });
    expect(failureOf(error, PROGRESS).cause).toBe("unreachable");
  });

  it.each(["127.0.0.1", "localhost", "authz.example.com"])(
    "opens no circuit when no descriptor is left to call %s, and passes",
    async (host) => {
      const url = new URL(await httpService((_request, response) => response.end("yes")));
      url.hostname = host;
      const { call, failure, circuit } = caller(url.href, { breaker: EVERY_FAILURE_OPENS });
      const limit = await openFileLimit();
      await limit.lower();
      const failed = await failure().finally(limit.restore);
      expect(failed).toMatchObject({ cause: "overload", detail: expect.stringMatching(/LimitNOFILE/) });
      expect(circuit).toEqual([]);
      if (host !== "authz.example.com") expect((await call()).answer).toMatchObject({ body: "yes" });
    },
  );

  it("opens no circuit when credentials cannot be had for it", async () => {
    const url = await httpService((_request, response) => response.end("yes"));
    const error = Object.assign(new Error("open"), { code: "EMFILE" });
    const authenticator = { headerNames: [], headers: () => Promise.reject(error) };
    const { failure, circuit } = caller(url, { authenticator, breaker: EVERY_FAILURE_OPENS });
    expect(await failure()).toMatchObject({
      cause: "overload",
      detail: expect.stringMatching(/credentials/),
    });
    expect(circuit).toEqual([]);
  });
});

/** Lets this process open nothing more. A process that is there beforehand does it: none can be started then. */
async function openFileLimit() {
  const shell = spawn("sh", { stdio: ["pipe", "pipe", "inherit"] });
  const tell = async (command: string) => {
    shell.stdin.write(`${command}; echo done\n`);
    await once(shell.stdout, "data");
  };
  const set = (soft: number | string) => tell(`prlimit --pid ${process.pid} --nofile=${soft}:`);
  shell.stdin.write("ulimit -Sn\n");
  const before = String((await once(shell.stdout, "data"))[0]).trim();
  onTestFinished(() => {
    shell.kill();
  });
  return {
    // Those that are open stay so.
    lower: () => set(3),
    restore: () => set(before),
  };
}
