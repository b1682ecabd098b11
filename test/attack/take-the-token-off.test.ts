/** Somebody on this machine waits for a reload that leaves the control endpoint open to everybody. */
import { describe, expect, it } from "vitest";
import { ControlServer } from "../../src/control/server.ts";
import { ask, bearer, controlled, TOKEN } from "./control-site.ts";

describe("a control endpoint with a token", () => {
  it.each([
    ["a unix socket without one", (folder: string) => `unix:${folder}/control`],
    ["none at all", () => undefined],
  ])("keeps it when the next configuration has %s", async (_, next) => {
    const { site, bridge, port, write } = await controlled();
    await write(next(site.folder));
    bridge.signal("SIGHUP");
    await bridge.logged({ msg: "configuration loaded again" });
    await bridge.logged({ msg: "the control endpoint that is bound keeps its token until a restart" });
    expect((await ask(port)).status).toBe(401);
    expect((await ask(port, { headers: bearer(TOKEN) })).status).toBe(200);
  });

  it("takes another one with a reload", async () => {
    const { bridge, port, write } = await controlled();
    await write({ endpoint: `inet:127.0.0.1:${port}`, token: "another-token", state: "state.json" });
    bridge.signal("SIGHUP");
    await bridge.logged({ msg: "configuration loaded again" });
    expect((await ask(port, { headers: bearer("another-token") })).status).toBe(200);
    expect((await ask(port, { headers: bearer(TOKEN) })).status).toBe(401);
  });

  it("does not come about on TCP without one", async () => {
    const silent = { debug() {}, info() {}, warn() {}, error() {} };
    const endpoint = { kind: "inet", host: "127.0.0.1", port: 0 } as const;
    expect(await ControlServer.open({ endpoint, mode: 0o600 }, silent)).toEqual({
      problem: expect.stringContaining("needs a token"),
    });
  });
});
