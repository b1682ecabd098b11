/** `auth.session` with a SOAP service that is not ours: PHP's SoapServer, whose login gives a session for its Header. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { run } from "../commands/program.ts";
import { ask } from "../support/ask.ts";
import { type Bridge, LOGGED, startBridge } from "../support/bridge.ts";
import { isMissing } from "../support/requirement.ts";
import { type SoapServer, startSessionPhpServer } from "../support/soap/servers.ts";
import { freePort, temporaryFolder } from "../support/temporary.ts";

const PASSWORD = "ge&heim<nis";
const MAIL = { sender: "alice@example.net", recipient: "bob@example.org", client_address: "192.0.2.7" };
const mapping = readFileSync(resolve(import.meta.dirname, "../../mappings/soap.yaml"), "utf8").replace(
  /^examples:.*/ms,
  "",
);

const open: { stop(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.stop();
});

async function bridgeTo(
  soap: SoapServer,
  password: string,
  more: object = {},
): Promise<{ bridge: Bridge; port: number; control: string }> {
  open.push(soap);
  const port = await freePort();
  const folder = await temporaryFolder();
  open.push({ stop: folder.remove });
  const control = `unix:${folder.path}/control`;
  const session = {
    login: {
      path: "?login=1",
      soap: {
        version: "1.1",
        body: '<s:login xmlns:s="urn:example:session"><user>bridge &amp; co</user><password>${secret.password}</password></s:login>',
      },
    },
    secrets: { password: { file: "password" } },
    token: 'body.loginResponse["return"].item.filter(i, i.key == "sessionId")[0].value',
    expires_in: 'body.loginResponse["return"].item.filter(i, i.key == "sessionSecondsValid")[0].value',
    expired: 'fault != null && fault.code == "INVALID_SESSION_ID"',
    soap_header:
      '<h:SessionHeader xmlns:h="urn:example:session"><h:sessionId>${token}</h:sessionId></h:SessionHeader>',
  };
  const bridge = await startBridge({
    config: {
      listen: [`inet:127.0.0.1:${port}`],
      control,
      services: { soap: { url: soap.url, mapping: "./mine.yaml", auth: { session } } },
      ...more,
    },
    files: { "mine.yaml": mapping, password: `${password}\n` },
  });
  open.push(bridge);
  return { bridge, port, control };
}

describe.skipIf(isMissing("php", "tests of a login with PHP's SoapServer"))("PHP's SoapServer", () => {
  it.each([1, 2])("is logged in to, and again when it ended the session; workers: %d", async (workers) => {
    const soap = await startSessionPhpServer(PASSWORD);
    const { bridge, port } = await bridgeTo(soap, PASSWORD, { workers });
    for (let n = 0; n < 6; n++) expect(await ask(port, MAIL)).toBe("DUNNO");
    await new Promise((done) => setTimeout(done, 1100));
    await fetch(`${soap.url}?end=1`, { headers: { connection: "close" } });
    for (let n = 0; n < 6; n++) expect(await ask(port, MAIL)).toBe("DUNNO");
    await expect.poll(() => bridge.decisions().length, LOGGED).toBe(12);
    expect(bridge.decisions().filter(({ attempts }) => attempts === 2).length).toBeGreaterThanOrEqual(1);
    expect(JSON.stringify(bridge.log())).not.toMatch(/heim|00D/);
  });

  it("refuses another password: the log says so, and the next password is used when its file changes", async () => {
    const { bridge, port } = await bridgeTo(await startSessionPhpServer(PASSWORD), "another");
    expect(await ask(port, MAIL)).toMatch(/^DEFER 4\.3\.0 /);
    await expect.poll(() => bridge.decisions().length, LOGGED).toBe(1);
    expect(bridge.decisions()[0]).toMatchObject({ cause: "http_4xx", source: "default" });
    expect(bridge.decisions()[0]!.detail).toMatch(
      /^no session: login at http:\S+: HTTP status 500: a SOAP Fault Client: INVALID_LOGIN: .*; check what the login shows/,
    );
    await bridge.write("password", `${PASSWORD}\n`);
    await expect.poll(() => ask(port, MAIL), { timeout: 40_000, interval: 500 }).toBe("DUNNO");
  }, 60_000);

  it("is seen in `status` and `try`, without what is secret", async () => {
    const { bridge, port, control } = await bridgeTo(await startSessionPhpServer(PASSWORD), PASSWORD);
    expect(await ask(port, MAIL)).toBe("DUNNO");
    const status = await run(["status", "--control", control]);
    expect(status.stdout).toMatch(/token from http:\S+: good for [^;]*; fetched 1, failed 0/);
    const { stdout } = await run(["try", "-c", bridge.path("pfxbridge.yaml"), "sender=alice@example.net"]);
    expect(stdout).toMatch(/Token +fetched from http:/);
    expect(stdout).toContain("<h:sessionId>***</h:sessionId>");
    expect(stdout + status.stdout).not.toMatch(/heim|00D/);
  });
});
