/** What holds for every mapping that is shipped. */
import { describe, expect, it } from "vitest";
import { shippedMappings } from "../../src/mapping/find.ts";
import { recipeFor } from "../../src/mapping/guide.ts";
import { json, reply, soap } from "../mapping/replies.ts";
import { load, loadShipped, requestOf } from "./shipped.ts";

it("ships authzen, those of products, and those to be copied", () => {
  expect(shippedMappings()).toEqual(
    expect.arrayContaining([
      "authzen",
      "axis",
      "keycloak",
      "openfga",
      "plainid",
      "plainid-v5",
      "rest",
      "soap",
      "soap12",
      "spicedb",
      "weakforced",
      "xacml-json",
      "xacml-soap",
      "xacml2-soap",
    ]),
  );
});

const TO_BE_COPIED = ["rest", "soap", "soap12"];

it.each(shippedMappings().filter((name) => !TO_BE_COPIED.includes(name)))(
  "%s says for which product and version it is",
  async (name) => {
    expect((await load(name)).product).not.toBe("");
  },
);

describe.each(shippedMappings())("%s", (name) => {
  it("loads without a warning", async () => {
    expect((await load(name)).warnings).toEqual([]);
  });

  it("passes its examples", async () => {
    const results = await (await load(name)).check();
    expect(results.filter(({ passed }) => !passed)).toEqual([]);
    expect(results.length).toBeGreaterThan(0);
  });

  it("shows a permit, a denial and trouble among them", async () => {
    const definitions = (await load(name)).examples.map(({ definition }) => definition);
    expect(definitions.filter(({ action }) => action === "DUNNO")).not.toEqual([]);
    expect(definitions.filter(({ action }) => action?.startsWith("REJECT "))).not.toEqual([]);
    expect(definitions.filter(({ failure }) => failure !== undefined)).not.toEqual([]);
  });

  it.each([
    ["an empty reply", reply(200)],
    ["no content", reply(204)],
    ["a web page", reply(200, "<html><body>OK</body></html>", { "content-type": "text/html" })],
    ["a text", reply(200, "DUNNO", { "content-type": "text/plain" })],
    ["an empty object", json(200, {})],
    ["a bare true", json(200, true)],
    ["a list", json(200, [true])],
    ["an empty SOAP body", soap(200, "")],
    ["a redirect", reply(302, "", { location: "http://127.0.0.1/" })],
  ])("permits nobody by %s", async (_name, answer) => {
    const verdict = await (await loadShipped(name)).interpret(answer, requestOf({ sender: "a@example.net" }));
    expect(verdict).toMatchObject({ cause: "bad_reply" });
  });

  it("says on one line what it is for, and the guide has a recipe for the service's side", async () => {
    expect((await load(name)).description).toMatch(/^\S.{5,75}$/);
    expect(recipeFor(name)).toMatch(/^#+ .+\n/);
  });

  it("has a call for every request, bounces and several recipients included", async () => {
    expect(await (await load(name)).probe()).toEqual([]);
  });
});
