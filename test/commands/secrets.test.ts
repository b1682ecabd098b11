/** Secrets of a service: where they come from, where they can go, and what happens when they change. */
import { chmodSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Call } from "../support/service.ts";
import { Program, run, Site } from "./program.ts";
import { ANY_PORT, service } from "./services.ts";

const RESPONSE = [{ when: "body.allowed == true", action: "DUNNO" }];

/** Permits who shows the token that is right at the moment. */
async function guarded(shown: (call: Call) => unknown) {
  const right = { token: "token-number-one" };
  const started = await service((call) =>
    shown(call) === right.token ? { body: { allowed: true } } : { status: 401, body: { error: "expired" } },
  );
  return { url: started.url, calls: started.calls, right };
}

const ofAuth = ({ headers }: Call) => headers.authorization?.replace("Bearer ", "");
const inFile = { file: "token" };

const PLACES: readonly [string, (call: Call) => unknown, object, object][] = [
  ["auth", ofAuth, { auth: { bearer: inFile } }, {}],
  [
    "auth, as a password",
    ({ headers }) =>
      Buffer.from(headers.authorization?.slice(6) ?? "", "base64")
        .toString()
        .split(":")[1],
    { auth: { basic: { username: "bridge", password: inFile } } },
    {},
  ],
  ["headers", ({ headers }) => headers["x-key"], { headers: { "x-key": inFile } }, {}],
  [
    "the mapping's body",
    ({ json }) => json?.key,
    { secrets: { key: inFile } },
    { json: { key: "${secret.key}" } },
  ],
  [
    "the mapping's query",
    ({ url }) => new URL(url, "http://a").searchParams.get("key"),
    { secrets: { key: inFile } },
    { query: { key: "${secret.key}" } },
  ],
  [
    "the mapping's path",
    ({ url }) => url.split("/")[2],
    { secrets: { key: inFile } },
    { path: "/keys/${secret.key}/check" },
  ],
  [
    "the mapping's headers",
    ({ headers }) => headers["x-key"],
    { secrets: { key: inFile } },
    { headers: { "x-key": "${secret.key}" } },
  ],
  [
    "the header of SOAP",
    ({ text }) => /<Key>(.*)<\/Key>/.exec(text)?.[1],
    { secrets: { key: inFile } },
    { soap: { version: "1.1", header: "<Key>${secret.key}</Key>", body: "<Check/>" } },
  ],
];

describe("a secret in a file", () => {
  it.each(PLACES)("is read again when the service refuses it, in %s", async (_, shown, corp, request) => {
    const { url, calls, right } = await guarded(shown);
    const site = await Site.create({
      "pfxbridge.yaml": { listen: ANY_PORT, services: { corp: { url, mapping: "./m.yaml", ...corp } } },
      "m.yaml": { request: { method: "POST", ...request }, response: RESPONSE },
    });
    // As the kubelet does it: a link to a folder that is replaced.
    for (const [folder, token] of [
      ["one", right.token],
      ["two", "token-number-two"],
    ] as const) {
      mkdirSync(site.path(folder));
      chmodSync(site.path(folder), 0o755);
      writeFileSync(site.path(`${folder}/token`), `${token}\n`, { mode: 0o644 });
    }
    symlinkSync("one", site.path("data"));
    symlinkSync("data/token", site.path("token"));
    const bridge = await Program.serve(site);
    expect(await bridge.ask({ sender: "a" })).toBe("DUNNO");
    symlinkSync("two", site.path("next"));
    renameSync(site.path("next"), site.path("data"));
    right.token = "token-number-two";
    expect(await bridge.ask({ sender: "b" })).toBe("DUNNO");
    expect(calls.length).toBe(3);
    await bridge.logged({ msg: "decision", source: "upstream", attempts: 2 });
    await bridge.logged({ msg: "the changed file of a secret is in use", service: "corp" });
    expect(bridge.stdout).not.toMatch(/token-number/);
  });

  it("is in use a few seconds after it has changed, though nobody refuses anything; in each worker", async () => {
    const seen = await service(() => ({ body: { allowed: true } }));
    const site = await Site.create({
      "pfxbridge.yaml": {
        listen: ANY_PORT,
        workers: 2,
        services: { corp: { url: seen.url, mapping: "./m.yaml", auth: { bearer: inFile } } },
      },
      "m.yaml": { request: { method: "POST" }, response: RESPONSE },
      token: "token-number-one",
    });
    const bridge = await Program.serve(site);
    writeFileSync(site.path("token"), "token-number-two");
    await expect
      .poll(() => bridge.log.filter(({ msg }) => /changed file/.test(String(msg))).length, { timeout: 9000 })
      .toBe(2);
    for (let count = 0; count < 4; count++) await bridge.ask({ sender: "a" });
    expect(new Set(seen.calls.map(ofAuth))).toEqual(new Set(["token-number-two"]));
  });

  it("stays as it was when the file cannot be used any more, and the log says so", async () => {
    const { url, right } = await guarded(ofAuth);
    const site = await Site.create({
      "pfxbridge.yaml": {
        listen: ANY_PORT,
        services: { corp: { url, mapping: "./m.yaml", auth: { bearer: inFile } } },
      },
      "m.yaml": { request: { method: "POST" }, response: RESPONSE },
      token: right.token,
    });
    const bridge = await Program.serve(site);
    writeFileSync(site.path("token"), "two words");
    await bridge.logged({ msg: "the changed file of a secret cannot be used" });
    expect(await bridge.ask({ sender: "a" })).toBe("DUNNO");
    expect(bridge.stdout).not.toContain("two words");
  });
});

describe("a secret", () => {
  const config = (secrets: object, request: object, mapping: unknown = "./m.yaml") => ({
    "pfxbridge.yaml": { services: { corp: { url: "http://127.0.0.1:1", mapping, secrets } } },
    "m.yaml": { parameters: { key: {} }, request: { method: "POST", ...request }, response: RESPONSE },
  });

  it("comes from the credentials that systemd gives", async () => {
    const { url } = await guarded(ofAuth);
    const site = await Site.create({
      "pfxbridge.yaml": {
        services: { corp: { url, mapping: "./m.yaml", auth: { bearer: { credential: "token" } } } },
      },
      "m.yaml": { request: { method: "POST" }, response: RESPONSE },
    });
    mkdirSync(site.path("credentials"));
    writeFileSync(site.path("credentials/token"), "token-number-one\n", { mode: 0o400 });
    const env = { CREDENTIALS_DIRECTORY: site.path("credentials") };
    expect(await run(["try", "-c", site.config, "sender=a"], { env })).toMatchObject({ status: 0 });
    const without = await run(["check", "-c", site.config], { env: { CREDENTIALS_DIRECTORY: "" } });
    expect(without.status).toBe(1);
    expect(without.stderr).toContain("LoadCredential=token:PATH");
  });

  it.each([
    [
      "set as a parameter",
      { use: "./m.yaml", with: { key: { env: "CORP_KEY" } } },
      {},
      {},
      /put the secret under secrets of the service/,
    ],
    [
      "that the service does not name",
      undefined,
      { key: "12345678" },
      { json: { a: "${secret.kye}" } },
      /there is no secret "kye"; did you mean "key"/,
    ],
    [
      "without a name",
      undefined,
      { key: "12345678" },
      { json: { a: "${json(secret)}" } },
      /a secret is sent by its name/,
    ],
    [
      "whose name no expression can say",
      undefined,
      { "a-b": "12345678" },
      {},
      /letters, digits and underscores/,
    ],
  ])("%s is an error", async (_, mapping, secrets, request, message) => {
    const site = await Site.create(
      config(secrets, request, mapping ?? { use: "./m.yaml", with: { key: "a" } }),
    );
    const { status, stderr } = await run(["check", "-c", site.config]);
    expect(status).toBe(1);
    expect(stderr).toMatch(message);
  });

  it.each([
    ["an action", { response: [{ when: "status == 200", action: "REJECT ${secret.key}" }] }],
    ["a rule", { response: [{ when: 'secret.key == "a"', action: "DUNNO" }] }],
  ])("cannot be used in %s", async (_, definition) => {
    const site = await Site.create({
      "pfxbridge.yaml": {
        services: { corp: { url: "http://127.0.0.1:1", mapping: "./m.yaml", secrets: { key: "12345678" } } },
      },
      "m.yaml": { request: { method: "POST" }, ...definition },
    });
    const { status, stderr } = await run(["check", "-c", site.config]);
    expect(status).toBe(1);
    expect(stderr).toContain("a secret can be sent with the request, and not be used elsewhere");
  });

  it("is its own name in examples, also where the mapping is checked alone", async () => {
    const definition = {
      request: { method: "POST", headers: { "x-key": "${secret.key}" } },
      response: RESPONSE,
      examples: [
        {
          name: "shows its key",
          request: { sender: "a" },
          expect: { headers: { "x-key": "secret.key" } },
          reply: { status: 200, json: { allowed: true } },
          action: "DUNNO",
        },
      ],
    };
    const site = await Site.create({
      "pfxbridge.yaml": {
        services: { corp: { url: "http://127.0.0.1:1", mapping: "./m.yaml", secrets: { key: "12345678" } } },
      },
      "m.yaml": definition,
    });
    for (const args of [["-c", site.config], [site.path("m.yaml")]]) {
      const { status, stdout } = await run(["check", ...args]);
      expect(stdout).toContain("1 example passed, 0 failed");
      expect(status).toBe(0);
      expect(stdout).not.toContain("12345678");
    }
  });
});
