/** A sender writes himself so that whoever reads the log, or a terminal, is told what nobody decided. */
import { describe, expect, it } from "vitest";
import { Program, run, Site } from "../commands/program.ts";
import { ANY_PORT, GATE, service } from "../commands/services.ts";

const CLAIMS: Readonly<Record<string, string>> = {
  "a permit of somebody else's":
    "ceo@example.org> -> <b@example.org>  [192.0.2.9]  DUNNO  (corp, rule 1, status 200, 1 ms)",
  "a line of its own": 'a@b\r{"level":"info","msg":"decision","action":"DUNNO"}\u2028\u0085',
  "colours and a cleared screen": "\u001b[2J\u009b32mDUNNO\u0007",
  "what is not seen": "ce\u200bo@exa\u00admple.org\u{e0041}\ufeff",
  "what turns the reading order": "\u202egro.elpmaxe@oec\u2066",
};
/** Obeyed by a terminal, or not seen on it. */
const RAW =
  /[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e0fff}]/u;

describe("what a client claims", () => {
  it.each(["json", "pretty", "journal", "logfmt"])(
    "is one line, that shows it for what it is: log.format %s",
    async (format) => {
      const { url } = await service(({ json }) => ({
        body: { allowed: false, reason: String(json?.sender) },
      }));
      const site = await Site.create({
        "gate.yaml": GATE,
        "pfxbridge.yaml": {
          listen: ANY_PORT,
          log: { format },
          services: { corp: { url, mapping: "./gate.yaml" } },
        },
      });
      const listen = /inet:127\.0\.0\.1:\d+/;
      const bridge = new Program(["serve", "-c", site.config]);
      await expect.poll(() => /started/.test(bridge.stdout), { timeout: 15_000 }).toBe(true);
      const client = await bridge.connect(listen.exec(bridge.stdout)?.[0] ?? "");
      const before = bridge.stdout.split("\n").length;
      for (const sender of Object.values(CLAIMS)) {
        const action = await client.ask({ request: "smtpd_access_policy", protocol_state: "RCPT", sender });
        expect(action).toMatch(/^REJECT /);
        expect(action).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
      }
      const lines = () => bridge.stdout.split("\n").slice(before - 1, -1);
      await expect.poll(lines, { timeout: 10_000 }).toHaveLength(Object.keys(CLAIMS).length);
      for (const line of lines()) {
        expect(line).not.toMatch(RAW);
        // What a reader takes for the answer is the bridge's own word.
        if (format === "pretty") expect(line.replace(/"(?:[^"\\]|\\.)*"/g, "")).not.toMatch(/ {2}DUNNO {2}/);
        else if (format === "logfmt")
          expect(line.replace(/"(?:[^"\\]|\\.)*"/g, '""').split(" ")).toEqual(
            expect.arrayContaining(['action=""', "msg=decision"]),
          );
        else
          expect(JSON.parse(line.replace(/^<6>/, ""))).toMatchObject({
            msg: "decision",
            action: expect.stringMatching(/^REJECT/),
          });
      }
    },
  );

  it("is shown by try without what a terminal obeys, as JSON too", async () => {
    const { url } = await service(({ json }) => ({ body: { allowed: false, reason: String(json?.sender) } }));
    const site = await Site.create({
      "gate.yaml": GATE,
      "pfxbridge.yaml": { services: { corp: { url, mapping: "./gate.yaml" } } },
    });
    for (const format of [[], ["--json"]]) {
      const sender = Object.values(CLAIMS).join("");
      const { stdout, stderr } = await run(["try", "-c", site.config, ...format, `sender=${sender}`]);
      expect(stdout).not.toBe("");
      expect(stdout + stderr).not.toMatch(RAW);
    }
  });
});

it("a letter that is lower case elsewhere is no letter of ASCII", async () => {
  // The Kelvin sign's lower case is k: `lower` would make one account of two.
  const { url, calls } = await service(() => ({ body: { allowed: true } }));
  const site = await Site.create({
    "m.yaml": {
      request: { method: "POST", json: { user: "${lower(sasl_username)}" } },
      response: [{ when: "body.allowed == true", action: "DUNNO" }],
    },
    "pfxbridge.yaml": { listen: ANY_PORT, services: { corp: { url, mapping: "./m.yaml" } } },
  });
  const bridge = await Program.serve(site);
  await bridge.ask({ sasl_username: "\u212aARL\u0130" });
  expect(calls[0]?.json).toEqual({ user: "\u212aarl\u0130" });
});
