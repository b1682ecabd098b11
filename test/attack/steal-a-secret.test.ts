/**
 * Who runs code in the bridge, or reads what it shows of its configuration: a module's environment, a parameter that was
 * meant for a secret, a bridge that starts with too few descriptors to keep its promises.
 */
import { describe, expect, it } from "vitest";
import { Program, run, Site } from "../commands/program.ts";
import { ANY_PORT, permitting, service } from "../commands/services.ts";

const env = { CORP_KEY: "t0p-secret-of-corp" };

describe("a secret of the environment", () => {
  it("is not in that of a worker, where modules run", async () => {
    const { url, calls } = await permitting();
    const site = await Site.create({
      "m.mjs": `
        export const toRequest = () => ({ path: "/", body: JSON.stringify({ ...process.env }) });
        export const toAction = () => "DUNNO";`,
      "pfxbridge.yaml": {
        listen: ANY_PORT,
        workers: 2,
        services: { corp: { url, mapping: "./m.mjs", headers: { "x-key": { env: "CORP_KEY" } } } },
      },
    });
    const bridge = await Program.serve(site, [], { env });
    expect(await bridge.ask({ sender: "a@example.net" })).toBe("DUNNO");
    expect(calls[0]?.headers["x-key"]).toBe(env.CORP_KEY);
    expect(calls[0]?.json).toHaveProperty("PATH");
    expect(calls[0]?.text).not.toContain(env.CORP_KEY);
  });

  it("is no parameter of a mapping, which would be sent as a text", async () => {
    const { url, calls } = await service(() => ({ body: { allowed: true } }));
    const site = await Site.create({
      "m.yaml": {
        parameters: { key: {} },
        request: { method: "POST", headers: { "x-key": "${param.key}" }, json: { key: "${param.key}" } },
        response: [{ when: "body.allowed == true", action: "DUNNO" }],
      },
      "pfxbridge.yaml": {
        services: { corp: { url, mapping: { use: "./m.yaml", with: { key: { env: "CORP_KEY" } } } } },
      },
    });
    for (const args of [["check"], ["try", "sender=a"]]) {
      const [command = "", ...rest] = args;
      const { status, stderr } = await run([command, "-c", site.config, ...rest], { env });
      expect(status).toBe(1);
      expect(stderr).toContain("put the secret under secrets of the service");
    }
    expect(calls).toEqual([]);
  });
});

it("a bridge with too few descriptors does not start", async () => {
  const { url } = await permitting();
  const site = await Site.create({ "pfxbridge.yaml": { listen: ANY_PORT, services: { corp: { url } } } });
  const bridge = new Program(["serve", "-c", site.config], { files: 100 });
  expect(await bridge.ended).not.toBe(0);
  expect(bridge.stdout + bridge.stderr).toMatch(/128/);
});
