/** A script, or somebody who feeds it, leaves out what to forget, and everything would be forgotten before an outage. */
import { describe, expect, it } from "vitest";
import { ask, bearer, controlled, TOKEN } from "./control-site.ts";

describe("forgetting", () => {
  it("takes attributes that are known and not empty, or a word that means everything", async () => {
    const { bridge, port } = await controlled();
    const forget = (body: object) =>
      ask(port, { path: "/v1/forget", headers: bearer(TOKEN), body: { by: "a script", ...body } });
    for (const [body, status] of [
      [{}, 400],
      [{ attributes: {} }, 400],
      [{ service: "corp" }, 400],
      [{ service: "corp", attributes: {} }, 400],
      [{ attributes: { sasl_username: "" } }, 400],
      [{ attributes: { sasl_username: "a" }, all: true }, 400],
      [{ attributes: {}, all: false }, 400],
      [{ attributes: { user: "mallory" } }, 409],
      [{ attributes: { sasl_username: "mallory", usr: "" } }, 400],
    ] as const) {
      expect({ body, status: (await forget(body)).status }).toEqual({ body, status });
    }
    expect(bridge.stdout).not.toContain("forgotten by hand");
    expect((await forget({ all: true })).status).toBe(200);
    expect((await forget({ service: "corp", all: true })).status).toBe(200);
    expect((await forget({ attributes: { sasl_username: "mallory" } })).status).toBe(200);
  });
});
