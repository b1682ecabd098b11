import { expect, it } from "vitest";
import { GATE, service } from "../commands/services.ts";
import { open } from "./bridge.ts";

const POSTFIX = {
  sender: "Alice.Ü@example.net",
  recipient: "bob@example.org",
  sasl_username: "al",
  client_address: "192.0.2.1",
};
const KEY = "0123456789abcdef0123456789abcdef";
const FIELDS = ["sender", "recipient", "sasl_username", "client_address"];
async function logged(redact: unknown, reply: object, more: object = {}) {
  const { url } = await service(() => reply);
  const opened = await open(
    { services: { corp: { url, mapping: "./gate.yaml", retry: { attempts: 1 } } }, log: { redact, ...more } },
    { "gate.yaml": GATE },
  );
  return opened;
}

it("masks the values in their members, and wherever action and detail repeat them", async () => {
  const reason =
    "BOB@example.org unknown (bob%40example.org), from [192.0.2.1] al: alice.ü@example.net, not also 1192.0.2.1";
  const { ask, lines } = await logged(FIELDS, { body: { allowed: false, reason } });
  expect(await ask(POSTFIX)).toBe(`REJECT 5.7.1 ${reason}`);
  expect(lines[0]).toMatchObject({
    sender: "***",
    recipient: "***",
    sasl_username: "***",
    client_address: "***",
  });
  expect(lines[0]?.action).toBe("REJECT 5.7.1 *** unknown (***), from [***] ***: ***, not also 1***");
  expect(JSON.stringify(lines)).not.toMatch(/bob|alice/i);
});

it("hashes them with a key: the same value is the same again, another key gives another", async () => {
  const { ask, lines } = await logged(
    { fields: ["sender", "recipient"], key: KEY },
    { body: { allowed: false, reason: "bob@example.org" } },
  );
  await ask(POSTFIX);
  await ask({ ...POSTFIX, sender: POSTFIX.recipient });
  expect(lines[0]?.recipient).toMatch(/^hmac:[0-9a-f]{16}$/);
  expect(lines[0]?.action).toBe(`REJECT 5.7.1 ${lines[0]?.recipient}`);
  expect(lines[1]?.sender).toBe(lines[0]?.recipient);
  expect(lines[0]?.sender).not.toBe(lines[0]?.recipient);
  expect(lines[0]?.sasl_username).toBe("al");
  const other = await logged(
    { fields: ["recipient"], key: `${KEY}x` },
    { body: { allowed: false, reason: "" } },
  );
  await other.ask(POSTFIX);
  expect(other.lines[0]?.recipient).not.toBe(lines[0]?.recipient);
});

it("leaves what is empty empty, so that a bounce is still one", async () => {
  const { ask, lines } = await logged(FIELDS, { body: { allowed: false, reason: "no" } });
  await ask({ ...POSTFIX, sender: "", sasl_username: "" });
  expect(lines[0]).toMatchObject({ sender: "", sasl_username: "", recipient: "***" });
});

it("holds for what the service said, and for what is said of its circuit", async () => {
  const body = "bob@example.org and carol@example.org are on vacation";
  const { url } = await service(() => ({ status: 500, body, headers: { "content-type": "text/plain" } }));
  const corp = {
    url,
    mapping: "./gate.yaml",
    retry: { attempts: 1 },
    breaker: { minimum_calls: 1 },
  };
  const { ask, lines } = await open(
    { services: { corp }, log: { redact: ["recipient"] } },
    { "gate.yaml": GATE },
  );
  await ask(POSTFIX);
  expect(lines.find(({ level }) => level === "debug")?.said).toBe("*** and *** are on vacation");
  expect(lines.some(({ state }) => state === "open")).toBe(true);
  expect(JSON.stringify(lines)).not.toMatch(/bob|carol/);
});
