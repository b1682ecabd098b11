/** `pfxbridge reload` and `status --check`, and the log file that is opened anew, alone and with workers. */
import { readFile, rename } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { Program, run, Site, until } from "./program.ts";
import { ANY_PORT } from "./services.ts";

const REQUEST = { sender: "a@example.net", recipient: "b@example.org" };

async function start(workers: number) {
  const site = await Site.create({});
  const config = (action: string) => ({
    listen: [`unix:${site.path("policy")}`],
    control: `unix:${site.path("control")}`,
    log: { file: "log" },
    workers,
    routes: [{ action }],
  });
  await site.write("pfxbridge.yaml", config("WARN one"));
  const bridge = new Program(["serve", "-c", site.config]);
  const log = (name = "log") => readFile(site.path(name), "utf8").catch(() => "");
  await until("the start", async () => (await log()).includes('"started"'));
  const ask = async () => {
    const client = await bridge.connect(`unix:${site.path("policy")}`);
    return client.ask({ request: "smtpd_access_policy", protocol_state: "RCPT", ...REQUEST });
  };
  const command = (...args: string[]) => run([args[0] ?? "", "-c", site.config, ...args.slice(1)]);
  return { site, bridge, config, log, ask, command };
}

describe.each([1, 2])("with %i process(es) that answer", (workers) => {
  it("reload waits and says what came of it, and status remembers a refusal", async () => {
    const { site, config, ask, command } = await start(workers);
    await site.write("pfxbridge.yaml", config("WARN two"));
    expect(await command("reload")).toEqual({
      status: 0,
      stdout: "the configuration was loaded again and is in use\n",
      stderr: "",
    });
    expect(await ask()).toBe("WARN two");

    await site.write("pfxbridge.yaml", { ...config("WARN three"), route: [] });
    const refused = await command("reload");
    expect(refused.status).toBe(1);
    expect(refused.stdout).toMatch(/^.*pfxbridge\.yaml:\d+:1: error: unknown key "route"; did you mean/);
    expect(refused.stderr).toContain("refused; the one before it stays in use");
    expect(await ask()).toBe("WARN two");
    const first = JSON.parse((await command("status", "--json")).stdout).reload;
    expect(first).toMatchObject({ loaded: false, refused_since: first.at });
    await command("reload");
    const status = JSON.parse((await command("status", "--json")).stdout).reload;
    expect(status.refused_since).toBe(first.at);
    expect(status.problems).toEqual([expect.stringContaining('unknown key "route"')]);
    // By its endpoint: the configuration itself cannot be read for the moment.
    const shown = await run(["status", "--control", `unix:${site.path("control")}`]);
    expect(shown.stdout).toMatch(/RELOAD REFUSED since .*\n.*\n? *.*unknown key "route"/);
    const checked = await run(["status", "--check", "--control", `unix:${site.path("control")}`]);
    expect(checked).toMatchObject({
      status: 1,
      stdout: expect.stringMatching(
        /^PFXBRIDGE WARNING - the configuration was refused since [\d: -]+ \| .*\n$/,
      ),
    });

    await site.write("pfxbridge.yaml", config("WARN three"));
    expect((await command("reload")).status).toBe(0);
    expect((await command("status", "--check")).status).toBe(0);
  });

  it("SIGUSR1 opens the log anew and does nothing else; SIGHUP does so also where it refuses the configuration", async () => {
    const { site, bridge, log, ask, config } = await start(workers);
    for (const round of ["1", "2"]) {
      await rename(site.path("log"), site.path(`log.${round}`));
      bridge.signal("SIGUSR1");
      await until("a new file", async () => {
        await ask();
        return (await log()).includes('"decision"') || undefined;
      });
      expect(await log(`log.${round}`)).not.toContain("loaded again");
    }
    await site.write("pfxbridge.yaml", { ...config("WARN three"), route: [] });
    await rename(site.path("log"), site.path("log.3"));
    bridge.signal("SIGHUP");
    await until(
      "the refusal in the new file",
      async () => (await log()).includes("configuration not loaded") || undefined,
    );
    expect(await log("log.3")).not.toContain("configuration not loaded");
    await ask();
    await until(
      "the decision in the new file",
      async () => (await log()).includes('"WARN one"') || undefined,
    );
  });
});

describe("status --check", () => {
  it("is critical where no bridge runs, and unknown where it cannot be found out", async () => {
    const site = await Site.create({ "pfxbridge.yaml": { listen: ANY_PORT, routes: [{ action: "OK" }] } });
    expect(await run(["status", "--check", "--control", `unix:${site.path("none")}`])).toMatchObject({
      status: 2,
      stdout: expect.stringMatching(/^PFXBRIDGE CRITICAL - no bridge is running: .*\n$/),
    });
    expect(await run(["status", "--check", "-c", site.config])).toMatchObject({
      status: 3,
      stdout: expect.stringMatching(/^PFXBRIDGE UNKNOWN - .* has no "control"/),
    });
    expect(await run(["status", "--check", "--wrong"])).toMatchObject({
      status: 3,
      stdout: expect.stringMatching(/^PFXBRIDGE UNKNOWN - Unknown option/),
    });
  });
});
