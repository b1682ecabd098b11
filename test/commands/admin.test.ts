/** The admin endpoint of the built command: over workers, through reloads, at the end. */
import { describe, expect, it, vi } from "vitest";
import { PolicyClient } from "../support/policy-client.ts";
import { freePort } from "../support/temporary.ts";
import { Program, Site } from "./program.ts";

async function site(own: object = {}) {
  const [policy, admin] = [await freePort(), await freePort()];
  const config = {
    listen: [`inet:127.0.0.1:${policy}`],
    services: { corp: { url: "http://127.0.0.1:1", retry: { attempts: 1 }, on_failure: "DEFER ${cause}" } },
    admin: `inet:127.0.0.1:${admin}`,
    log: { format: "json" },
    ...own,
  };
  return { policy, admin, config, site: await Site.create({ "pfxbridge.yaml": config }) };
}

async function get(port: number, path: string): Promise<{ status: number; text: string }> {
  const reply = await fetch(`http://127.0.0.1:${port}${path}`);
  return { status: reply.status, text: await reply.text() };
}

const sample = (text: string, line: string) =>
  Number(
    text
      .split("\n")
      .find((each) => each.startsWith(`${line} `))
      ?.slice(line.length + 1),
  );

describe("a bridge that is watched", () => {
  it("tells what all of its workers decided, also when one has ended", { timeout: 40_000 }, async () => {
    const { policy, admin, site: files } = await site({ workers: 2 });
    await Program.serve(files);
    const ask = async (times: number) => {
      for (let n = 0; n < times; n++) {
        const client = await PolicyClient.connect({ kind: "inet", host: "127.0.0.1", port: policy });
        expect(await client.ask({ sender: `${n}@example.org` })).toMatch(/^DEFER /);
        client.socket.destroy();
      }
    };
    const decided = async () => {
      const { text } = await get(admin, "/metrics");
      return sample(text, 'pfxbridge_decisions_total{service="corp",source="default",action="defer"}');
    };
    await ask(6);
    expect(await decided()).toBe(6);
    const status = JSON.parse((await get(admin, "/status")).text);
    expect(status.decisions.default).toBe(6);
    process.kill(status.workers[0].pid, "SIGKILL");
    await vi.waitFor(
      async () => {
        const { workers } = JSON.parse((await get(admin, "/status")).text);
        // What was put together before it ended is used for a moment.
        const others = workers.filter(({ pid }: { pid: number }) => pid !== status.workers[0].pid);
        expect(others.filter(({ answers }: { answers: boolean }) => answers)).toHaveLength(2);
      },
      { timeout: 20_000, interval: 100 },
    );
    await ask(2);
    await vi.waitFor(async () => expect(await decided()).toBe(8), 5_000);
    expect(JSON.parse((await get(admin, "/readyz")).text)).toMatchObject({ ready: true, answering: 2 });
  });

  it("keeps what it has when a reload cannot have its address, and says so", async () => {
    const { admin, config, site: files } = await site();
    const program = await Program.serve(files);
    const other = await site();
    await Program.serve(other.site);
    await files.write("pfxbridge.yaml", { ...config, admin: `inet:127.0.0.1:${other.admin}` });
    program.child.kill("SIGHUP");
    await program.logged({ msg: "configuration not loaded, the old one stays in use" });
    const refused = (await get(admin, "/metrics")).text;
    expect(sample(refused, "pfxbridge_last_reload_successful")).toBe(0);
    expect(sample(refused, 'pfxbridge_reloads_total{result="refused"}')).toBe(1);

    const next = await freePort();
    await files.write("pfxbridge.yaml", { ...config, admin: `inet:127.0.0.1:${next}` });
    program.child.kill("SIGHUP");
    await program.logged({ msg: "configuration loaded again" });
    // What was put together a moment ago is used by all who ask.
    await vi.waitFor(
      async () =>
        expect(sample((await get(next, "/metrics")).text, "pfxbridge_last_reload_successful")).toBe(1),
      5_000,
    );
    await vi.waitFor(() => expect(get(admin, "/healthz")).rejects.toThrow(), 5_000);
  });

  it("does not start where its address is in use, and says what to do", async () => {
    const { admin, site: files } = await site();
    await Program.serve(files);
    const other = await site({ admin: `inet:127.0.0.1:${admin}` });
    const program = new Program(["serve", "-c", other.site.config]);
    expect(await program.ended).toBe(1);
    expect(program.stderr).toContain(
      `admin: cannot listen on inet:127.0.0.1:${admin}: the port is in use; stop what`,
    );
  });
});
