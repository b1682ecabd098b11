import { expect, it } from "vitest";
import { shippedMappings } from "../../src/mapping/find.ts";
import { install } from "../support/installation.ts";
import { run, Site } from "./program.ts";
import { GATE } from "./services.ts";

const MINE = {
  ...GATE,
  description: "The  gate of\nthe company",
  product: "Gatekeeper 2.1",
  parameters: {
    tenant: { default: "main", description: "who is asked about" },
    strict: { default: false },
    realm: { example: "corp" },
  },
  examples: [
    {
      name: "a permit",
      request: { sender: "a@example.net", recipient: "b@example.org" },
      reply: { status: 200, json: { allowed: true } },
      action: "DUNNO",
    },
    { name: "trouble", request: { sender: "a@example.net" }, reply: { status: 500 }, failure: "http_5xx" },
  ],
};

it("lists what is shipped, one line each", async () => {
  const { status, stdout, stderr } = await run(["mappings"]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const names = stdout
    .trimEnd()
    .split("\n")
    .map((line) => line.split(/\s{2,}/)[0]);
  expect(names).toEqual(shippedMappings());
  expect(stdout).toMatch(/^axis +A SOAP 1\.1 service of the rpc\/encoded kind \[Apache Axis 1\.4\]$/m);
});

it.each(shippedMappings())("shows what %s asks and takes, and the recipe", async (name) => {
  const { status, stdout, stderr } = await run(["mappings", name]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  for (const part of ["It asks", "The service replies", "Postfix gets", "Other examples", "Recipe ("]) {
    expect(stdout).toContain(`\n${part}`);
  }
  // A recipe is there to be copied.
  expect(stdout).not.toContain("\\x09");
});

it("shows the parameters with their defaults, and the call of the first example", async () => {
  const site = await Site.create({ "mine.yaml": MINE });
  const { status, stdout } = await run(["mappings", site.path("mine.yaml")]);
  expect(status).toBe(0);
  expect(stdout).toContain(": The gate of the company [Gatekeeper 2.1]\n");
  expect(stdout).toContain(
    '\nParameters\n\n  tenant, default "main"\n      who is asked about\n  strict, default false\n  realm, must be set, such as "corp"\n',
  );
  expect(stdout).toContain(`    mapping: { use: ${site.path("mine.yaml")}, with: { realm: "corp" } }\n`);
  expect(stdout).toContain("\nIt asks\n\n  POST URL/check\n  content-type: application/json\n\n  {\n");
  expect(stdout).toContain('\n    "sender": "a@example.net"');
  expect(stdout).toContain('\nThe service replies\n\n  status 200\n\n  {\n    "allowed": true\n  }\n');
  expect(stdout).toContain("\nPostfix gets\n\n  DUNNO\n");
  expect(stdout).toContain("\nOther examples\n\n  trouble: failure http_5xx\n");
});

it("lists the others where one cannot be used, and sends nothing to the terminal that is not text", async () => {
  const site = await Site.create({});
  const command = await install(site.folder);
  await site.write("mappings/broken.yaml", { description: "x", request: {}, rules: [] });
  await site.write("mappings/odd.yaml", { ...GATE, description: "\u001b[31mred" });
  const { status, stdout } = await run(["mappings"], { command });
  expect(status).toBe(1);
  expect(stdout).toMatch(/^broken +cannot be used: .*response/m);
  expect(stdout).toContain("\\x1b[31mred\n");
  expect(stdout.trimEnd().split("\n")).toHaveLength(shippedMappings().length + 2);
});

it("says where it looked for what is not there", async () => {
  const { status, stderr } = await run(["mappings", "athzen"]);
  expect({ status, stderr }).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('did you mean "authzen"?'),
  });
  expect((await run(["mappings", "soap", "rest"])).status).toBe(2);
});
