/** Remembered replies and shared calls on the way of a request, where a mapping or the service takes its time. */
import { describe, expect, it, onTestFinished } from "vitest";
import { AuthorizationService } from "../support/service.ts";
import { open } from "./bridge.ts";

/** A module that answers the first reply at once, and the same reply later, or any other, when `again` lets it. */
const moduleWith = (again: string) => `
  let first = true;
  export const toRequest = () => ({ path: "/check", body: "{}" });
  export const toAction = async () => {
    if (first) {
      first = false;
      return "DUNNO";
    }
    ${again}
  };`;

async function bridgeWith(again: string, ttl: string, deadline = "400ms") {
  const service = await AuthorizationService.start(() => ({ body: {} }));
  onTestFinished(() => service.stop());
  const corp = {
    url: service.url,
    mapping: "./slow.mjs",
    deadline,
    timeout: "300ms",
    retry: { attempts: 1 },
    on_failure: "WARN default",
    cache: { ttl },
  };
  const bridge = await open({ services: { corp } }, { "slow.mjs": moduleWith(again) });
  expect(await bridge.ask()).toBe("DUNNO");
  return { bridge, service };
}

const NEVER = "return new Promise(() => {});";
const SOON = "await new Promise((resolve) => setTimeout(resolve, 5)); return 'DUNNO';";

describe("a module that reads a remembered reply", () => {
  it.each([
    ["fresh", "1h"],
    ["stale", "0s"],
  ])("and never ends makes no decision late: %s", async (_, ttl) => {
    const { bridge, service } = await bridgeWith(NEVER, ttl);
    service.answering = () => ({ status: 503 });
    const start = performance.now();
    expect(await bridge.ask()).toBe("WARN default");
    expect(performance.now() - start).toBeLessThan(900);
  });

  it("still has the time for it when the service has used up the deadline", async () => {
    // The attempt's time and the deadline are one: nothing is left when the call has failed.
    const { bridge, service } = await bridgeWith(SOON, "0s", "300ms");
    service.answering = () => new Promise(() => {});
    expect(await bridge.ask()).toBe("DUNNO");
    expect(bridge.lines.at(-1)).toMatchObject({ source: "stale", cause: "timeout" });
  });
});

describe("identical requests, one after the other, to a service that hangs", () => {
  it("make no call each when the deadline of the first ends theirs", async () => {
    const service = await AuthorizationService.start(() => new Promise(() => {}));
    onTestFinished(() => service.stop());
    const gate = { request: { json: { sender: "${sender}" } }, response: [{ action: "DUNNO" }] };
    const time = { timeout: "500ms", deadline: "500ms", retry: { attempts: 1 } };
    const breaker = { minimum_calls: 1000 };
    const corp = { url: service.url, mapping: "./gate.yaml", ...time, breaker, cache: {} };
    const bridge = await open({ services: { corp } }, { "gate.yaml": gate });
    const answers: Promise<string | null>[] = [];
    for (let i = 0; i < 60; i++) {
      answers.push(bridge.ask());
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(new Set(await Promise.all(answers)).size).toBe(1);
    expect(service.calls.length).toBeLessThan(15);
  });
});
