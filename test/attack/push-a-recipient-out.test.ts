/** A sender gives so many and so long recipients that the last one might fall out of what the service sees at DATA. */
import { describe, expect, it } from "vitest";
import { Program, Site } from "../commands/program.ts";
import { ANY_PORT, service } from "../commands/services.ts";

const CEO = "ceo@example.org";
/** What smtpd takes at most: smtpd_recipient_limit of them, of line_length_limit. */
const [MOST, LONGEST] = [1000, 2048];

describe("a recipient whom nothing may reach", () => {
  const start = async (expression: string) => {
    const { url, calls } = await service(({ json }) => ({
      body: { allowed: json?.state !== "DATA" || json.ceo !== true },
    }));
    const site = await Site.create({
      "m.yaml": {
        request: { method: "POST", json: { ceo: `\${${expression}}`, state: "${protocol_state}" } },
        response: [
          { when: "body.allowed == true", action: "DUNNO" },
          { when: "body.allowed == false", action: "REJECT" },
        ],
      },
      "pfxbridge.yaml": { listen: ANY_PORT, services: { corp: { url, mapping: "./m.yaml" } } },
    });
    return { bridge: await Program.serve(site), calls };
  };
  const READS = `recipients.exists(r, r == "${CEO}")`;
  const padded = (n: number, length: number) => `${`${n}-`.padEnd(length - 12, "x")}@example.org`;

  it.each([
    ["many long ones, and last", 700, 2000, "last"],
    ["many long ones, and first", 700, 2000, "first"],
    ["as many as Postfix takes, as long as it takes, and last", MOST - 1, LONGEST, "last"],
  ] as const)("is seen among %s", { timeout: 60_000 }, async (_, count, length, place) => {
    const { bridge } = await start(READS);
    const client = await bridge.connect();
    const others = Array.from({ length: count }, (_, n) => padded(n, length));
    const all = place === "last" ? [...others, CEO] : [CEO, ...others];
    const message = { request: "smtpd_access_policy", instance: "i.1", sender: "a@example.net" };
    for (const recipient of all) await client.ask({ ...message, protocol_state: "RCPT", recipient });
    const recipient_count = String(all.length);
    const action = await client.ask({ ...message, protocol_state: "DATA", recipient: "", recipient_count });
    expect(action).toMatch(/^REJECT/);
  });

  it("is trouble, and no permit, where it was not asked about, or more are than Postfix takes", async () => {
    const { bridge, calls } = await start(READS);
    const client = await bridge.connect();
    const message = { request: "smtpd_access_policy", instance: "i.2", sender: "a@example.net" };
    const data = (recipient_count: string) =>
      client.ask({ ...message, protocol_state: "DATA", recipient: "", recipient_count });
    await client.ask({ ...message, protocol_state: "RCPT", recipient: "b@example.org" });
    for (const count of ["2", "700"]) expect(await data(count)).toMatch(/^DEFER/);
    expect(await data("1")).toMatch(/^DUNNO/);
    expect(calls.filter(({ json }) => json?.state === "DATA")).toHaveLength(1);
    await bridge.logged({ msg: "decision", cause: "mapping_error" });
  });
});
