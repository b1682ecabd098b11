import { chmod } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { type Ended, run, Site } from "./program.ts";
import { GATE } from "./services.ts";

const SERVICES = { corp: { url: "http://127.0.0.1:1", mapping: "./gate.yaml" } };
const EXAMPLES = [
  {
    name: "a permit",
    request: { sender: "a@example.net", recipient: "b@example.org" },
    expect: { method: "POST", path: "/check", json: { sender: "a@example.net", recipient: "b@example.org" } },
    reply: { status: 200, json: { allowed: true } },
    action: "DUNNO",
  },
  {
    name: "a denial",
    request: { sender: "a@example.net", recipient: "b@example.org" },
    reply: { status: 200, json: { allowed: false, reason: "unknown sender" } },
    action: "REJECT 5.7.1 unknown sender",
  },
];

async function check(files: Readonly<Record<string, unknown>>): Promise<Ended & { readonly site: Site }> {
  const site = await Site.create(files);
  return { ...(await run(["check", "-c", site.config])), site };
}

describe("of a configuration", () => {
  it("prints examples as a test runner would, and ends with 0", async () => {
    const { status, stdout, stderr, site } = await check({
      "pfxbridge.yaml": { services: SERVICES },
      "gate.yaml": { ...GATE, examples: EXAMPLES },
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toBe(
      [
        `${site.config}: 1 service, 1 route`,
        "",
        `service corp: mapping ./gate.yaml (${site.path("gate.yaml")})`,
        "  ✓ a permit",
        "  ✓ a denial",
        "",
        "2 examples passed, 0 failed",
        "",
      ].join("\n"),
    );
  });

  it("says what a mapping was made for", async () => {
    const { stdout, site } = await check({
      "pfxbridge.yaml": { services: SERVICES },
      "gate.yaml": { ...GATE, product: "Gatekeeper 2.1" },
    });
    expect(stdout).toContain(
      `service corp: mapping ./gate.yaml (${site.path("gate.yaml")}), for Gatekeeper 2.1\n`,
    );
  });

  it("says what mark_stale can mark", async () => {
    const cache = { mark_stale: "PREPEND X-Policy: stale" };
    const { stdout, status } = await check({
      "pfxbridge.yaml": { services: { corp: { ...SERVICES.corp, cache } } },
      "gate.yaml": GATE,
    });
    expect(status).toBe(0);
    expect(stdout).toContain(
      "  mark_stale: from a stale reply DUNNO becomes PREPEND X-Policy: stale; other actions stay as they are\n",
    );
  });

  it("shows what an example that fails expected, and where it stands, and ends with 1", async () => {
    const wrong = { ...EXAMPLES[1], action: "REJECT 5.7.1 something else" };
    const { status, stdout, site } = await check({
      "pfxbridge.yaml": { services: SERVICES },
      "gate.yaml": { ...GATE, examples: [EXAMPLES[0], wrong] },
    });
    expect(status).toBe(1);
    expect(stdout).toContain("  ✓ a permit\n  ✗ a denial\n");
    const [, where = "", what = ""] = /✗ a denial\n {6}(\S+:\d+): (.*)/.exec(stdout) ?? [];
    expect(where).toMatch(new RegExp(`^${site.path("gate.yaml")}:\\d+$`));
    expect(what).toContain("REJECT 5.7.1 something else");
    expect(what).toContain("REJECT 5.7.1 unknown sender");
    expect(stdout).toMatch(/\n1 example passed, 1 failed\n$/);
  });

  it("warns without failing", async () => {
    const { status, stdout, site } = await check({
      "pfxbridge.yaml": { services: SERVICES },
      "gate.yaml": { ...GATE, response: [...GATE.response, { when: "status == 200", action: "DUNNO" }] },
    });
    expect(status).toBe(0);
    expect(stdout).toMatch(
      new RegExp(`^ {2}! ${site.path("gate.yaml")}:\\d+:\\d+: warning: .*permits replies of any shape`, "m"),
    );
    expect(stdout).toMatch(/\n {2}no examples\n\n0 examples passed, 0 failed, 1 warning\n$/);
  });

  it("warns of an attribute in an example that Postfix does not send", async () => {
    const request = { sender: "a@example.net", recipent: "b@example.org", recipients: [], listener: "x" };
    const { status, stdout, site } = await check({
      "pfxbridge.yaml": { services: SERVICES },
      "gate.yaml": { ...GATE, examples: [{ name: "a slip", request }] },
    });
    expect(status).toBe(0);
    expect(stdout).toMatch(
      new RegExp(
        `^ {2}! ${site.path("gate.yaml")}:\\d+:\\d+: warning: Postfix sends no attribute "recipent"; did you mean "recipient"\\?$`,
        "m",
      ),
    );
    expect(stdout).toMatch(/\n1 example passed, 0 failed, 1 warning\n$/);
  });

  it("warns of users, groups and folders that this machine has not", async () => {
    const { status, stdout, site } = await check({
      "pfxbridge.yaml": {
        services: SERVICES,
        listen: [
          { endpoint: "unix:/nowhere/policy", owner: "nobody-of-that-name", group: "no-such-group" },
          "inet:127.0.0.1:9998",
        ],
        log: { file: "/nowhere/log/pfxbridge.log" },
        control: { endpoint: `inet:127.0.0.1:9997`, token: "abcdefgh", state: "/nowhere/state.json" },
      },
      "gate.yaml": GATE,
    });
    expect(status).toBe(0);
    const warnings = stdout.split("\n").filter((line) => line.startsWith("  ! "));
    expect(warnings).toEqual([
      expect.stringContaining('there is no user "nobody-of-that-name" in /etc/passwd; create it'),
      expect.stringContaining('there is no group "no-such-group" in /etc/group; create it'),
      expect.stringMatching(
        /listen .*: there is no folder \/nowhere; create it, or choose another \(on this machine\)$/,
      ),
      expect.stringContaining("log.file: there is no folder /nowhere/log; create it"),
      expect.stringMatching(/\/nowhere\/state\.json cannot be written \(ENOENT\); .*\(on this machine\)$/),
    ]);
    for (const warning of warnings) expect(warning).toContain(`${site.config}: warning: `);
  });

  it("warns that a bounce or several recipients cannot be asked about", async () => {
    const { status, stdout } = await check({
      "pfxbridge.yaml": { services: SERVICES },
      "gate.yaml": { ...GATE, request: { method: "GET", path: "/check/${domain(recipient)}" } },
    });
    expect(status).toBe(0);
    expect(stdout).toMatch(/ {2}! .*gate\.yaml:\d+:\d+: warning: .*recipient/);
  });

  it("runs each service's mapping with its own parameters", async () => {
    const { status, stdout } = await check({
      "pfxbridge.yaml": {
        services: {
          one: { url: "http://127.0.0.1:1", mapping: { use: "./gate.yaml", with: { path: "one" } } },
          two: { url: "http://127.0.0.1:1", mapping: "./gate.yaml" },
        },
        routes: [{ when: 'sender == ""', service: "one" }, { service: "two" }],
      },
      "gate.yaml": {
        ...GATE,
        parameters: { path: { default: "two" } },
        request: { method: "GET", path: "/${param.path}" },
      },
    });
    expect({ status, stdout }).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^[^\n]+: 2 services, 2 routes\n\nservice one: [\s\S]*\nservice two: /),
    });
  });

  it("shows no secret, and nothing raw that a mapping's author put in", async () => {
    const { stdout } = await check({
      "pfxbridge.yaml": { services: { corp: { ...SERVICES.corp, auth: { bearer: "hunter22" } } } },
      "gate.yaml": { ...GATE, examples: [{ ...EXAMPLES[0], name: "red \x1b[31m" }] },
    });
    expect(stdout).toContain("✓ red \\x1b[31m");
    expect(stdout).not.toMatch(/hunter22|\x1b/);
  });
});

describe("of a configuration with a mistake: where it is and what was expected, status 1, no stack trace", () => {
  const gate = JSON.stringify(GATE);
  it.each([
    [
      "an unknown key, with the nearest",
      "services:\n  corp: { url: http://a.example, timout: 1s }\n",
      '2:34: error: unknown key "timout"; did you mean "timeout"?',
    ],
    ["a wrong type", "listen: yes\n", "1:9: error: expected"],
    [
      "a missing mapping",
      "services:\n  corp: { url: http://a.example, mapping: ./none.yaml }\n",
      "2:43: error: ",
    ],
    [
      "an unknown service",
      "services: { corp: { url: http://a.example } }\nroutes:\n  - service: crop\n",
      '3:14: error: there is no service "crop"; did you mean "corp"?',
    ],
    [
      "a bad duration",
      "services:\n  corp: { url: http://a.example, timeout: 1 second }\n",
      "2:43: error: expected a duration",
    ],
    [
      "a misspelt attribute",
      "routes:\n  - when: sendr == 'a'\n    action: OK\n  - action: DUNNO\n",
      "2:11: error: ",
    ],
    [
      "a rule that is no bool",
      "routes:\n  - when: sender\n    action: OK\n  - action: DUNNO\n",
      "2:11: error: ",
    ],
    [
      "a protocol_state that does not exist",
      "routes:\n  - when: protocol_state == 'RCTP'\n    action: OK\n  - action: DUNNO\n",
      "2:",
    ],
    ["a tag", "routes:\n  - when: !sender == 'a'\n    action: OK\n  - action: DUNNO\n", "2:11: error: "],
    ["a comment in a text", "routes:\n  - action: REJECT see ticket #42\n", "2:"],
    ["a colon in a text", "routes:\n  - action: REJECT Denied: no\n", "2:"],
    ["an action that is none", "routes:\n  - action: REJCT no\n", "2:13: error: "],
    ["an action that is a number", "routes:\n  - action: 550\n", "2:13: error: "],
    [
      "a missing file of a secret",
      "services:\n  corp: { url: http://a.example, auth: { bearer: { file: none } } }\n",
      "2:",
    ],
    ["broken YAML", "listen: [\n", "2:1: error: "],
  ])("%s", async (_name, config, expected) => {
    const { status, stdout, stderr, site } = await check({ "pfxbridge.yaml": config, "gate.yaml": gate });
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toContain(`${site.config}:${expected}`);
    expect(stderr).toMatch(/^([^\n:]+:\d+:\d+: (error|warning): [^\n]+\n)+$/);
  });

  it("a file that is not there", async () => {
    const { status, stderr } = await run(["check", "-c", "/nowhere/pfxbridge.yaml"]);
    expect(status).toBe(1);
    expect(stderr).toBe("/nowhere/pfxbridge.yaml: error: it does not exist\n");
  });

  it("several at once", async () => {
    const { stderr } = await check({
      "pfxbridge.yaml": "routes:\n  - when: sendr == ''\n    action: OK\n  - action: REJCT\n",
    });
    expect(
      stderr
        .trimEnd()
        .split("\n")
        .map((line) => line.split(":")[1]),
    ).toEqual(["2", "4"]);
  });

  it("a mapping's, where it stands in the mapping", async () => {
    const { status, stderr, site } = await check({
      "pfxbridge.yaml": { services: SERVICES },
      "gate.yaml": "request: { path: / }\nresponse:\n  - when: body.ok\n    action: ALLOW\n",
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(new RegExp(`^${site.path("gate.yaml")}:4:13: error: [^\\n]+\\n$`));
  });
});

describe("of mappings by name or file", () => {
  it("passes on every shipped one, where there is no configuration", async () => {
    const site = await Site.create({});
    const { status, stdout } = await run(["check"], { cwd: site.folder });
    expect(status).toBe(0);
    for (const name of ["authzen", "rest", "soap"]) expect(stdout).toContain(`\nmapping ${name} (`);
    expect(stdout).toMatch(
      /\n\d+ examples passed, 0 failed\nNo configuration was checked: see the first line\.\n$/,
    );
  });

  it.skipIf(process.geteuid?.() !== 0)(
    "fails where it passes over a configuration, as root, and says so at the end",
    async () => {
      const site = await Site.create({ "pfxbridge.yaml": { routes: [{ action: "DUNNO" }] } });
      const { status, stdout } = await run(["check"], { cwd: site.folder });
      expect(status).toBe(1);
      expect(stdout).toContain(
        `\nNo configuration was checked: as root ${site.config} is passed over. To check it: pfxbridge check -c pfxbridge.yaml\n`,
      );
    },
  );

  it("takes a shipped one by name and one's own by path", async () => {
    const site = await Site.create({ "gate.yaml": { ...GATE, examples: EXAMPLES } });
    const { status, stdout } = await run(["check", "rest", "./gate.yaml"], { cwd: site.folder });
    expect(status).toBe(0);
    expect(stdout).toMatch(/^mapping rest \(.*rest\.yaml\)\n/);
    expect(stdout).toContain(`\nmapping ./gate.yaml (${site.path("gate.yaml")})\n  ✓ a permit\n`);
  });

  it("says which one does not exist", async () => {
    const ended = await run(["check", "rset"]);
    expect(ended).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^pfxbridge: there is no mapping "rset"/),
    });
  });

  it("loads a module, and says that it has no examples", async () => {
    // As root a module is run as nobody, who must be able to read it.
    const site = await Site.create(
      {
        "gate.mjs": "export const toRequest = () => ({}); export const toAction = () => 'DUNNO';",
        "half.mjs": "export const toRequest = () => ({});",
      },
      0o755,
    );
    for (const name of ["gate.mjs", "half.mjs"]) await chmod(site.path(name), 0o644);
    const { status, stdout } = await run(["check", site.path("gate.mjs")]);
    expect({ status, stdout }).toMatchObject({
      status: 0,
      stdout: expect.stringContaining("  no examples\n"),
    });
    expect(await run(["check", site.path("half.mjs")])).toMatchObject({
      status: 1,
      stderr: `${site.path("half.mjs")}: error: the module must export a function toAction, as in: export function toAction(…) { … }\n`,
    });
  });
});
