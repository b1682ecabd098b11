import { describe, expect, it } from "vitest";
import { GATE, permitting, service } from "../commands/services.ts";
import { open } from "./bridge.ts";

const FILES = { "gate.yaml": GATE };

describe("routes", () => {
  it("the first that matches answers", async () => {
    const [one, two] = [await permitting(), await service(() => ({ body: { allowed: false } }))];
    const { ask, lines } = await open(
      {
        services: {
          one: { url: one.url, mapping: "./gate.yaml" },
          two: { url: two.url, mapping: "./gate.yaml" },
        },
        routes: [
          { when: 'protocol_state == "VRFY"', action: "REJECT 5.5.1 not here" },
          { when: 'ip_in(client_address, "10.0.0.0/8")', service: "one" },
          { when: "size > 1000", action: "WARN large" },
          { when: '"b@example.org" in recipients && listener == "test"', service: "two" },
          { action: "DUNNO" },
        ],
      },
      FILES,
    );
    expect(await ask({ protocol_state: "VRFY", client_address: "10.1.1.1" })).toBe("REJECT 5.5.1 not here");
    expect(await ask({ client_address: "10.1.1.1" })).toBe("DUNNO");
    expect(await ask({ client_address: "unknown", size: "1001" })).toBe("WARN large");
    expect(await ask({ client_address: "11.1.1.1" })).toBe("REJECT 5.7.1 no");
    expect(await ask({ recipient: "c@example.org" })).toBe("DUNNO");
    expect(lines.map(({ source, service }) => [source, service])).toEqual([
      ["route", undefined],
      ["upstream", "one"],
      ["route", undefined],
      ["upstream", "two"],
      ["route", undefined],
    ]);
  });

  it("one may have its own on_failure", async () => {
    const corp = {
      url: "http://127.0.0.1:1",
      mapping: "./gate.yaml",
      retry: { attempts: 1 },
      on_failure: "REJECT",
    };
    const { ask } = await open(
      {
        services: { corp },
        routes: [
          { when: 'ip_in(client_address, "10.0.0.0/8")', service: "corp", on_failure: "fail-open" },
          { service: "corp" },
        ],
      },
      FILES,
    );
    expect(await ask({ client_address: "10.1.1.1" })).toBe("DUNNO");
    expect(await ask({ client_address: "11.1.1.1" })).toBe("REJECT");
  });

  it("one that cannot be evaluated ends the search: its own on_failure answers, and nobody is asked", async () => {
    const corp = await permitting();
    const config = (target: object) => ({
      services: { corp: { url: corp.url, mapping: "./gate.yaml" } },
      routes: [{ when: 'attributes["x_tenant"] == "a"', ...target }, { service: "corp" }],
    });
    const asked = await open(config({ service: "corp", on_failure: "DEFER ${cause}" }), FILES);
    expect(await asked.ask()).toBe("DEFER mapping_error");
    expect(asked.lines).toEqual([
      expect.objectContaining({
        level: "warn",
        source: "default",
        cause: "mapping_error",
        attempts: 0,
        detail: expect.stringMatching(/^route 1: its "when" cannot be evaluated: .*x_tenant/),
      }),
    ]);
    const answering = await open(config({ action: "OK" }), FILES);
    expect(await answering.ask()).toMatch(/^DEFER 4\.3\.0 /);
    expect(corp.calls).toEqual([]);
  });

  it.each([
    ['!("ceo@example.org" in recipients)', "DEFER mapping_error"],
    ['recipients_complete && !("ceo@example.org" in recipients)', "REJECT not all are known"],
  ])("that reads recipients does not match on a part of them: %s", async (when, expected) => {
    const one = await permitting();
    const { ask } = await open(
      {
        services: { one: { url: one.url, mapping: "./gate.yaml" } },
        routes: [
          { when, service: "one", on_failure: "DEFER ${cause}" },
          { when: "size == 1", service: "one" },
          { action: "REJECT not all are known" },
        ],
      },
      FILES,
    );
    const data = { protocol_state: "DATA", recipient: "bob@example.org" };
    expect(await ask({ ...data, recipient_count: "1" })).toBe("DUNNO");
    expect(await ask({ ...data, recipient_count: "3" })).toBe(expected);
  });
});
