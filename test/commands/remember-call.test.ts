/** Which requests share a remembered reply, and which a call that is under way: by the built command. */
import { describe, expect, it } from "vitest";
import { until } from "./program.ts";
import { DEFER, judged, later, Remembering, senderOf } from "./remembering.ts";
import { GATE, heldService } from "./services.ts";

describe("the key", () => {
  it("is the call: what the service cannot tell apart shares a reply, what it can does not", async () => {
    const bridge = await Remembering.start({ cache: { ttl: "1h" } });
    await bridge.decide("alice", { queue_id: "A1", instance: "1.2.3", client_port: "4001" });
    const again = { queue_id: "B2", instance: "4.5.6", client_port: "4002" };
    expect(await bridge.decide("alice", again)).toMatchObject({ source: "cache" });
    const other = { recipient: "other@example.net" };
    expect(await bridge.decide("alice", other)).toMatchObject({ source: "upstream" });
  });

  it("is not the request_id and the time that a call bears", async () => {
    const request = {
      ...GATE.request,
      headers: { "x-id": "${request_id}" },
      json: { sender: "${sender}", at: "${now}" },
    };
    const bridge = await Remembering.start({ cache: { ttl: "1h" }, mapping: { ...GATE, request } });
    const { request_id } = await bridge.decide("bad-bob");
    const [call] = bridge.corp.calls;
    expect(call?.headers["x-id"]).toBe(request_id);
    expect(call?.json?.at).toMatch(/^20\d\d-/);
    await later(5);
    expect(await bridge.decide("bad-bob")).toMatchObject({ action: judged("bad-bob"), source: "cache" });
    expect(await bridge.decide("alice")).toMatchObject({ action: "DUNNO", source: "upstream" });
  });

  it("is what cache.key says, and one that cannot be made costs no decision", async () => {
    const cache = { ttl: "1h", key: "${sender} ${recipients[0]}" };
    const bridge = await Remembering.start({ cache });
    await bridge.decide("bad-bob", { recipient: "one@example.net", client_address: "192.0.2.1" });
    const same = { recipient: "one@example.net", client_address: "192.0.2.2" };
    expect(await bridge.decide("bad-bob", same)).toMatchObject({ source: "cache" });
    const none = await bridge.decide("bad-bob", { recipient: "" });
    expect(none).toMatchObject({ action: judged("bad-bob"), source: "upstream" });
    expect(none.detail).toMatch(/^cache\.key cannot be made from this request: /);
  });
});

describe("a hundred identical requests at once on as many connections", () => {
  it("are one call, and a decision each", async () => {
    const { url, release, waiting } = await heldService();
    const bridge = await Remembering.start({
      cache: { ttl: "1h" },
      more: { url, deadline: "5s", timeout: "5s" },
    });
    const clients = await Promise.all(Array.from({ length: 100 }, () => bridge.bridge.connect()));
    const request = { request: "smtpd_access_policy", sender: senderOf("alice"), recipient: "r@example.net" };
    const answers = clients.map((client) => client.ask(request));
    await until("the call", () => waiting() > 0 || undefined);
    await later(300);
    release();
    expect(new Set(await Promise.all(answers))).toEqual(new Set(["DUNNO"]));
    expect(waiting()).toBe(1);
    await until("their log lines", () => bridge.bridge.decisions.length === 100 || undefined);
    expect(new Set(bridge.bridge.decisions.map(({ source }) => source))).toEqual(new Set(["upstream"]));
    expect(new Set(bridge.bridge.decisions.map(({ request_id }) => request_id)).size).toBe(100);
  });

  it("do not each ask again when the call fails", async () => {
    const bridge = await Remembering.start({
      cache: { ttl: "1h" },
      more: { timeout: "1s", deadline: "3s" },
    });
    bridge.corp.answering = () => new Promise(() => {});
    const clients = await Promise.all(Array.from({ length: 100 }, () => bridge.bridge.connect()));
    const request = { request: "smtpd_access_policy", sender: senderOf("alice"), recipient: "r@example.net" };
    const answers = await Promise.all(clients.map((client) => client.ask(request)));
    expect(new Set(answers)).toEqual(new Set([DEFER]));
    expect(bridge.corp.calls).toHaveLength(1);
  });

  it("after forget do not join the call from before it", async () => {
    const bridge = await Remembering.start({
      cache: { ttl: "1h" },
      more: { deadline: "9s", timeout: "9s" },
    });
    let release: () => void = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    bridge.corp.answering = () => released.then(() => ({ body: { allowed: true } }));
    const request = { sender: senderOf("alice"), recipient: "r@example.net" };
    const before = bridge.bridge.ask(request);
    await until("the call", () => bridge.corp.calls.length === 1 || undefined);
    bridge.corp.answering = () => ({ body: { allowed: false } });
    await bridge.command("forget", "--all");
    const denied = "REJECT 5.7.1 no";
    expect(await bridge.bridge.ask(request)).toBe(denied);
    release();
    expect(await before).toBe("DUNNO");
    expect(await bridge.bridge.ask(request)).toBe(denied);
  });
});
