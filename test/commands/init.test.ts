/** `pfxbridge init`: what it writes is a configuration, whatever was chosen, and nothing is written over. */
import { readFile, stat } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { configurationOf, mainCfOf } from "../../src/commands/init-configuration.ts";
import { parseConfig } from "../../src/config/load.ts";
import { findMapping, shippedMappings } from "../../src/mapping/find.ts";
import { loadMapping } from "../../src/mapping/load.ts";
import { run, Site } from "./program.ts";

const URL = "https://pdp.example.com";

describe("the configuration that it writes", () => {
  it.each(shippedMappings())("is one with %s, whatever else is chosen", async (mapping) => {
    const site = await Site.create({ secret: "hunter22" });
    const { parameters: declared, names = new Set() } = await loadMapping({
      name: mapping,
      file: findMapping(mapping, "pfxbridge.yaml"),
      parameters: {},
    });
    const required = Object.entries(declared).filter(([, { default: fallback }]) => fallback === undefined);
    const parameters = Object.fromEntries(required.map(([name, { example }]) => [name, example]));
    const named = [...names].filter((name) => name.startsWith("secret."));
    const secrets = Object.fromEntries(named.map((name) => [name.slice(7), site.path("secret")]));
    const hasPermit = Object.hasOwn(declared, "permit");
    for (const role of ["gate", "grant"] as const) {
      for (const outage of ["closed", "open", "postfix"] as const) {
        for (const times of [{}, { remember: "1m" }, { stale: "24h" }, { remember: "1m", stale: "24h" }]) {
          for (const listen of ["inet:127.0.0.1:9998", "inet:[::1]:9998", "unix:/run/pfxbridge/policy"]) {
            const choices = {
              name: "corp",
              url: URL,
              mapping,
              parameters,
              secrets,
              hasPermit,
              role,
              outage,
              listen,
            };
            const text = configurationOf({ ...choices, ...times });
            const config = await parseConfig(text, "/etc/pfxbridge/pfxbridge.yaml");
            const corp = config.services.get("corp");
            expect(corp?.mapping.name).toBe(mapping);
            // A mapping that can be told so grants, and no other does.
            if (hasPermit) expect(corp?.mapping.grants).toBe(role === "grant");
            expect(corp?.cache?.ttl).toBe("remember" in times ? 60_000 : "stale" in times ? 0 : undefined);
            expect(corp?.cache?.staleIfError).toBe(
              "stale" in times || "remember" in times ? 24 * 3600_000 : undefined,
            );
          }
        }
      }
    }
  });

  it.each(["true", "a b", "x: y", "#", "1.5", "a,b", "}"])("keeps the parameter %j a text", async (value) => {
    const text = configurationOf({
      ...{
        name: "corp",
        url: URL,
        mapping: "keycloak",
        parameters: { client: value },
        secrets: {},
        hasPermit: true,
      },
      ...{ role: "gate", outage: "closed", listen: "inet:127.0.0.1:9998" },
    });
    const { services } = await parseConfig(text, "/etc/pfxbridge/pfxbridge.yaml");
    expect(services.get("corp")?.mapping.name).toBe("keycloak");
  });

  it("goes with lines of main.cf in which a grant stands before reject_unauth_destination", () => {
    expect(mainCfOf({ role: "gate", listen: "inet:127.0.0.1:9998" }).map((line) => line.trim())).toEqual([
      "smtpd_recipient_restrictions =",
      "reject_unauth_destination",
      "check_policy_service { inet:127.0.0.1:9998, timeout=10s }",
    ]);
    const listen = "unix:/var/spool/postfix/private/pfxbridge";
    expect(mainCfOf({ role: "grant", listen }).map((line) => line.trim())).toEqual([
      "smtpd_relay_restrictions =",
      "check_policy_service { unix:private/pfxbridge, timeout=10s }",
      "reject_unauth_destination",
    ]);
  });
});

describe("pfxbridge init", () => {
  const init = (site: Site, ...args: string[]) => run(["init", ...args], { cwd: site.folder });

  it("writes what check passes, and says what comes next", async () => {
    const site = await Site.create({});
    const written = await init(site, "--url", URL, "--as", "grant", "--stale", "24h", "--service", "pdp");
    expect(written).toMatchObject({ status: 0, stderr: "" });
    expect(written.stdout).toContain("    smtpd_relay_restrictions =\n");
    expect(written.stdout).toContain("    pfxbridge check -c pfxbridge.yaml\n");
    expect((await stat(site.config)).mode & 0o007).toBe(0);
    const checked = await run(["check", "-c", site.config]);
    expect(checked).toMatchObject({ status: 0, stderr: "" });
    expect(checked.stdout).toMatch(/service pdp: mapping authzen/);
    expect(checked.stdout).toMatch(/ 0 failed\n$/);
  });

  it("writes nothing over", async () => {
    const site = await Site.create({ "pfxbridge.yaml": "# mine\n" });
    const { status, stderr } = await init(site, "--url", URL);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: "pfxbridge.yaml: error: it exists, and is not written over; name another with -o\n",
    });
    expect(await readFile(site.config, "utf8")).toBe("# mine\n");
    expect(await init(site, "--url", URL, "-o", "other.yaml")).toMatchObject({ status: 0 });
  });

  it("takes what a mapping cannot do without", async () => {
    const site = await Site.create({});
    const options = ["--url", URL, "--mapping", "keycloak"];
    expect(await init(site, ...options)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("the mapping keycloak needs --with client=VALUE"),
    });
    expect(await init(site, ...options, "--with", "client=postfix")).toMatchObject({ status: 0 });
    const secret = await init(
      site,
      "--url",
      URL,
      "--mapping",
      "plainid",
      "--with",
      "client_id=a",
      "-o",
      "b.yaml",
    );
    expect(secret.stderr).toContain("the mapping plainid needs --secret client_secret=FILE");
    expect(await readFile(site.config, "utf8")).toContain(
      "mapping: { use: keycloak, with: { client: postfix } }",
    );
  });

  it.each([
    [[], 2, /--url is needed/],
    [["--url", "ftp://x"], 1, /nothing is written, since this would be no configuration:\n {2}.*http/],
    [["--url", URL, "--as", "gait"], 2, /--as: expected one of gate, grant/],
    [["--url", URL, "--outage", "shut"], 2, /--outage: expected one of closed, open, postfix/],
    [["--url", URL, "--stale", "long"], 1, /nothing is written/],
    [["--url", URL, "--mapping", "authzn"], 1, /there is no mapping "authzn".*did you mean/],
    [["--url", URL, "--with", "permit"], 2, /--with: expected NAME=VALUE/],
    [["--url", URL, "--with", "permitt=OK"], 1, /has no parameter "permitt"/],
    [["--url", URL, "-o", "nowhere/x.yaml"], 1, /cannot be written: ENOENT/],
  ])("%j: exit status %i, nothing written", async (args, status, message) => {
    const site = await Site.create({});
    const ended = await init(site, ...args);
    expect(ended).toMatchObject({ status, stdout: "", stderr: expect.stringMatching(message) });
    await expect(stat(site.config)).rejects.toThrow("ENOENT");
  });
});
