/** `auth.api_key`: on the wire, out of sight everywhere else. */

import { describe, expect, it, onTestFinished } from "vitest";
import { AuthorizationService } from "../support/service.ts";
import { open } from "./bridge.ts";

const KEY = "s3cret/key&more=ü";
const MAPPING = {
  request: { path: "/check?via=mail", json: { sender: "${sender}" } },
  response: [
    { when: "body.allowed == true", action: "DUNNO" },
    { when: "true", action: "REJECT ${text}" },
  ],
};

async function asked(apiKey: object, mapping: object = MAPPING, more: object = {}) {
  const service = await AuthorizationService.start(() => ({ body: { allowed: true } }));
  onTestFinished(() => service.stop());
  const auth = { api_key: { ...apiKey, key: KEY } };
  const config = { services: { s: { url: service.url, mapping: "./m.yaml", auth, ...more } } };
  return { service, bridge: await open(config, { "m.yaml": mapping }) };
}

describe("an API key", () => {
  it("goes into a header, as UTF-8", async () => {
    const { service, bridge } = await asked({ header: "X-Api-Key" });
    expect(await bridge.ask()).toBe("DUNNO");
    expect(Buffer.from(String(service.calls[0]!.headers["x-api-key"]), "latin1").toString()).toBe(KEY);
  });

  it("goes into the query, encoded, beside what the mapping puts there", async () => {
    const { service, bridge } = await asked({ query: "api key" });
    expect(await bridge.ask()).toBe("DUNNO");
    expect(service.calls[0]!.url).toBe("/check?via=mail&api%20key=s3cret%2Fkey%26more%3D%C3%BC");
  });

  it("is the only query where the mapping has none", async () => {
    const { service, bridge } = await asked({ query: "k" }, { ...MAPPING, request: { path: "/check" } });
    expect(await bridge.ask()).toBe("DUNNO");
    expect(service.calls[0]!.url).toBe("/check?k=s3cret%2Fkey%26more%3D%C3%BC");
  });

  it("is masked in what a service says that echoes it", async () => {
    const echo = { ...MAPPING, response: [{ action: "REJECT ${text}" }] };
    const { service, bridge } = await asked({ query: "k" }, echo);
    service.answering = ({ url }) => ({ body: `you sent ${url}` });
    expect(await bridge.ask()).toBe("REJECT you sent /check?via=mail&k=***");
  });

  it("stands in no line of the log where the service cannot be reached", async () => {
    const { service, bridge } = await asked({ query: "k" });
    await service.stop();
    await bridge.ask();
    expect(bridge.lines.at(-1)).toMatchObject({ cause: "unreachable" });
    expect(JSON.stringify(bridge.lines)).not.toContain("s3cret");
  });

  it.each([
    ["query", { query: { k: "${sender}" }, path: "/check" }, "sets the query parameter k itself"],
    ["query", { path: "/check?k=1" }, "sets the query parameter k itself"],
    ["header", { headers: { K: "1" }, path: "/check" }, "sets the header k itself"],
  ])("in the %s is not the mapping's to set: %j", async (where, request, message) => {
    await expect(asked({ [where]: "k" }, { ...MAPPING, request })).rejects.toThrow(message);
  });

  it("is not a module's to set either", async () => {
    const service = await AuthorizationService.start(() => ({ body: {} }));
    onTestFinished(() => service.stop());
    const code = `export const toRequest = () => ({ method: "GET", path: "/check?k=mine" });
      export const toAction = () => "DUNNO";`;
    const auth = { api_key: { query: "k", key: KEY } };
    const bridge = await open(
      { services: { s: { url: service.url, mapping: "./m.mjs", auth, on_failure: "DEFER ${cause}" } } },
      { "m.mjs": code },
    );
    expect(await bridge.ask()).toBe("DEFER mapping_error");
    expect(service.calls).toEqual([]);
  });

  it.each([
    [{ header: "Host" }, "set by the bridge"],
    [{ header: "X Key" }, "no header name"],
  ])("has a name that can be sent: %j", async (apiKey, message) => {
    await expect(asked(apiKey)).rejects.toThrow(message);
  });
});
