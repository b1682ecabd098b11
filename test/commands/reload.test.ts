/** SIGHUP: the next configuration, or the old one and a line that says why. */
import { readFile, rename } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { Program, Site, until } from "./program.ts";
import { ANY_PORT, GATE, heldService, permitting, service } from "./services.ts";

const REQUEST = { request: "smtpd_access_policy", sender: "a@example.net", recipient: "b@example.org" };

/** A configuration that answers by a route alone. */
const answering = (action: string, more: Readonly<Record<string, unknown>> = {}) => ({
  listen: ANY_PORT,
  routes: [{ action }],
  ...more,
});

/** Writes the configuration, and waits until the bridge has said what became of it. */
async function reload(bridge: Program, site: Site, config: unknown, outcome = "configuration loaded again") {
  const since = bridge.log.length;
  await site.write("pfxbridge.yaml", config);
  bridge.signal("SIGHUP");
  await bridge.logged({ msg: outcome }, since);
  return bridge.log.slice(since);
}

const REFUSED = "configuration not loaded, the old one stays in use";

describe("a valid configuration", () => {
  it("takes effect at once, on open connections too, and drops none", async () => {
    const site = await Site.create({ "pfxbridge.yaml": answering("WARN one") });
    const bridge = await Program.serve(site);
    const client = await bridge.connect();
    expect(await client.ask(REQUEST)).toBe("WARN one");
    const [endpoint] = bridge.endpoints;
    await reload(bridge, site, answering("WARN two"));
    expect(bridge.endpoints).toEqual([endpoint]);
    expect(await client.ask(REQUEST)).toBe("WARN two");
    expect(await bridge.ask(REQUEST)).toBe("WARN two");
  });

  it("leaves a decision in flight to the configuration that it began with", async () => {
    const { url, release, waiting } = await heldService();
    const config = { listen: ANY_PORT, services: { corp: { url, mapping: "./gate.yaml" } } };
    const site = await Site.create({ "pfxbridge.yaml": config, "gate.yaml": GATE });
    const bridge = await Program.serve(site);
    const client = await bridge.connect();
    const answer = client.ask(REQUEST);
    await until("the call", () => waiting() === 1);
    await reload(bridge, site, answering("WARN two"));
    expect(await bridge.ask(REQUEST)).toBe("WARN two");
    release();
    expect(await answer).toBe("DUNNO");
    expect(await client.ask(REQUEST)).toBe("WARN two");
    await bridge.logged({ msg: "decision", source: "upstream", service: "corp", attempts: 1 });
  });

  it("also where that decision still has calls to make", async () => {
    let broken = true;
    const corp = await service(() => (broken ? { status: 503 } : { body: { allowed: true } }));
    const retry = { attempts: 20, backoff: "200ms", max_backoff: "200ms" };
    const services = { corp: { url: corp.url, mapping: "./slow.mjs", retry, deadline: "10s" } };
    const site = await Site.create({
      "pfxbridge.yaml": { listen: ANY_PORT, services },
      "slow.mjs": `export async function toRequest(request) {
          if (request.sender === "slow") await new Promise((resolve) => setTimeout(resolve, 1500));
          return { path: "/check", body: "{}" };
        }
        export const toAction = (reply) => {
          if (reply.status >= 500) throw new Error("trouble");
          return reply.body.allowed ? "DUNNO" : "REJECT";
        };`,
      "gate.yaml": GATE,
    });
    services.corp.mapping = "./gate.yaml";
    const bridge = await Program.serve(site);
    const rendering = (await bridge.connect()).ask({ ...REQUEST, sender: "slow" });
    await reload(bridge, site, { listen: ANY_PORT, services });
    const retrying = (await bridge.connect()).ask(REQUEST);
    await until("a second attempt", () => corp.calls.length >= 2);
    await reload(bridge, site, answering("WARN three"));
    expect(await bridge.ask(REQUEST)).toBe("WARN three");
    broken = false;
    expect(await Promise.all([rendering, retrying])).toEqual(["DUNNO", "DUNNO"]);
  });

  it("opens listeners that are new, and closes those that are gone without cutting off their connections", async () => {
    const site = await Site.create({});
    const paths = ["one", "two"].map((name) => `unix:${site.path(name)}`);
    await site.write("pfxbridge.yaml", answering("WARN one", { listen: [paths[0]] }));
    const bridge = await Program.serve(site);
    const client = await bridge.connect();
    expect(await client.ask(REQUEST)).toBe("WARN one");

    await reload(bridge, site, answering("WARN two", { listen: [paths[1]] }));
    expect(bridge.endpoints).toEqual([paths[1]]);
    expect(await (await bridge.connect(paths[1])).ask(REQUEST)).toBe("WARN two");
    await expect(bridge.connect(paths[0])).rejects.toThrow(/ENOENT|ECONNREFUSED/);
    expect(await client.ask(REQUEST)).toBe("WARN two");
  });

  it("changes the level of the log", async () => {
    const site = await Site.create({ "pfxbridge.yaml": answering("WARN one") });
    const bridge = await Program.serve(site);
    await site.write("pfxbridge.yaml", answering("WARN two", { log: { level: "warn" } }));
    bridge.signal("SIGHUP");
    await until("the reload", async () => (await bridge.ask(REQUEST)) === "WARN two");
    const since = bridge.log.length;
    await bridge.ask(REQUEST);
    await reload(bridge, site, answering("WARN three"));
    expect(bridge.log.slice(since).filter(({ action }) => action === "WARN two")).toEqual([]);
    await bridge.ask(REQUEST);
    await bridge.logged({ msg: "decision", action: "WARN three" });
  });

  it("opens the log file anew, after logrotate has moved it", async () => {
    const config = answering("WARN one", { log: { file: "bridge.log" } });
    const site = await Site.create({ "pfxbridge.yaml": config });
    const bridge = new Program(["serve", "-c", site.config]);
    const file = site.path("bridge.log");
    const holds = (name: string, text: string) =>
      until(`${text} in ${name}`, async () => (await readFile(name, "utf8").catch(() => "")).includes(text));
    await holds(file, '"started"');
    await rename(file, `${file}.1`);
    bridge.signal("SIGHUP");
    await holds(file, '"configuration loaded again"');
    expect(await readFile(`${file}.1`, "utf8")).not.toContain("loaded again");
    bridge.signal("SIGTERM");
    expect(await bridge.ended).toBe(0);
    expect(await readFile(file, "utf8")).toContain('"stopped"');
  });

  it("of a signal that comes while the bridge starts is loaded when it has started", async () => {
    const { url } = await permitting();
    const site = await Site.create({
      "pfxbridge.yaml": { listen: ANY_PORT, services: { corp: { url, mapping: "./slow.mjs" } } },
      "slow.mjs": `import { writeFileSync } from "node:fs";
        writeFileSync(new URL("loading", import.meta.url), "");
        await new Promise((resolve) => setTimeout(resolve, 1000));
        export const toRequest = () => ({ path: "/check", body: "{}" });
        export const toAction = () => "DUNNO";`,
    });
    const bridge = new Program(["serve", "-c", site.config]);
    await until("the module", () => readFile(site.path("loading")).catch(() => undefined));
    bridge.signal("SIGHUP");
    await bridge.logged({ msg: "configuration loaded again" });
    expect(bridge.log.filter(({ msg }) => msg === "started")).toHaveLength(1);
    expect(bridge.alive).toBe(true);
  });
});

describe("what cannot be used: the old configuration stays, and the log says why", () => {
  it.each([
    [
      "a key that does not exist",
      (site: Site) => ({ config: "listen: [inet:127.0.0.1:0]\nroute:\n  - action: OK\n", file: site.config }),
      { line: 2, column: 1, message: 'unknown key "route"; did you mean "routes"?' },
    ],
    [
      "a mapping with a mistake",
      async (site: Site) => {
        await site.write("gate.yaml", "request:\n  path: /${sendr}\nresponse:\n  - action: DUNNO\n");
        const services = { corp: { url: "http://127.0.0.1:1", mapping: "./gate.yaml" } };
        return { config: { listen: ANY_PORT, services }, file: site.path("gate.yaml") };
      },
      { line: 2, column: expect.any(Number), message: expect.stringContaining("sendr") },
    ],
  ])("%s", async (_name, prepare, { message, ...place }) => {
    const site = await Site.create({ "pfxbridge.yaml": answering("WARN one") });
    const bridge = await Program.serve(site);
    const client = await bridge.connect();
    const { config, file } = await prepare(site);
    const lines = await reload(bridge, site, config, REFUSED);
    expect(lines).toContainEqual(expect.objectContaining({ level: "error", file, ...place, msg: message }));
    expect(await client.ask(REQUEST)).toBe("WARN one");
    expect(await bridge.ask(REQUEST)).toBe("WARN one");
  });

  it("a module that cannot be imported, a port in use, a log file that cannot be opened: nothing of it is taken", async () => {
    const site = await Site.create({ "pfxbridge.yaml": answering("WARN one"), "broken.mjs": "throw 1" });
    const bridge = await Program.serve(site);
    const { url } = await permitting();
    const other = await Program.serve(await Site.create({ "pfxbridge.yaml": answering("OK") }));
    const [taken] = other.endpoints;
    const free = `unix:${site.path("new")}`;
    const listen = [...ANY_PORT, free];
    const attempts: readonly [unknown, RegExp][] = [
      [{ listen, services: { corp: { url, mapping: "./broken.mjs" } } }, /the module cannot be loaded/],
      [answering("WARN two", { listen: [...listen, taken] }), /the port is in use/],
      [answering("WARN two", { listen, log: { file: "no/where" } }), /^log\.file: .* cannot be opened/],
    ];
    for (const [config, why] of attempts) {
      const lines = await reload(bridge, site, config, REFUSED);
      expect(lines.filter(({ level }) => level === "error")).toEqual([
        expect.objectContaining({ msg: expect.stringMatching(why) }),
        expect.objectContaining({ msg: REFUSED }),
      ]);
      expect(await bridge.ask(REQUEST)).toBe("WARN one");
      await expect(bridge.connect(free)).rejects.toThrow(/ENOENT|ECONNREFUSED/);
    }
    await reload(bridge, site, answering("WARN two", { listen }));
    expect(await bridge.ask(REQUEST)).toBe("WARN two");
  });
});
