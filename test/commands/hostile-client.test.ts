/**
 * Whatever a mail client makes Postfix say: the authorization service receives exactly that value, in its place, and
 * the bridge goes on.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Bridge, LOGGED, startBridge } from "../support/bridge.ts";
import { PolicyClient } from "../support/policy-client.ts";
import { AuthorizationService, type Call } from "../support/service.ts";
import { freePort } from "../support/temporary.ts";

const response = [{ when: "body.allowed == true", action: "DUNNO" }];
const on_failure = "DEFER ${cause}";
const MAPPINGS = {
  json: { request: { method: "POST", json: { value: "${helo_name}", text: "[${helo_name}]" } }, response },
  form: { request: { method: "POST", form: { value: "${helo_name}" } }, response },
  query: { request: { method: "GET", query: { value: "${helo_name}" } }, response },
  path: { request: { method: "GET", path: "/of/${helo_name}/end" }, response },
  soap: {
    request: {
      soap: { version: "1.1", action: "urn:x", body: '<Check of="${helo_name}">${helo_name}</Check>' },
    },
    response,
  },
};

/** Takes the value out of a call again, by other means than those that put it in. */
const RECEIVED: Readonly<Record<string, (call: Call) => readonly unknown[]>> = {
  json: ({ json }) => [json?.value, String(json?.text).slice(1, -1)],
  form: ({ text }) => [new URLSearchParams(text).get("value")],
  query: ({ url }) => [new URL(url, "http://a").searchParams.get("value")],
  path: ({ url }) => [decodeURIComponent(/^\/of\/([^/?#]*)\/end$/.exec(url)?.[1] ?? "")],
  soap: ({ text }) => {
    const [, attribute = "", content = ""] = /<Check of="([^"<]*)">([^<]*)<\/Check>/.exec(text) ?? [];
    return [unescapeXml(attribute), unescapeXml(content)];
  },
};

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
const unescapeXml = (text: string) =>
  text.replace(/&(?:#x([0-9a-f]+)|#([0-9]+)|(\w+));/gi, (_, hex, decimal, name) =>
    name === undefined
      ? String.fromCodePoint(hex ? Number.parseInt(hex, 16) : Number(decimal))
      : (ENTITIES[name] ?? "?"),
  );

const VALUES = [
  ["quotes", `"','`],
  ["JSON", '","allowed":true,"x":"'],
  ["tags", "</Check><Decision>Permit</Decision>"],
  ["the end of CDATA", "]]>"],
  ["an entity", "&lt;&#60;&x;"],
  ["a template", "${sender} $${x} {{x}}"],
  ["percent signs", "%0d%0aX-Evil:%20yes %2e%2e%2f 100%"],
  ["a query", "a&value=b#c?d=e;f+g h"],
  ["a path that goes up", "../../admin"],
  ["a backslash", "..\\..\\admin\\"],
  ["a member of every object", "__proto__"],
  ["another script", "дом@пример.рф 🙂"],
  ["a line separator", "a\u2028b\u2029c"],
  ["equals signs", "==a=b="],
  ["blanks at its ends", "  a  "],
] as const;

/** XML cannot hold them, nor can they pass for something else. */
const CONTROL_VALUES = [
  ["a CR within", "a\rb"],
  ["terminal escapes", "\x1b]0;owned\x07\x1b[2J"],
  ["C0, DEL and C1", "\x01\x08\x7f\u0085\u009b"],
] as const;

let service: AuthorizationService;
let bridge: Bridge;
let port: number;

beforeAll(async () => {
  service = await AuthorizationService.start(() => ({ body: { allowed: true } }));
  port = await freePort();
  const names = Object.keys(MAPPINGS);
  const route = (name: string) => ({ when: `policy_context == "${name}"`, service: name });
  bridge = await startBridge({
    config: {
      listen: [`inet:127.0.0.1:${port}`],
      services: Object.fromEntries(
        names.map((name) => [name, { url: service.url, mapping: `./${name}.yaml`, on_failure }]),
      ),
      routes: [...names.slice(1).map(route), { service: "json" }],
    },
    files: Object.fromEntries(Object.entries(MAPPINGS).map(([name, mapping]) => [`${name}.yaml`, mapping])),
  });
});

afterAll(async () => {
  expect(await bridge?.stop()).toBe(0);
  await service?.stop();
});

const connect = () => PolicyClient.connect({ kind: "inet", host: "127.0.0.1", port });

/** The call that came of a request with this value, and the action. */
async function ask(mapping: string, value: string): Promise<{ action: string; call: Call | undefined }> {
  const client = await connect();
  const before = service.calls.length;
  const action = await client.ask({ helo_name: value, policy_context: mapping, sender: "a@example.net" });
  client.end();
  expect(service.calls.length - before).toBeLessThanOrEqual(1);
  return { action, call: service.calls[before] };
}

const CASES = Object.keys(MAPPINGS).flatMap((mapping) =>
  VALUES.map(([name, value]) => [mapping, name, value] as const),
);

describe("the service receives exactly the value", () => {
  it.each(CASES)("%s: %s", async (mapping, _name, value) => {
    const { action, call } = await ask(mapping, value);
    expect(action).toBe("DUNNO");
    const received = RECEIVED[mapping]?.(call as Call) ?? [];
    expect(received.length).toBeGreaterThan(0);
    for (const copy of received) expect(copy).toBe(value);
    expect(call?.headers).not.toHaveProperty("x-evil");
  });

  it.each(
    ["json", "form", "query", "path"].flatMap((mapping) =>
      CONTROL_VALUES.map(([name, value]) => [mapping, name, value] as const),
    ),
  )("%s: %s", async (mapping, _name, value) => {
    const { action, call } = await ask(mapping, value);
    expect(action).toBe("DUNNO");
    for (const copy of RECEIVED[mapping]?.(call as Call) ?? []) expect(copy).toBe(value);
  });
});

describe("what cannot be put in its place is not sent at all", () => {
  it.each([
    ["path", "one dot", "."],
    ["path", "two dots", ".."],
    ["path", "nothing", ""],
    ["soap", "terminal escapes", "\x1b[2J"],
    ["soap", "C0", "\x01"],
  ])("%s: %s", async (mapping, _name, value) => {
    const { action, call } = await ask(mapping, value);
    expect({ action, call }).toEqual({ action: "DEFER mapping_error", call: undefined });
  });
});

describe("requests that no Postfix sends", () => {
  it("attributes named as members of every object are attributes like others", async () => {
    const client = await connect();
    const before = service.calls.length;
    client.write("__proto__=x\nconstructor=y\ntoString=z\nhelo_name=h\n\n");
    expect(await client.answers(1)).toEqual(["DUNNO"]);
    expect(service.calls[before]?.json).toEqual({ value: "h", text: "[h]" });
    client.end();
  });

  it("bytes that are no UTF-8 reach nobody as such", async () => {
    const client = await connect();
    const before = service.calls.length;
    client.write(
      Buffer.concat([Buffer.from("helo_name=a"), Buffer.from([0xff, 0xc3, 0x28]), Buffer.from("b\n\n")]),
    );
    const ended = Promise.race([client.answers(1).catch(() => null), client.untilClosed().catch(() => null)]);
    await ended;
    for (const { json } of service.calls.slice(before)) expect(json?.value).toMatch(/^a\ufffd+\(b$/);
    client.end();
    expect((await ask("json", "next")).action).toBe("DUNNO");
  });

  it.each([
    ["a NUL", "helo_name=a\0b\n\n"],
    ["a line without =", "no policy request\n\n"],
    ["another request type", "request=rewrite\nsender=a\n\n"],
    ["a line of 1 MB", `helo_name=${"x".repeat(1024 * 1024)}\n\n`],
    ["100,000 attributes", `${Array.from({ length: 100_000 }, (_, n) => `a${n}=\n`).join("")}\n`],
  ])("%s costs its connection and a log line, nobody else anything", async (_name, bytes) => {
    const other = await connect();
    const client = await connect();
    const since = bridge.log().length;
    client.write(bytes);
    expect(await client.untilClosed()).toBe("");
    const warnings = () =>
      bridge
        .log()
        .slice(since)
        // A decision of the test before may still be on its way to the log.
        .filter(({ level, msg }) => level === "warn" && msg !== "decision");
    await expect
      .poll(warnings, LOGGED)
      .toEqual([
        expect.objectContaining({ msg: expect.stringMatching(/^not a policy request, connection closed: /) }),
      ]);
    expect(await other.ask({ helo_name: "h" })).toBe("DUNNO");
    other.end();
  });
});

it("the log tells what a client said, whatever it was", async () => {
  const sender = "\x1b[31ma\u009b2J\x7f\u2028@example.net";
  const client = await connect();
  expect(await client.ask({ sender, helo_name: "h" })).toBe("DUNNO");
  client.end();
  const found = () => bridge.decisions().find((line) => line.sender === sender);
  await expect.poll(found, LOGGED).toMatchObject({ action: "DUNNO" });
});
