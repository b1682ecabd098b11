/** `serve --stdio`: the client is at standard input and output, and hears nothing but answers. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { COMMAND, logLines, Program, run, Site, until } from "./program.ts";
import { GATE, heldService, permitting, silentService } from "./services.ts";

const RCPT = "request=smtpd_access_policy\nsender=a@example.net\nrecipient=b@example.org\n\n";

function gate(url: string, corp: Readonly<Record<string, unknown>> = {}) {
  return {
    "pfxbridge.yaml": {
      services: { corp: { url, mapping: "./gate.yaml", ...corp } },
      log: { file: "bridge.log" },
    },
    "gate.yaml": GATE,
  };
}

const serveStdio = (site: Site) => ["serve", "--stdio", "-c", site.config];

const decisionsIn = async (site: Site) =>
  logLines(await readFile(site.path("bridge.log"), "utf8")).filter(({ msg }) => msg === "decision");

describe("over pipes", () => {
  it("answers in order, ends with the input, and logs to log.file alone", async () => {
    const { url } = await permitting();
    const site = await Site.create(gate(url));
    expect(await run(serveStdio(site), { input: RCPT.repeat(3) })).toEqual({
      status: 0,
      stdout: "action=DUNNO\n\n".repeat(3),
      stderr: "",
    });
    expect(await decisionsIn(site)).toMatchObject(Array(3).fill({ listener: "stdio", action: "DUNNO" }));
  });

  it("prints nothing without log.file either, in whatever trouble", async () => {
    const url = await silentService();
    const site = await Site.create(gate(url, { deadline: "300ms" }));
    await site.write("pfxbridge.yaml", {
      services: { corp: { url, mapping: "./gate.yaml", deadline: "300ms" } },
    });
    expect(await run(serveStdio(site), { input: `${RCPT}no policy request\n\n` })).toEqual({
      status: 0,
      stdout: "action=DEFER 4.3.0 Authorization service unavailable, please try again later\n\n",
      stderr: "",
    });
  });

  it("keeps what a module prints, and Node's warnings, out of the answers", async () => {
    const { url } = await permitting();
    const site = await Site.create(gate(url, { mapping: "./chatty.mjs" }));
    await site.write(
      "chatty.mjs",
      `console.log("loaded");
       console.error("on standard error");
       process.emitWarning("a library is old");
       export const toRequest = () => { console.table([1]); return { path: "/check", body: "{}" }; };
       export const toAction = () => "DUNNO";`,
    );
    expect(await run(serveStdio(site), { input: RCPT })).toEqual({
      status: 0,
      stdout: "action=DUNNO\n\n",
      stderr: "",
    });
    const log = await readFile(site.path("bridge.log"), "utf8");
    for (const text of ["loaded", "on standard error", "a library is old"]) expect(log).toContain(text);
  });

  it.each([
    ["a configuration that is broken", { "pfxbridge.yaml": "listen: [" }],
    [
      "a mapping that is not there",
      { "pfxbridge.yaml": "services: { a: { url: http://a.example, mapping: ./b.yaml } }" },
    ],
    [
      "a log file that cannot be opened",
      { "pfxbridge.yaml": "routes: [{ action: OK }]\nlog: { file: no/where }" },
    ],
    ["no configuration", {}],
  ])("%s: not a byte, and exit status 1", async (_name, files) => {
    const site = await Site.create(files);
    expect(await run(serveStdio(site), { input: RCPT })).toEqual({ status: 1, stdout: "", stderr: "" });
  });

  it("wrong usage: not a byte, and exit status 2", async () => {
    expect(await run(["serve", "--stdio", "--colour"])).toEqual({ status: 2, stdout: "", stderr: "" });
  });

  it("answers what is in flight at SIGTERM", async () => {
    const { url, release, waiting } = await heldService();
    const site = await Site.create(gate(url));
    const bridge = new Program(serveStdio(site));
    bridge.child.stdin?.write(RCPT);
    await until("the call", () => waiting() === 1);
    bridge.signal("SIGTERM");
    await until("the signal", async () =>
      (await readFile(site.path("bridge.log"), "utf8")).includes("stopping"),
    );
    release();
    expect(await bridge.ended).toBe(0);
    expect([bridge.stdout, bridge.stderr]).toEqual(["action=DUNNO\n\n", ""]);
  });

  it("goes by the new configuration after SIGHUP, over the same connection", async () => {
    const site = await Site.create({
      "pfxbridge.yaml": "routes: [{ action: WARN one }]\nlog: { file: bridge.log }",
    });
    const bridge = new Program(serveStdio(site));
    bridge.child.stdin?.write(RCPT);
    await until("an answer", () => bridge.stdout.endsWith("\n\n"));
    await site.write("pfxbridge.yaml", "routes: [{ action: WARN two }]\nlog: { file: bridge.log }");
    bridge.signal("SIGHUP");
    await until("the reload", async () =>
      (await readFile(site.path("bridge.log"), "utf8")).includes("loaded again"),
    );
    bridge.child.stdin?.end(RCPT);
    expect(await bridge.ended).toBe(0);
    expect([bridge.stdout, bridge.stderr]).toEqual(["action=WARN one\n\naction=WARN two\n\n", ""]);
  });
});

describe("over one socket for all three streams, as spawn(8) hands it over", () => {
  /** The client's end, and how the bridge ended. */
  async function spawned(site: Site): Promise<{ client: Socket; status: Promise<number | null> }> {
    const server = createServer({ pauseOnConnect: true }).listen(site.path("socket"));
    await once(server, "listening");
    const client = connect(site.path("socket"));
    const [handed] = (await once(server, "connection")) as [Socket];
    const child = spawn(process.execPath, [COMMAND, ...serveStdio(site)], {
      stdio: [handed, handed, handed],
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    const status = once(child, "exit").then(([code]) => code as number | null);
    // The bridge has it now.
    handed.destroy();
    server.close();
    client.setEncoding("utf8");
    return { client, status };
  }

  it("hears answers only, and ends with the client", async () => {
    const { url } = await permitting();
    const site = await Site.create(gate(url));
    const { client, status } = await spawned(site);
    let heard = "";
    client.on("data", (text) => {
      heard += text;
    });
    client.write(RCPT);
    await until("an answer", () => heard.endsWith("\n\n"));
    client.end(RCPT);
    expect(await status).toBe(0);
    expect(heard).toBe("action=DUNNO\n\n".repeat(2));
    expect(await decisionsIn(site)).toHaveLength(2);
  });

  it("hears nothing from a broken configuration", async () => {
    const site = await Site.create({ "pfxbridge.yaml": "listen: [" });
    const { client, status } = await spawned(site);
    let heard = "";
    client.on("data", (text) => {
      heard += text;
    });
    client.on("error", () => {});
    client.write(RCPT);
    expect(await status).toBe(1);
    expect(heard).toBe("");
  });
});
