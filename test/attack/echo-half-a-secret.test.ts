/**
 * A service, or a path to it, says again what it was sent where the bridge cuts a text: in an action, in what is wrong with
 * a reply, in a header. What is left of a long token is no whole secret, and tells nearly all of it.
 */
import { describe, expect, it } from "vitest";
import { Program, run, Site } from "../commands/program.ts";
import { ANY_PORT, service } from "../commands/services.ts";
import type { Answer } from "../support/service.ts";

/** As long as tokens are: longer than anything that the bridge shows of a reply. */
const SECRET = "Tr0ub4dor.abcdefghijklmnopqrstuvwxyz.0123456789.ABCDEFG-".repeat(12);
/** Pieces of it; the cut may leave fewer characters than any of these. */
const TOLD = /tr0ub4dor|abcdefghij|0123456789/i;

const json = (body: unknown): Answer => ({ body });
const typed = (type: string, body: string): Answer => ({ headers: { "content-type": type }, body });

const REPLIES: Readonly<Record<string, (secret: string) => Answer>> = {
  "the text of an action": (secret) => json({ allowed: false, reason: `no access with ${secret}` }),
  "the text of an action, encoded": (secret) =>
    json({ allowed: false, reason: `no ${Buffer.from(`bridge:${secret}`).toString("base64")}` }),
  "a verb": (secret) => json({ act: secret }),
  "the detail of a failure": (secret) => json({ trouble: `late ${secret}` }),
  "a member that stands twice": (secret) => typed("application/json", `{"${secret}":1,"${secret}":2}`),
  "JSON that is none": (secret) => typed("application/json", `{"allowed":"${secret}" no}`),
  "XML that is none": (secret) => typed("text/xml", `<a><${secret}></b></a>`),
  "a type": (secret) => typed(`a/${secret}`, "?"),
  "a character set": (secret) => typed(`application/json; charset=${secret}`, "{}"),
  "a content coding": (secret) => ({ headers: { "content-encoding": secret }, body: "?" }),
  "a body longer than try shows": (secret) => json({ other: `${"x".repeat(3900)}${secret}` }),
};

describe("a secret of which a cut leaves the beginning", () => {
  it("is told to no reader of an answer, the log, status or try", { timeout: 60_000 }, async () => {
    const { url } = await service(
      ({ headers, json: asked }) => REPLIES[String(asked?.sender)]?.(String(headers["x-key"])) ?? {},
    );
    const site = await Site.create({
      "m.yaml": {
        request: { method: "POST", headers: { "x-key": "${secret.key}" }, json: { sender: "${sender}" } },
        response: [
          { when: 'body.?trouble.orValue("") != ""', failure: "bad_reply", detail: "${body.trouble}" },
          { when: 'body.?act.orValue("") != ""', action: "${body.act}" },
          { when: "body.allowed == false", action: "REJECT ${body.reason}" },
        ],
      },
    });
    await site.write("pfxbridge.yaml", {
      listen: ANY_PORT,
      control: `unix:${site.path("control")}`,
      services: { corp: { url, mapping: "./m.yaml", secrets: { key: SECRET } } },
    });
    const bridge = await Program.serve(site);
    const told: string[] = [];
    for (const name of Object.keys(REPLIES)) {
      const command = async (...args: string[]) => (await run([...args, "-c", site.config])).stdout;
      const answer = await bridge.ask({ sender: name });
      const [status, tried, inJson] = await Promise.all([
        command("status", "--json"),
        command("try", `sender=${name}`),
        command("try", "--json", `sender=${name}`),
      ]);
      const shown = { answer, status, try: tried, "try --json": inJson };
      for (const [where, text] of Object.entries(shown)) {
        const words = text.match(/[A-Za-z0-9+/]{16,}/g) ?? [];
        const decoded = words.map((word) => Buffer.from(word, "base64").toString("latin1"));
        if (TOLD.test(`${text} ${decoded}`)) told.push(`${name}: ${where}`);
      }
    }
    expect(told).toEqual([]);
    expect(bridge.decisions).toHaveLength(Object.keys(REPLIES).length);
    expect(bridge.stdout).not.toMatch(TOLD);
    expect(bridge.stdout).toContain("***");
  });
});
