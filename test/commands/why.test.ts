/** `pfxbridge why`, as a help desk uses it: against a running bridge, its workers, its log. */
import { writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { Program, run, Site } from "./program.ts";
import { ANY_PORT, GATE, service } from "./services.ts";

const TOKEN = "hunter22-very-secret";
const REFERENCE = /\(ref (mx1-[0-9a-f]{8})\)$/;

async function start(more: Readonly<Record<string, unknown>> = {}) {
  const { url } = await service(({ headers }) => ({
    body: { allowed: false, reason: `no to ${headers.authorization}` },
  }));
  const site = await Site.create({ "gate.yaml": GATE });
  await site.write("pfxbridge.yaml", {
    listen: ANY_PORT,
    control: `unix:${site.path("control")}`,
    services: { corp: { url, mapping: "./gate.yaml", auth: { bearer: TOKEN } } },
    log: { reference: { host: "mx1" } },
    ...more,
  });
  const bridge = await Program.serve(site);
  const why = (...args: string[]) => run(["why", "-c", site.config, ...args]);
  return { site, bridge, why };
}

const ask = (bridge: Program, sender = "a@example.net") =>
  bridge.ask({ request: "smtpd_access_policy", protocol_state: "RCPT", sender, recipient: "b@example.org" });

describe.each([1, 2])("with %i process(es) that answer", (workers) => {
  it("shows how the refusal with a reference came about, each with its own, and no secret", async () => {
    const { bridge, why } = await start({ workers });
    const actions = [await ask(bridge, "x\x1b[31m@example.net"), await ask(bridge)];
    const references = actions.map((action) => REFERENCE.exec(String(action))?.[1] ?? "");
    expect(new Set(references).size).toBe(2);
    const { status, stdout } = await why(`(ref ${references[0]})`);
    expect(status).toBe(0);
    expect(stdout).toContain(`Decision    ${references[0]}\n`);
    expect(stdout).toMatch(/^From {8}the bridge at unix:.*, decided \d\d:/m);
    expect(stdout).toMatch(/^ {12}authorization: Bearer \*\*\*$/m);
    expect(stdout).toMatch(/^Rule {8}2$/m);
    expect(stdout).toContain(`Action      ${actions[0]}`);
    expect(stdout).not.toMatch(/hunter22|\x1b/);
    const list = await why("--recipient", "b@example.org");
    expect(list.stdout).toMatch(new RegExp(`${references[1]}[^]*${references[0]}`));
  });
});

it("shows what the log says when the bridge has ended, and says what it looked through", async () => {
  const { site, bridge, why } = await start();
  const reference = REFERENCE.exec(String(await ask(bridge)))?.[1] ?? "";
  bridge.signal("SIGTERM");
  await bridge.ended;
  const log = site.path("log");
  await writeFile(log, bridge.stdout);
  const found = await why("--json", reference, log);
  expect(found.status).toBe(0);
  expect(JSON.parse(found.stdout)).toMatchObject({
    from: log,
    decisions: [{ reference, rule: 2 }],
  });
  const missed = await why("mx2-00000000", log);
  expect(missed).toMatchObject({ status: 1, stdout: "" });
  expect(missed.stderr).toContain("no such decision was found");
  expect(missed.stderr).toContain("made on the host mx2, and this is mx1: ask there");
  expect(missed.stderr).toContain(`looked through: ${log} (`);
});

it.each([[[]], [["nonsense"]], [[".*-........"]]])("refuses %j as an ID", async (args) => {
  const { status, stderr } = await run(["why", ...args]);
  expect(status).toBe(2);
  expect(stderr).toContain("reference");
});
