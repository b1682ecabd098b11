/** The shipped mappings and the demo's service understand each other, with the configuration that the demo runs. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseConfig } from "../../src/config/load.ts";
import { demoConfig } from "../../src/demo/config.ts";
import { type DemoService, startDemoService } from "../../src/demo/service.ts";
import { isFailure } from "../../src/mapping/mapping.ts";
import { reply } from "../mapping/replies.ts";
import { loadShipped, requestOf } from "../mappings/shipped.ts";

let service: DemoService;
beforeAll(async () => {
  service = await startDemoService();
});
afterAll(() => service.close());

it("is a configuration without a warning", async () => {
  const config = await parseConfig(demoConfig(service.url), "/nowhere/demo.yaml");
  expect(config.warnings).toEqual([]);
});

describe.each([
  ["authzen", ""],
  ["soap", "/soap"],
])("by %s", (name, path) => {
  async function decide(attributes: Record<string, string>): Promise<string> {
    const mapping = await loadShipped(name);
    const asked = requestOf(attributes);
    const call = await mapping.render(asked);
    if (isFailure(call)) return call.detail;
    const { method, headers, body } = call;
    const response = await fetch(`${service.url}${path}${call.path}`, { method, headers, body });
    const type = { "content-type": response.headers.get("content-type") ?? "" };
    const verdict = await mapping.interpret(reply(response.status, await response.text(), type), asked);
    return isFailure(verdict) ? verdict.detail : verdict.action;
  }

  it("the example of pfxpold's README is permitted", async () => {
    const attributes = { sender: "foo@example.com", client_address: "1.2.3.4", client_name: "foo.bar" };
    expect(await decide(attributes)).toBe("DUNNO");
  });

  it("a sender of a permitted domain is permitted, from the named host only", async () => {
    const sender = "orders@example.org";
    expect(await decide({ sender, client_address: "198.51.100.1", client_name: "shop.example.com" })).toBe(
      "DUNNO",
    );
    expect(await decide({ sender, client_address: "198.51.100.1", client_name: "unknown" })).toBe(
      "REJECT 5.7.1 198.51.100.1 may not send as orders@example.org",
    );
  });

  it("a bounce is denied, with a reason", async () => {
    expect(await decide({ sender: "", client_address: "1.2.3.4" })).toBe(
      "REJECT 5.7.1 mail without a sender is not permitted here",
    );
  });
});
