/** File descriptors run short: calls have theirs, and clients get what is left. */
import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import type { PolicyClient } from "../support/policy-client.ts";
import { Program, run, Site, until } from "./program.ts";
import { ANY_PORT, GATE, heldService } from "./services.ts";
import { REQUEST } from "./workers.ts";

const FILES = 400;
const CALLS = 120;
/** What is left: 64 are for the bridge itself. */
const CLIENTS = FILES - 64 - CALLS;

/** More than there can be; the first ones are idle, those that are not taken are closed. */
async function crowd(bridge: Program, count: number): Promise<PolicyClient[]> {
  const clients: PolicyClient[] = [];
  while (clients.length < count) {
    clients.push(...(await Promise.all(Array.from({ length: 50 }, () => bridge.connect()))));
  }
  return clients;
}

describe("with few file descriptors", () => {
  it.each([1, 2])(
    "no call fails for want of one, however many clients there are, with %i process",
    async (workers) => {
      const { url, release, waiting } = await heldService();
      const site = await Site.create({ "gate.yaml": GATE });
      const corp = {
        url,
        mapping: "./gate.yaml",
        max_in_flight: CALLS * workers,
        timeout: "10s",
        deadline: "10s",
      };
      await site.write("pfxbridge.yaml", {
        listen: [...ANY_PORT, `unix:${site.path("policy")}`],
        workers,
        services: { corp },
      });
      const bridge = await Program.serve(site, [], { files: FILES });
      const count = (FILES + 100) * workers;
      const clients = await crowd(bridge, count);
      const closed = () => clients.filter((client) => client.closed).length;
      await until("those that are not taken", () => closed() === count - CLIENTS * workers || undefined);
      const asking = clients.filter(({ closed }) => !closed).slice(-CALLS);
      const answers = asking.map((client, index) =>
        client.ask({ ...REQUEST, sender: `${index}@example.net` }),
      );
      await until("the calls", () => waiting() === CALLS || undefined);
      release();
      expect(new Set(await Promise.all(answers))).toEqual(new Set(["DUNNO"]));
      expect(bridge.log.filter(({ msg }) => String(msg).includes("was not taken"))).not.toEqual([]);
      // Those of another listener count, too.
      const other = await bridge.connect(`unix:${site.path("policy")}`);
      expect(await other.untilClosed()).toBe("");
    },
  );

  it("the bridge does not start, and says what to do", async () => {
    const site = await Site.create({
      "pfxbridge.yaml": { listen: ANY_PORT, routes: [{ action: "DUNNO" }] },
    });
    const { status, stderr } = await run(["serve", "-c", site.config], { files: 127 });
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringMatching(/^pfxbridge: only 127 files may be open at once.*LimitNOFILE/),
    });
    const bridge = await Program.serve(site, [], { files: 128 });
    expect(await bridge.ask(REQUEST)).toBe("DUNNO");
  });

  it.each([1, 2])("the limit is raised as far as is allowed, with %i process", async (workers) => {
    const site = await Site.create({
      "pfxbridge.yaml": { listen: ANY_PORT, workers, routes: [{ action: "DUNNO" }] },
    });
    const bridge = await Program.serve(site, [], { softFiles: 256 });
    const pid = bridge.child.pid!;
    const children = (await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).split(" ").filter(Boolean);
    expect(children).toHaveLength(workers === 1 ? 0 : workers);
    for (const process of [pid, ...children]) {
      const [, soft, hard] = /^Max open files\s+(\S+)\s+(\S+)/m.exec(
        await readFile(`/proc/${process}/limits`, "utf8"),
      )!;
      expect(soft).toBe(hard);
      expect(Number(soft)).toBeGreaterThan(256);
    }
  });
});
