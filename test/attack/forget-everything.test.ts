/** A script, or somebody who feeds it, leaves out what to forget, and everything would be forgotten before an outage. */
import { describe, expect, it } from "vitest";
import { ask, bearer, controlled, TOKEN } from "./control-site.ts";

describe("forgetting", () => {
  it("takes attributes that are known and not empty, or a word that means everything", async () => {
    const { bridge, port } = await controlled();
    const forget = (body: object) =>
      ask(port, { path: "/v1/forget", headers: bearer(TOKEN), body: { by: "a script", ...body } });
    const bodies: readonly (readonly [body: object, status: number])[] = [
      [{}, 400],
      [{ attributes: {} }, 400],
      [{ service: "corp" }, 400],
      [{ service: "corp", attributes: {} }, 400],
      [{ attributes: { sasl_username: "" } }, 400],
      [{ attributes: { sasl_username: "a" }, all: true }, 400],
      [{ attributes: {}, all: false }, 400],
      [{ attributes: { user: "mallory" } }, 409],
      [{ attributes: { sasl_username: "mallory", usr: "" } }, 400],
      [{ attributes: [] }, 400],
      [{ attributes: ["mallory"] }, 409],
      [{ attributes: "mallory" }, 400],
      [{ attributes: { sasl_username: ["mallory"] } }, 400],
      [{ attributes: { sasl_username: { length: 1 } } }, 400],
      [{ attributes: { sasl_username: "x".repeat(10_001) } }, 400],
      [{ attributes: { sasl_username: "mallory", constructor: "x" } }, 409],
      [{ attributes: { sasl_username: "mallory" }, dry_run: "yes" }, 400],
      [{ attributes: { sasl_username: "mallory" }, services: ["corp"] }, 400],
    ];
    for (const [body, status] of bodies) {
      expect({ body, status: (await forget(body)).status }).toEqual({ body, status });
    }
    // As they are on the way: what a library leaves out, or takes the last of, would be forgotten for more than was asked.
    for (const [text, status] of [
      ['{"by":"a","attributes":{"sasl_username":"mallory","__proto__":"x"}}', 409],
      ['{"by":"a","attributes":{"sasl_username":"mallory","sender":"a@b","sender":"c@d"}}', 400],
      ['{"by":"a","attributes":{"sasl_username":"mallory"},"attributes":{"sender":"c@d"}}', 400],
      ['{"by":"a","all":tr', 400],
      ["", 400],
    ] as const) {
      const asked = await ask(port, { path: "/v1/forget", headers: bearer(TOKEN), text });
      expect({ text, status: asked.status }).toEqual({ text, status });
    }
    expect(bridge.stdout).not.toContain("forgotten by hand");
    expect((await forget({ all: true })).status).toBe(200);
    expect((await forget({ service: "corp", all: true })).status).toBe(200);
    expect((await forget({ attributes: { sasl_username: "mallory" } })).status).toBe(200);
  });
});
