/** A page in a browser on this machine sends commands, under a name that its own server gives to 127.0.0.1. */
import { describe, expect, it } from "vitest";
import { ask, bearer, controlled, TOKEN } from "./control-site.ts";

describe("a request that a web page sends", () => {
  it("is refused, whatever it shows, and others are not", async () => {
    const { bridge, port } = await controlled();
    const offline = { path: "/v1/offline", body: { by: "a page" } };
    for (const headers of [
      { origin: "https://evil.example" },
      { origin: "null" },
      { origin: `http://127.0.0.1:${port}` },
      { "sec-fetch-site": "cross-site" },
      { host: `rebound.example:${port}` },
      { host: "127.0.0.1.evil.example" },
    ]) {
      expect(await ask(port, { ...offline, headers: { ...headers, ...bearer(TOKEN) } })).toMatchObject({
        status: 403,
      });
    }
    expect(bridge.stdout).not.toContain("switched offline");
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, "[::1]"]) {
      expect(await ask(port, { headers: { host, ...bearer(TOKEN) } })).toMatchObject({ status: 200 });
    }
  });
});
