/** One line for each decision, with what README promises, and never a secret. */
import { expect, it } from "vitest";
import { GATE, permitting, service } from "../commands/services.ts";
import { open } from "./bridge.ts";

const FILES = { "gate.yaml": GATE };
const POSTFIX = {
  protocol_state: "RCPT",
  client_address: "192.0.2.1",
  sasl_username: "alice",
  sender: "a@example.net",
  recipient: "b@example.org",
  queue_id: "8045F2AB23",
  instance: "123.456.7",
  policy_context: "submission",
};

it("has who asked what, and what came of it", async () => {
  const { url } = await service(() => ({ body: { allowed: false, reason: "no" } }));
  const { ask, lines } = await open({ services: { corp: { url, mapping: "./gate.yaml" } } }, FILES);
  await ask({ ...POSTFIX, helo_name: "not logged" });
  expect(lines).toEqual([
    {
      level: "info",
      msg: "decision",
      request_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      listener: "test",
      service: "corp",
      mapping: "./gate.yaml",
      action: "REJECT 5.7.1 no",
      source: "upstream",
      rule: 2,
      status: 200,
      attempts: 1,
      ms: expect.any(Number),
      ...POSTFIX,
    },
  ]);
});

it("has the cause and its detail where on_failure answered, and is a warning then", async () => {
  const { url } = await service(() => ({ status: 404 }));
  const { ask, lines } = await open({ services: { corp: { url, mapping: "./gate.yaml" } } }, FILES);
  await ask(POSTFIX);
  expect(lines).toEqual([
    expect.objectContaining({
      level: "warn",
      msg: "decision",
      source: "default",
      cause: "http_4xx",
      detail: expect.stringMatching(/404/),
      status: 404,
      attempts: 1,
      ...POSTFIX,
    }),
  ]);
  expect(lines[0]).not.toHaveProperty("rule");
});

it("has the service's request id, new for each decision", async () => {
  const corp = await permitting();
  const { ask, lines } = await open({ services: { corp: { url: corp.url, mapping: "./gate.yaml" } } }, FILES);
  await ask();
  await ask();
  const ids = lines.map(({ request_id }) => request_id);
  expect(new Set(ids).size).toBe(2);
  expect(corp.calls.map(({ headers }) => headers["x-request-id"])).toEqual(ids);
});

it.each([
  ["a bearer token", { auth: { bearer: "tok-123456" } }, /tok-123456/],
  [
    "a password",
    { auth: { basic: { username: "u", password: "pass-123456" } } },
    /pass-123456|dTpwYXNzLTEyMzQ1Ng/,
  ],
  ["a header", { headers: { "x-key": { env: "PFXBRIDGE_TEST_KEY" } } }, /key-123456/],
])("%s that the reply echoes is masked in the action", async (_name, corp, secret) => {
  process.env.PFXBRIDGE_TEST_KEY = "key-123456";
  const { url } = await service(({ headers }) => ({
    body: { allowed: false, reason: `${headers.authorization ?? ""} ${headers["x-key"] ?? ""}` },
  }));
  const { ask } = await open({ services: { corp: { url, mapping: "./gate.yaml", ...corp } } }, FILES);
  const action = await ask();
  expect(action).toContain("***");
  expect(action).not.toMatch(secret);
});

it("has the batch by which it was asked about, whose id the service got", async () => {
  const { url, calls } = await service(({ json }) => ({
    body: { evaluations: [json?.evaluations].flat().map(() => ({ decision: true })) },
  }));
  const batching = { services: { corp: { url, mapping: "authzen", batch: { max: 2, wait: "1s" } } } };
  const { ask, lines } = await open(batching);
  await Promise.all([ask(POSTFIX), ask({ ...POSTFIX, recipient: "c@example.org" })]);
  const [call] = calls;
  expect(calls).toHaveLength(1);
  for (const line of lines)
    expect(line).toMatchObject({ batch_id: call?.headers["x-request-id"], status: 200 });
  expect(lines.map(({ request_id }) => request_id).join(", ")).toBe(call?.headers["x-request-ids"]);
});
