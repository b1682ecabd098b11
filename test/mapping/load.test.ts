import { writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { findMapping, shippedMappings } from "../../src/mapping/find.ts";
import { loadMapping } from "../../src/mapping/load.ts";
import { isFailure } from "../../src/mapping/mapping.ts";
import { formatProblem, ProblemError } from "../../src/source/problem.ts";
import { fileOf, load, problemsOf, requestOf } from "./mappings.ts";

const RESPONSE = "response:\n  - when: body.ok\n    action: DUNNO\n";

describe("a mapping with a mistake is refused, and told where", () => {
  it.each([
    [
      "an unknown key",
      `request: {}\nrespones: []\n${RESPONSE}`,
      /^2:1 unknown key "respones"; did you mean "response"/,
    ],
    [
      "an unknown key of the request",
      `request:\n  paht: /x\n${RESPONSE}`,
      /^2:3 unknown key "paht"; did you mean "path"/,
    ],
    ["no response", "request: {}\n", /"response" is missing/],
    ["no rule", "request: {}\nresponse: []\n", /^2:11 expected at least 1/],
    [
      "a misspelt attribute in the path",
      `request:\n  path: /x/\${sendr}\n${RESPONSE}`,
      /^2:14 .*"sendr"; did you mean "sender"/,
    ],
    ["a misspelt attribute in JSON", `request:\n  json: { a: "\${sendr}" }\n${RESPONSE}`, /^2:17 .*"sendr"/],
    [
      "a misspelt attribute in a rule",
      'request: {}\nresponse:\n  - when: sendr == ""\n    action: DUNNO\n',
      /^3:11 .*"sendr"/,
    ],
    [
      "a misspelt attribute in a text",
      'request: {}\nresponse:\n  - when: body.ok\n    action: "REJECT ${sendr}"\n',
      /^4:23 .*"sendr"/,
    ],
    [
      "a rule that is no bool",
      "request: {}\nresponse:\n  - when: sender\n    action: DUNNO\n",
      /^3:11 .*type string/,
    ],
    [
      "a protocol_state that does not exist",
      'request: {}\nresponse:\n  - when: protocol_state == "RCTP"\n    action: DUNNO\n',
      /^3:\d+ .*RCTP/,
    ],
    [
      "a pattern that is none",
      "request: {}\nresponse:\n  - when: sender.matches('(')\n    action: DUNNO\n",
      /^3:\d+ /,
    ],
    [
      "a member that fault does not have",
      'request: {}\nresponse:\n  - when: fault.cod == "x"\n    action: DUNNO\n',
      /^3:\d+ .*cod/,
    ],
    [
      "a rule with an action and a failure",
      "request: {}\nresponse:\n  - action: DUNNO\n    failure: http_5xx\n",
      /^3:5 a rule ends in an action or in a failure/,
    ],
    ["a rule with neither", 'request: {}\nresponse:\n  - when: "true"\n', /^3:5 a rule ends in an action or/],
    [
      "a failure that no reply can be",
      "request: {}\nresponse:\n  - failure: offline\n",
      /^3:14 .*"unreachable".*"bad_reply"/,
    ],
    [
      "a detail beside an action",
      "request: {}\nresponse:\n  - action: DUNNO\n    detail: x\n",
      /^3:5 detail says what the log tells of a failure/,
    ],
    [
      "a misspelt attribute in a detail",
      'request: {}\nresponse:\n  - failure: http_5xx\n    detail: "${sendr}"\n',
      /^4:16 .*"sendr"/,
    ],
    [
      "an unknown verb",
      "request: {}\nresponse:\n  - when: body.ok\n    action: permit\n",
      /^4:13 "permit" is no action/,
    ],
    [
      "a verb in lower case",
      "request: {}\nresponse:\n  - when: body.ok\n    action: reject no\n",
      /^4:13 .*upper case: REJECT/,
    ],
    [
      "an unknown verb before a value",
      "request: {}\nresponse:\n  - when: body.ok\n    action: deny ${body.x}\n",
      /^4:13 "deny" is no action/,
    ],
    [
      "a blank before the verb",
      'request: {}\nresponse:\n  - when: body.ok\n    action: " DUNNO"\n',
      /^4:13 .*blank/,
    ],
    [
      "a blank before the verb, with a value",
      'request: {}\nresponse:\n  - when: body.ok\n    action: " REJECT ${body.x}"\n',
      /^4:13 .*blank/,
    ],
    [
      "a transport out of the reply",
      "request: {}\nresponse:\n  - when: body.ok\n    action: FILTER ${body.x}\n",
      /^4:13 .*allow: \[FILTER\]/,
    ],
    [
      "a header out of the reply",
      "request: {}\nresponse:\n  - when: body.ok\n    action: 'PREPEND X-A: ${body.x}'\n",
      /^4:13 .*allow: \[PREPEND\]/,
    ],
    [
      "an unknown verb to allow",
      `request: {}\nallow: [PREPND]\n${RESPONSE}`,
      /^2:9 "PREPND".*did you mean "PREPEND"/,
    ],
    ["an expression that is not closed", `request:\n  path: /\${sender\n${RESPONSE}`, /^2:10 .*not closed/],
    ["two bodies", `request:\n  json: {}\n  form: {}\n${RESPONSE}`, /^3:9 a call has one body/],
    ["a YAML trap", "request: {}\nresponse:\n  - when: !body.blocked\n    action: DUNNO\n", /^3:11 .*quotes/],
    [
      "an example without its end",
      `request: {}\n${RESPONSE}examples:\n  - name: a\n    reply: { status: 200 }\n`,
      /^6:5 an example with a reply needs/,
    ],
    [
      "an example with two ends",
      `request: {}\n${RESPONSE}examples:\n  - name: a\n    reply: {}\n    action: DUNNO\n    failure: bad_reply\n`,
      /^6:5 .*not in both/,
    ],
    ["nothing", "", /./],
  ])("%s", async (_, content, message) => {
    expect((await problemsOf(content)).join("\n")).toMatch(message);
  });

  it("every mistake at once", async () => {
    const content =
      'request:\n  path: ${sendr}\nresponse:\n  - when: statu == 200\n    action: permit\n  - when: body.a\n    action: "${x}"\n';
    expect((await problemsOf(content)).map((line) => line.split(" ", 1)[0])).toEqual([
      "2:11",
      "4:11",
      "5:13",
      "7:16",
    ]);
  });

  it("a file that is not there", async () => {
    const options = { name: "x", file: "/nonexistent/x.yaml", parameters: {} };
    await expect(loadMapping(options)).rejects.toThrow(/^\/nonexistent\/x\.yaml: error: .*does not exist/);
  });
});

describe("parameters", () => {
  const content = `parameters:\n  package: { default: mail/authz, description: the package }\n  tenant: {}\nrequest:\n  path: /v1/data/\${param.package}/\${param.tenant}\n${RESPONSE}`;

  it("have their defaults, or what `with` sets", async () => {
    const path = async (parameters: Record<string, unknown>) => {
      const mapping = await (await load(content, parameters)).instantiate();
      const call = await mapping.render(requestOf());
      return isFailure(call) ? call : call.path;
    };
    expect(await path({ tenant: "a" })).toBe("/v1/data/mail/authz/a");
    expect(await path({ tenant: "a", package: "acme" })).toBe("/v1/data/acme/a");
  });

  it.each([
    [{}, /"tenant" must be set: with: \{ tenant: … \}/],
    [
      { tenant: "a", packge: "b" },
      /no parameter "packge"; did you mean "package"\? \(it has package, tenant\)/,
    ],
    [{ tenant: "a", package: 5 }, /"package" must be a string/],
    [{ tenant: "a", __proto__x: 1 }, /no parameter "__proto__x"/],
  ])("that are unknown, missing or of another type are mistakes: %j", async (parameters, message) => {
    expect((await problemsOf(content, parameters)).join()).toMatch(message);
  });

  describe("with an example in place of a default", () => {
    const tenant = `parameters:\n  tenant: { example: acme }\nrequest:\n  path: /\${param.tenant}\n${RESPONSE}examples:\n  - name: a\n    expect: { path: /acme }\n`;
    const secrets = { names: [], values: new Map<string, string>() };
    const parameterProblem = (_: string | null, message: string) =>
      ({ file: "pfxbridge.yaml", message, severity: "error" }) as const;
    const used = (parameters: Record<string, unknown>) =>
      loadMapping({ name: "t", file: fileOf(tenant), parameters, secrets, parameterProblem });

    it("must be set by a service, and be of the example's type", async () => {
      await expect(used({})).rejects.toThrow(/"tenant" must be set: with: \{ tenant: … \}/);
      await expect(used({ tenant: 5 })).rejects.toThrow(/"tenant" must be a string, such as "acme"/);
    });

    it("run the mapping's examples, whatever a service sets", async () => {
      const loaded = await used({ tenant: "corp" });
      expect(await (await loaded.instantiate()).render(requestOf())).toMatchObject({ path: "/corp" });
      expect(await loaded.check()).toMatchObject([{ passed: true }]);
    });

    it("are known where the mapping is looked at alone", async () => {
      const loaded = await load(tenant);
      expect(await (await loaded.instantiate()).render(requestOf())).toMatchObject({ path: "/acme" });
      expect(await loaded.check()).toMatchObject([{ passed: true }]);
    });

    it("have no default besides", async () => {
      const both = tenant.replace("example: acme", "example: acme, default: acme");
      expect((await problemsOf(both)).join()).toMatch(/example is for a parameter that has none/);
    });
  });

  it("that are wrong belong to the place that sets them", async () => {
    const parameterProblem = (name: string | null, message: string) =>
      ({
        file: "pfxbridge.yaml",
        line: 7,
        column: 3,
        message: `${name}: ${message}`,
        severity: "error",
      }) as const;
    const loading = loadMapping({
      name: "t",
      file: fileOf(content),
      parameters: { tenant: "a", no: 1 },
      parameterProblem,
    });
    await expect(loading).rejects.toThrow(/^pfxbridge\.yaml:7:3: error: no: /);
  });

  it("that the mapping does not declare are mistakes in it", async () => {
    expect((await problemsOf(`request:\n  path: /\${param.pakage}\n${RESPONSE}`)).join()).toMatch(
      /^2:\d+ .*pakage/,
    );
  });
});

describe("warnings", () => {
  const warnings = async (rules: string) => (await load(`request: {}\nresponse:\n${rules}`)).warnings;
  const rule = (when: string, action: string) => `  - when: '${when}'\n    action: ${action}\n`;

  it.each([
    ["a last rule by status alone", rule("body.blocked", "REJECT") + rule("status == 200", "DUNNO"), 5],
    ["what is not a denial", rule('!(body.decision == "Deny")', "DUNNO"), 3],
    ["what is not a denial, written otherwise", rule('status == 200 && body.decision != "Deny"', "OK"), 3],
    ["what is not blocked", rule("!body.blocked", "DUNNO"), 3],
    ["a single rule by status, where none denies by it", rule("status == 200", "DUNNO"), 3],
    ["a rule for everything", "  - action: OK\n", 3],
  ])("%s permits replies of any shape", async (_, rules, line) => {
    const found = await warnings(rules);
    expect(found).toMatchObject([{ line, severity: "warning" }]);
    expect(found[0]?.message).toMatch(/permits replies of any shape/);
  });

  it.each([
    [
      "a permit that is spelt out",
      rule("body.allowed == true", "DUNNO") + rule("body.allowed == false", "REJECT"),
    ],
    ["a permit with an exception", rule('body.allowed && body.mode != "test"', "DUNNO")],
    ["a service that answers by status", rule("status == 200", "DUNNO") + rule("status == 403", "REJECT")],
    ["a permit without body", rule("status == 204", "DUNNO") + rule('body.reason != ""', "REJECT")],
  ])("are not given for %s", async (_, rules) => {
    expect(await warnings(rules)).toEqual([]);
  });

  it("are given for what an imported mapping leaves to choose, until the mark is gone", async () => {
    const rule = (mark: string) => `${mark}  - when: status == 200\n    failure: bad_reply\n`;
    expect(await warnings(rule("  # CHOOSE: what this answer means\n"))).toEqual([
      expect.objectContaining({ line: 3, message: expect.stringContaining("what this answer means") }),
    ]);
    expect(await warnings(rule(""))).toEqual([]);
  });

  it("come from a probe for what no call can be made of", async () => {
    const loaded = await load(`request:\n  path: /v1/check/\${domain(recipient)}\n${RESPONSE}`);
    const problems = (await loaded.probe()).map(formatProblem);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(
      /:1:1: warning: no call can be made for DATA with several recipients.*is empty/,
    );
    expect(await (await load(`request:\n  json: { a: "\${recipient}" }\n${RESPONSE}`)).probe()).toEqual([]);
  });

  it("come from a probe for the bounce", async () => {
    const loaded = await load(`request:\n  path: /users/\${sender}\n${RESPONSE}`);
    expect((await loaded.probe())[0]?.message).toMatch(/a bounce .*null sender/);
  });
});

describe("the mapping that a service names", () => {
  it("is a shipped one by name", () => {
    expect(shippedMappings()).toEqual(expect.arrayContaining(["authzen", "rest", "soap"]));
    expect(findMapping("authzen", "/etc/pfxbridge/pfxbridge.yaml")).toMatch(/\/mappings\/authzen\.yaml$/);
  });

  it.each([
    ["./mine.yaml", "/etc/pfxbridge/mine.yaml"],
    ["mine.yaml", "/etc/pfxbridge/mine.yaml"],
    ["mine.mjs", "/etc/pfxbridge/mine.mjs"],
    ["sub/mine", "/etc/pfxbridge/sub/mine"],
    ["/opt/mine.yaml", "/opt/mine.yaml"],
  ])("%s is a path relative to the configuration", (use, file) => {
    expect(findMapping(use, "/etc/pfxbridge/pfxbridge.yaml")).toBe(file);
  });

  it("is told with the nearest, and all that there are, when there is none", () => {
    expect(() => findMapping("autzen", "/etc/pfxbridge.yaml")).toThrow(
      /no mapping "autzen"; did you mean "authzen"\?.*authzen, .*rest, .*soap/,
    );
  });

  it.each(shippedMappings())("%s passes its own examples, without warnings", async (name) => {
    const loaded = await loadMapping({ name, file: findMapping(name, "/"), parameters: {} });
    expect((await loaded.check()).filter(({ passed }) => !passed)).toEqual([]);
    expect([...loaded.warnings, ...(await loaded.probe())]).toEqual([]);
  });
});

describe("a loaded mapping", () => {
  it("says what its calls read and set", async () => {
    const loaded = await load(
      `request:\n  headers: { X-Queue-ID: "\${queue_id}" }\n  json: { a: "\${sender}" }\n${RESPONSE}`,
    );
    const mapping = await loaded.instantiate();
    expect([...(mapping.names ?? [])].sort()).toEqual(["queue_id", "sender"]);
    expect([...mapping.headerNames].sort()).toEqual(["content-type", "x-queue-id"]);
    expect(mapping.soap).toBe(false);
  });

  it("renders and interprets without a promise", async () => {
    const mapping = await (await load(`request: { path: /x }\n${RESPONSE}`)).instantiate();
    expect(mapping.render(requestOf())).not.toBeInstanceOf(Promise);
  });

  it("is not affected by a change of its file", async () => {
    const file = fileOf(`request: { path: /a }\n${RESPONSE}`);
    const loaded = await loadMapping({ name: "t", file, parameters: {} });
    writeFileSync(file, "broken: [");
    expect(await (await loaded.instantiate()).render(requestOf())).toMatchObject({ path: "/a" });
    await expect(loadMapping({ name: "t", file, parameters: {} })).rejects.toThrow(ProblemError);
  });
});
