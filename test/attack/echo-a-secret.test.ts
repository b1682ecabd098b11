/** A service, or a path to it, that says again what it was sent, in whatever dress, so that a reader of the log learns it. */
import { describe, expect, it } from "vitest";
import { Program, run, Site } from "../commands/program.ts";
import { ANY_PORT, service } from "../commands/services.ts";

const SECRET = 'Tr0ub4dor&3 "key"/\\';
const BODY = "zx81-spectrum-48k";

const ESCAPED = [...SECRET].map((character, n) =>
  n % 2 === 0 ? `&#${character.codePointAt(0)};` : character,
);

/** The forms in which a reply says a secret again. */
const ECHOES: readonly (readonly [string, (secret: string) => string])[] = [
  ["as it is", (secret) => secret],
  ["in upper case", (secret) => secret.toUpperCase()],
  ["in hexadecimal", (secret) => Buffer.from(secret).toString("hex")],
  ["in base64", (secret) => Buffer.from(secret).toString("base64")],
  ["in base64 behind one byte", (secret) => Buffer.from(`x${secret}`).toString("base64")],
  ["in base64 behind two bytes", (secret) => Buffer.from(`xy${secret}`).toString("base64url")],
  ["percent-encoded", encodeURIComponent],
  [
    "percent-encoded in part",
    (secret) => secret.replace(/[a-z0-9]/, (c) => `%${c.charCodeAt(0).toString(16)}`),
  ],
  [
    "as character references",
    (secret) => [...secret].map((c) => `&#x${c.codePointAt(0)?.toString(16)};`).join(""),
  ],
  ["in JSON", (secret) => JSON.stringify(secret)],
];

/** Distinctive pieces of what was shown, decoded as far as a reader would. */
function leaks(text: string): boolean {
  const looks = [text, text.toLowerCase(), safely(() => decodeURIComponent(text))];
  const told = looks.some((look) => /tr0ub4dor|dor&3|zx81|spectrum/i.test(look));
  const encoded = [...text.matchAll(/[A-Za-z0-9+/_-]{12,}/g)].some(([word]) =>
    [0, 1, 2, 3].some((n) => /ub4dor|81-spec/i.test(Buffer.from(word.slice(n), "base64").toString("latin1"))),
  );
  return (
    told || encoded || text.includes(Buffer.from("b4dor").toString("hex")) || text.includes(ESCAPED.join(""))
  );
}

function safely(act: () => string): string {
  try {
    return act();
  } catch {
    return "";
  }
}

describe("a secret that a service says again", () => {
  it.each(ECHOES)("is told to no reader of the log nor of try: %s", async (_, dress) => {
    const { url, calls } = await service(({ headers, json }) => ({
      headers: { "x-seen": encodeURIComponent(dress(BODY)) },
      body: {
        allowed: false,
        reason: `${dress(String(headers["x-key"]))} ${dress(String(json?.pass))}`,
      },
    }));
    const site = await Site.create({
      "pfxbridge.yaml": {
        listen: ANY_PORT,
        services: {
          corp: { url, mapping: "./echo.yaml", secrets: { key: SECRET, pass: { env: "PASS" } } },
        },
      },
      "echo.yaml": {
        request: { headers: { "x-key": "${secret.key}" }, json: { pass: "${secret.pass}" } },
        response: [{ when: "body.allowed == false", action: "REJECT ${body.reason}" }],
      },
    });
    const env = { PASS: BODY };
    const bridge = new Program(["serve", "-c", site.config], { env });
    await bridge.logged({ msg: "started" });
    const answer = await bridge.ask({ sender: "a@example.net" });
    expect(calls[0]?.json).toEqual({ pass: BODY });
    expect(calls[0]?.headers["x-key"]).toBe(SECRET);
    expect(answer).toMatch(/^REJECT .*\*\*\*/);
    await bridge.logged({ msg: "decision" });
    for (const format of [[], ["--json"]]) {
      const { stdout } = await run(["try", "-c", site.config, ...format, "sender=a@example.net"], { env });
      expect(stdout).toContain("***");
      expect(leaks(stdout)).toBe(false);
    }
    expect(leaks(answer)).toBe(false);
    expect(leaks(bridge.stdout)).toBe(false);
  });
});
