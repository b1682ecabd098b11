import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { fairness } from "../../src/decision/fairness.ts";
import { policyRequest } from "../../src/model/request.ts";
import { GATE, service } from "../commands/services.ts";
import { open } from "./bridge.ts";

const [A, B] = ["192.0.2.1", "198.51.100.1"];

describe("who is one asker", () => {
  const request = (attributes: Record<string, string>) => policyRequest(new Map(Object.entries(attributes)));

  it.each([
    ["client_address", { client_address: A, sasl_username: "Ann" }, A, [A, "user ann"]],
    ["client_address", { client_address: A, sasl_username: "" }, A, [A]],
    ["client_address", { client_address: "2001:db8:0:7::25" }, "2001:db8:0:7::/64", ["2001:db8:0:7::/64"]],
    ["client_address", { client_address: "unknown" }, "unknown", ["unknown"]],
    ["client_address", {}, "", []],
    ["sasl_username", { client_address: A, sasl_username: "Ann" }, "user ann", ["user ann"]],
    ["sasl_username", { client_address: A, sasl_username: A }, `user ${A}`, [`user ${A}`]],
    ["sasl_username", { client_address: A }, A, [A]],
    [false, { client_address: A, sasl_username: "ann" }, "", []],
  ] as const)("by %s, of %j", (by, attributes, subject, blamed) => {
    const found = fairness(by);
    expect(found.subjectOf(request(attributes))).toBe(subject);
    expect(found.blamedOf(request(attributes))).toEqual(blamed);
  });
});

/** A service that needs half a second for what is sent by slow@…, and a bridge with four slots. */
async function narrow(more: object = {}) {
  const corp = await service(async ({ json }) => {
    if (String(json?.sender).startsWith("slow")) await sleep(500);
    return { body: { allowed: false } };
  });
  const config = {
    url: corp.url,
    mapping: "./gate.yaml",
    max_in_flight: 4,
    deadline: "800ms",
    on_failure: "fail-open",
  };
  return open({ services: { corp: { ...config, ...more } } }, { "gate.yaml": GATE });
}

const slow = (client_address: string, n = 0) => ({ client_address, sender: "slow@x", recipient: `${n}@x` });

/** What a call takes is known then, so that nobody waits to the very end; all of them have this sender's address. */
async function afterOthers(ask: Awaited<ReturnType<typeof narrow>>["ask"], client_address: string) {
  await Promise.all([1, 2, 3, 4].map((n) => ask(slow(client_address, -n))));
}

describe("an overload that a sender has brought about", () => {
  it("is not what fail-open lets pass", async () => {
    const { ask, lines } = await narrow();
    await afterOthers(ask, B);
    const answers = await Promise.all([1, 2, 3, 4, 5, 6].map((n) => ask(slow(A, n))));
    expect(answers.map((action) => action?.split(" ")[0])).toEqual([
      ...["REJECT", "REJECT"],
      ...["DEFER", "DEFER", "DEFER", "DEFER"],
    ]);
    expect(lines.find(({ cause }) => cause === "overload")).toMatchObject({
      detail: `no slot became free for ${A} in time: it has its share of the 4 calls at once (max_in_flight) that corp gets already, and the rest is kept for others (fair)`,
    });
  });

  it.each([
    ["a table names it", { on_failure: { overload: "fail-open" } }, B, 4],
    ["nobody else has asked", {}, A, 2],
    ["nobody is told from others", { fair: false }, B, 2],
  ])("is where %s", async (_case, more, before, passed) => {
    const { ask } = await narrow(more);
    await afterOthers(ask, before);
    const answers = await Promise.all([1, 2, 3, 4, 5, 6].map((n) => ask(slow(A, n))));
    expect(answers.filter((action) => action === "DUNNO")).toHaveLength(passed);
  });
});

describe("a call that waits for its sender's share", () => {
  it("holds up nobody who asks the same", async () => {
    const { ask } = await narrow({ cache: { ttl: "1ms", stale_if_error: "0s" } });
    await afterOthers(ask, "203.0.113.9");
    const attack = [5, 6].map((n) => ask(slow(A, n)));
    const same = { sender: "other@x", recipient: "b@x" };
    const waits = ask({ ...same, client_address: A });
    await sleep(50);
    expect(await ask({ ...same, client_address: B })).toBe("REJECT 5.7.1 no");
    await Promise.all([...attack, waits]);
  });
});
