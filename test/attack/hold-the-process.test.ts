/** A service sends what takes long to read or to decide on, and those who are asked about meanwhile wait for it. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Program, Site } from "../commands/program.ts";
import { ANY_PORT, service } from "../commands/services.ts";
import type { Answer } from "../support/service.ts";

const KIB = 1024;
/** Milliseconds of processor time, for which neighbours wait; it was 100 to 500. */
const MOST = 90;
const items = (count: number) => Array.from({ length: count }, (_, n) => `item-${n}`);
const typed = (type: string, body: string): Answer => ({ headers: { "content-type": type }, body });
const filled = (begin: string, piece: string, end: string, size: number) =>
  begin + piece.repeat(Math.floor((size - begin.length - end.length) / piece.length)) + end;

/** Each as large as allowed, or larger. */
const COSTLY: Readonly<Record<string, Answer>> = {
  "a MiB of JSON with a member constructor": typed(
    "application/json",
    filled('{"constructor":1,"a":[', '{"a":1},', "0]}", 1020 * KIB),
  ),
  "JSON of many members": typed("application/json", filled('{"a":[', "{},", "0]}", 250 * KIB)),
  "XML of many tags": typed("text/xml", filled("<a>", "<b/>", "</a>", 63 * KIB)),
  "XML of many attributes": typed("text/xml", filled("<a>", '<b c="d" e="f"/>', "</a>", 63 * KIB)),
  "a list for exists in exists": { body: { items: items(2000) } },
};

/** That the bridge has spent so far, in milliseconds, however busy the machine is with other things (proc_pid_stat(5)). */
function processorTime({ child }: Program): number {
  const fields = readFileSync(`/proc/${child.pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  return (ticks * 1000) / 100;
}

describe("a reply that costs much", () => {
  it("is trouble for who is asked about, and holds up nobody else", { timeout: 60_000 }, async () => {
    const { url } = await service(({ json }) => COSTLY[String(json?.sender)] ?? { body: { allowed: true } });
    const site = await Site.create({
      "m.yaml": {
        request: { method: "POST", json: { sender: "${sender}" } },
        response: [
          {
            when: 'list(body.?items).exists(i, list(body.?items).exists(j, i == j + "x"))',
            action: "REJECT found",
          },
          { when: "body.allowed == true", action: "DUNNO" },
        ],
      },
      "pfxbridge.yaml": {
        listen: ANY_PORT,
        services: { corp: { url, mapping: "./m.yaml", timeout: "10s", deadline: "20s" } },
      },
    });
    const bridge = await Program.serve(site);
    const [costly, neighbour] = [await bridge.connect(), await bridge.connect()];
    const ask = (client: typeof costly, sender: string) =>
      client.ask({ request: "smtpd_access_policy", protocol_state: "RCPT", sender });
    for (let n = 0; n < 50; n++) await ask(neighbour, "a@example.net");
    for (const name of Object.keys(COSTLY)) {
      let cost = Number.POSITIVE_INFINITY;
      // A collection of garbage may fall into one of them.
      for (let round = 0; round < 10 && cost >= MOST; round++) {
        const before = processorTime(bridge);
        const answers = Promise.all([ask(costly, name), ask(neighbour, "a@example.net")]);
        expect(await answers).toEqual([expect.stringMatching(/^DEFER/), "DUNNO"]);
        cost = Math.min(cost, processorTime(bridge) - before);
      }
      expect({ name, isHeld: cost >= MOST }).toEqual({ name, isHeld: false });
    }
  });
});
