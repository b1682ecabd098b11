import { utimesSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { loadMapping } from "../../src/mapping/load.ts";
import { isFailure } from "../../src/mapping/mapping.ts";
import { fileOf, requestOf } from "./mappings.ts";
import { json, reply, soap } from "./replies.ts";

const CALL = "export const toRequest = () => ({ method: 'POST', path: '/x', headers: {}, body: 'b' });\n";
const PERMIT = "export const toAction = () => 'DUNNO';\n";

async function module(content: string, parameters: Record<string, unknown> = {}) {
  const file = fileOf(content, ".mjs");
  return (await loadMapping({ name: "mine", file, parameters })).instantiate();
}

async function action(toAction: string, given = json(200, { ok: true }), more = "") {
  const mapping = await module(`${CALL}export const toAction = ${toAction};\n${more}`);
  return mapping.interpret(given, requestOf({ sender: "a@example.net" }));
}

async function call(toRequest: string) {
  const mapping = await module(`export const toRequest = ${toRequest};\n${PERMIT}`, { tenant: "acme" });
  return mapping.render(
    requestOf({ sender: "a@example.net", size: "12", unknown_name: "u", constructor: "c" }),
  );
}

describe("a module's call", () => {
  it.each([
    [
      "is as it says",
      "(r) => ({ method: 'PUT', path: '/a?b=c', headers: { 'X-A': 'é' }, body: r.sender })",
      { method: "PUT", path: "/a?b=c", headers: { "x-a": "é" }, body: "a@example.net" },
    ],
    [
      "may come later",
      "async () => ({ method: 'GET', path: '', headers: {}, body: null })",
      { method: "GET", path: "", headers: {}, body: null },
    ],
    [
      "is a POST where there is a body",
      "() => ({ body: '{}' })",
      { method: "POST", path: "", headers: {}, body: "{}" },
    ],
    [
      "is a GET where there is none",
      "() => ({ path: '/a' })",
      { method: "GET", path: "/a", headers: {}, body: null },
    ],
    [
      "sees what expressions see",
      "(r) => ({ body: JSON.stringify([r.size, r.recipient, r.attributes.unknown_name, r.attributes.constructor, r.listener, r.request_id, r.now, r.param.tenant, r.recipients]) })",
      {
        body: '[12,"","u","c","test","11111111-2222-4333-8444-555555555555","2026-01-01T00:00:00.000Z","acme",[]]',
      },
    ],
  ])("%s", async (_, toRequest, expected) => {
    expect(await call(toRequest)).toMatchObject(expected);
  });

  it.each([
    ["throws", "() => { throw new Error('no\\nway\\u001b[31m') }", /toRequest: Error: no way/],
    ["rejects", "async () => { throw 'x' }", /toRequest: x/],
    ["throws an object that cannot be text", "() => { throw Object.create(null) }", /toRequest/],
    ["gives nothing", "() => undefined", /must give an object/],
    ["gives a list", "() => []", /must give an object/],
    ["gives a method in lower case", "() => ({ method: 'post' })", /method/],
    ["gives an absolute URL", "() => ({ path: 'http://evil.example/' })", /path/],
    ["gives a blank in the path", "() => ({ path: '/a b' })", /path/],
    ["gives a line break in the path", "() => ({ path: '/a\\r\\nHost: b' })", /path/],
    ["gives a fragment", "() => ({ path: '/a#b' })", /path/],
    ["leaves the service's URL", "() => ({ path: '/../admin' })", /path cannot have \. or \.\./],
    ["leaves it in disguise", "() => ({ path: '/a/%2E%2e/admin' })", /path cannot have/],
    ["gives an object for a body", "() => ({ body: {} })", /JSON\.stringify/],
    ["sets Host", "() => ({ headers: { Host: 'a' } })", /"host" is set by the bridge/],
    ["sets Content-Length", "() => ({ headers: { 'Content-Length': '1' } })", /set by the bridge/],
    ["gives a line break in a header", "() => ({ headers: { a: 'b\\r\\nc: d' } })", /line break/],
    ["gives a header that is no text", "() => ({ headers: { a: 1 } })", /must be text/],
    ["gives a header without a name", "() => ({ headers: { 'a b': '1' } })", /no header name/],
  ])("that %s is a mapping_error", async (_, toRequest, message) => {
    const failure = await call(toRequest);
    expect(failure).toMatchObject({ cause: "mapping_error", detail: expect.stringMatching(message) });
    expect(isFailure(failure) && failure.detail).not.toMatch(/\p{Cc}/u);
  });
});

describe("a module's action", () => {
  it.each([
    ["is as it says", "() => 'REJECT 5.7.1 no'", "REJECT 5.7.1 no"],
    ["may come later", "async () => 'DUNNO'", "DUNNO"],
    [
      "comes of the reply",
      "(reply) => reply.status === 200 && reply.body.ok && reply.headers['content-type'] ? 'DUNNO' : 'REJECT'",
      "DUNNO",
    ],
    ["comes of the request", "(reply, r) => `REJECT ${r.sender}`", "REJECT a@example.net"],
  ])("%s", async (_, toAction, expected) => {
    expect(await action(toAction)).toEqual({ action: expected, rule: 0 });
  });

  it("sees SOAP as objects", async () => {
    const fault = "<s:Fault><faultcode>s:Client</faultcode><detail><a><b>1</b></a></detail></s:Fault>";
    expect(
      await action(
        "(r) => `REJECT ${r.fault.code} ${r.fault.detail.a.b} ${r.body.Fault.faultcode}`",
        soap(500, fault),
      ),
    ).toEqual({ action: "REJECT Client 1 s:Client", rule: 0 });
  });

  it.each([
    ["throws", "() => { throw new Error('x') }", /toAction: Error: x/],
    ["gives no text", "() => 5", /action as text/],
    ["gives OK", "() => 'OK'", /not allowed/],
    ["gives FILTER", "() => 'FILTER smtp:[192.0.2.1]'", /not allowed/],
    ["gives a restriction", "() => 'permit'", /no action/],
    ["gives a line break", "() => 'DUNNO\\n\\naction=OK'", /one line/],
    ["reads a body that is none", "(reply) => reply.body.ok", /not readable as JSON/],
  ])("that %s is a bad_reply", async (_, toAction, message) => {
    const given = reply(200, "{", { "content-type": "application/json" });
    expect(await action(toAction, given)).toMatchObject({
      cause: "bad_reply",
      status: 200,
      detail: expect.stringMatching(message),
    });
  });

  it.each([
    [500, "http_5xx"],
    [403, "http_4xx"],
    [302, "bad_reply"],
  ])("that is not there for a reply of %i is %s", async (status, cause) => {
    expect(await action("() => { throw new Error('no answer') }", reply(status))).toMatchObject({
      cause,
      status,
    });
    expect(await action("() => undefined", reply(status))).toMatchObject({ cause, status });
    expect(await action("() => 'OK'", reply(status))).toMatchObject({ cause: "bad_reply", status });
  });

  it("may be what the module itself allows", async () => {
    expect(await action("() => 'OK'", json(200, {}), "export const allow = ['OK'];")).toEqual({
      action: "OK",
      rule: 0,
    });
  });
});

describe("a module", () => {
  it("is not run before it is instantiated", async () => {
    const file = fileOf("throw new Error('ran');", ".mjs");
    const loaded = await loadMapping({ name: "m", file, parameters: {} });
    await expect(loaded.instantiate()).rejects.toThrow(/cannot be loaded: Error: ran/);
  });

  it.each([
    ["has a syntax error", "export const = ;", /the module cannot be loaded/],
    ["lacks toRequest", PERMIT, /must export a function toRequest/],
    ["lacks toAction", `${CALL}export const toAction = 'DUNNO';`, /must export a function toAction/],
  ])("that %s is refused", async (_, content, message) => {
    await expect(module(content)).rejects.toThrow(message);
  });

  it("is read again when it changed", async () => {
    const file = fileOf(`${CALL}${PERMIT}`, ".mjs");
    const first = await (await loadMapping({ name: "m", file, parameters: {} })).instantiate();
    writeFileSync(file, `${CALL}export const toAction = () => 'REJECT';`);
    utimesSync(file, 2_000_000_000, 2_000_000_000);
    const second = await (await loadMapping({ name: "m", file, parameters: {} })).instantiate();
    expect(await first.interpret(json(200, {}), requestOf())).toEqual({ action: "DUNNO", rule: 0 });
    expect(await second.interpret(json(200, {}), requestOf())).toEqual({ action: "REJECT", rule: 0 });
  });
});

describe("JSON in a module", () => {
  const asJson = (text: string) => reply(200, text, { "content-type": "application/json" });

  it("has integers beyond 2^53 as bigint, and beyond 64 bits as text", async () => {
    const given = asJson('{"small":5,"big":9007199254740993,"huge":12345678901234567890123,"__proto__":1}');
    const types =
      "({ body }) => `REJECT ${[body.small, body.big, body.huge].map((n) => typeof n + n)} ${body.hasOwnProperty('__proto__')}`";
    expect(await action(types, given)).toEqual({
      action: "REJECT number5,bigint9007199254740993,string12345678901234567890123 true",
      rule: 0,
    });
  });

  it("that says two things is a bad_reply", async () => {
    const given = asJson('{"ok":false,"ok":true}');
    expect(await action("({ body }) => (body.ok ? 'DUNNO' : 'REJECT')", given)).toMatchObject({
      cause: "bad_reply",
      detail: expect.stringContaining('the member "ok" stands twice'),
    });
  });
});
