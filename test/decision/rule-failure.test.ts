/** A 200 that a rule takes for trouble goes the way of every failure of that cause: from the mapping to the circuit. */
import { describe, expect, it } from "vitest";
import { service } from "../commands/services.ts";
import { open } from "./bridge.ts";

const MAPPING = {
  request: { json: { sender: "${sender}" } },
  response: [
    { when: "body.?error != null", failure: "http_5xx", detail: "it says ${body.error}" },
    { when: "body.allowed == true", action: "DUNNO" },
    { when: "body.allowed == false", action: "REJECT" },
  ],
};

function configured(url: string, more: object = {}) {
  const corp = { url, mapping: "./m.yaml", retry: { attempts: 2, backoff: "1ms" }, ...more };
  return open({ services: { corp } }, { "m.yaml": MAPPING });
}

const trouble = { status: 200, body: { allowed: false, error: "LDAP is away" } };

describe("a failure out of a rule", () => {
  it("is tried again, and the answer that then comes counts", async () => {
    let calls = 0;
    const { url } = await service(() => (++calls === 1 ? trouble : { status: 200, body: { allowed: true } }));
    const { ask, lines } = await configured(url);
    expect(await ask()).toBe("DUNNO");
    expect(lines.at(-1)).toMatchObject({ source: "upstream", attempts: 2, rule: 2 });
  });

  it("is answered by on_failure, and the log tells what the service said", async () => {
    const { ask, lines } = await configured((await service(() => trouble)).url);
    expect(await ask()).toMatch(/^DEFER /);
    expect(lines.at(-1)).toMatchObject({
      source: "default",
      cause: "http_5xx",
      status: 200,
      attempts: 2,
      detail: expect.stringContaining("rule 1: it says LDAP is away"),
    });
  });

  it("counts for the circuit", async () => {
    const breaker = { minimum_calls: 2, open_for: "1m" };
    const { ask, lines } = await configured((await service(() => trouble)).url, { breaker });
    await ask();
    await ask();
    expect(lines.at(-1)).toMatchObject({ cause: "circuit_open", attempts: 0 });
  });

  it("is not remembered, and what was remembered answers in its place", async () => {
    let isWell = true;
    const { url } = await service(() => (isWell ? { status: 200, body: { allowed: true } } : trouble));
    const { ask, lines } = await configured(url, { cache: { ttl: "1ms", stale_if_error: "1h" } });
    await ask();
    isWell = false;
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(await ask()).toBe("DUNNO");
    expect(lines.at(-1)).toMatchObject({ source: "stale", cause: "http_5xx" });
  });
});
