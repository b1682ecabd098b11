/** What the doctor finds in Postfix's own configuration, read by the real postconf: each mistake, and the same mended. */
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { parseConfig } from "../../src/config/load.ts";
import type { Finding } from "../../src/doctor/finding.ts";
import { checkPostfix } from "../../src/doctor/postfix/check-postfix.ts";
import { isMissing } from "../support/requirement.ts";
import { temporaryFolder } from "../support/temporary.ts";

const SMTP = "smtp inet n - n - - smtpd\n";
const GATE = "request: { path: / }\nresponse:\n  - { when: body.ok == true, action: DUNNO }\n";
const GRANT = "request: { path: / }\nresponse:\n  - { when: body.ok == true, action: OK }\n";
const CORP = "services:\n  corp: { url: https://a.example, mapping: ./gate.yaml }\n";
const GRANTING = "services:\n  corp: { url: https://a.example, mapping: ./grant.yaml }\n";

interface Site {
  readonly main: string;
  readonly master?: string;
  readonly config?: string;
  readonly pid?: number;
}

async function findings({ main, master = SMTP, config = CORP, pid }: Site): Promise<readonly Finding[]> {
  const folder = await temporaryFolder(0o755);
  onTestFinished(folder.remove);
  const at = (name: string) => join(folder.path, name);
  await writeFile(
    at("main.cf"),
    `compatibility_level = 3.6\nqueue_directory = ${folder.path}/queue\n${main}\n`,
  );
  await writeFile(at("master.cf"), master);
  await writeFile(at("gate.yaml"), GATE);
  await writeFile(at("grant.yaml"), GRANT);
  const loaded = await parseConfig(config.replaceAll("QUEUE", at("queue")), at("pfxbridge.yaml"));
  return checkPostfix(loaded, folder.path, pid);
}

/** What is amiss, and what is to be noted, as lines. */
async function said(site: Site): Promise<string> {
  const found = await findings(site);
  return found
    .filter(({ level }) => level !== "well")
    .map(({ level, about, message, mend }) => `${level}: ${about}: ${message} -> ${mend}`)
    .join("\n");
}

const POLICY = "check_policy_service inet:127.0.0.1:9998";
const IN_TIME = "smtpd_policy_service_timeout = 10s\n";
const gate = (list: string) => `${IN_TIME}smtpd_recipient_restrictions = ${list}`;
const ROUTED = (when: string) =>
  `${CORP}routes:\n  - { when: '${when}', service: corp }\n  - { action: DUNNO }\n`;

describe.skipIf(isMissing("postfix", "tests of the doctor"))("of Postfix's configuration it says", () => {
  const wrongAndMended: readonly (readonly [string, Site, RegExp, Site])[] = [
    [
      "that nobody asks the bridge",
      { main: "" },
      /^amiss: Postfix: no list of restrictions has a check_policy_service.*-> .*inet:127\.0\.0\.1:9998/,
      { main: gate(`reject_unauth_destination, ${POLICY}`) },
    ],
    [
      "that main.cf leads elsewhere",
      { main: gate("reject_unauth_destination, check_policy_service inet:127.0.0.1:9999") },
      /^amiss: main\.cf: smtpd_recipient_restrictions: check_policy_service inet:127\.0\.0\.1:9999 does not lead to this bridge, which listens on inet:127\.0\.0\.1:9998 -> write inet:127/,
      { main: gate("reject_unauth_destination check_policy_service { inet:localhost:9998, timeout=5s }") },
    ],
    [
      "that an OK before reject_unauth_destination relays",
      {
        main: `smtpd_relay_restrictions =\n${gate(`${POLICY}, reject_unauth_destination`)}`,
        config: GRANTING,
      },
      /the mapping \.\/grant\.yaml of corp can say OK before reject_unauth_destination, and smtpd_relay_restrictions refuses nobody/,
      {
        main: `smtpd_relay_restrictions =\n${gate(`reject_unauth_destination, ${POLICY}`)}`,
        config: GRANTING,
      },
    ],
    [
      "that an on_failure of OK is an open relay at a grant",
      {
        main: `${IN_TIME}smtpd_relay_restrictions = ${POLICY}, reject_unauth_destination`,
        config: `${GRANTING.trimEnd().slice(0, -1)}, on_failure: OK }\n`,
      },
      /amiss: .*on_failure of corp says OK before reject_unauth_destination.*open relay/,
      {
        main: `${IN_TIME}smtpd_relay_restrictions = ${POLICY}, reject_unauth_destination`,
        config: GRANTING,
      },
    ],
    [
      "that a grant has nothing behind it",
      { main: `${IN_TIME}smtpd_relay_restrictions = ${POLICY}`, config: GRANTING },
      /nothing after check_policy_service refuses relaying.*-> put reject_unauth_destination after it/,
      {
        main: `${IN_TIME}smtpd_relay_restrictions = ${POLICY}, reject_unauth_destination`,
        config: GRANTING,
      },
    ],
    [
      "that it is never asked",
      { main: gate(`reject_unauth_destination, permit, ${POLICY}`) },
      /^amiss: .*the bridge is never asked: `permit` before check_policy_service ends the list -> move/,
      { main: gate(`reject_unauth_destination, ${POLICY}, permit`) },
    ],
    [
      "that it does not see who logged in, where the others are refused",
      {
        main: `smtpd_sasl_auth_enable = yes\n${gate(`permit_sasl_authenticated, ${POLICY}, reject`)}`,
      },
      /amiss: .*never sees the mail of users who logged in, and the others are refused -> move check_policy_service before/,
      {
        main: `smtpd_sasl_auth_enable = yes\n${gate(`${POLICY}, permit_sasl_authenticated, reject`)}`,
      },
    ],
    [
      "that a route for users who logged in sees none",
      {
        main: `smtpd_sasl_auth_enable = yes\n${gate(`permit_sasl_authenticated, reject_unauth_destination, ${POLICY}`)}`,
        config: ROUTED('sasl_username == "a"'),
      },
      /amiss: .*users who logged in, and route 1 is for these/,
      {
        main: `smtpd_sasl_auth_enable = yes\n${gate(`${POLICY}, permit_sasl_authenticated, reject_unauth_destination`)}`,
        config: ROUTED('sasl_username == "a"'),
      },
    ],
    [
      "that a route for own networks sees none of them",
      {
        main: `mynetworks = 127.0.0.0/8 [::1]/128 10.0.0.0/8\n${gate(`permit_mynetworks, reject_unauth_destination, ${POLICY}`)}`,
        config: ROUTED('ip_in(client_address, "10.1.0.0/16")'),
      },
      /amiss: .*permit_mynetworks stands before it.*and route 1 is for these -> move/,
      {
        main: `mynetworks = 127.0.0.0/8 [::1]/128\n${gate(`permit_mynetworks, reject_unauth_destination, ${POLICY}`)}`,
        config: ROUTED('ip_in(client_address, "10.1.0.0/16")'),
      },
    ],
    [
      "that Postfix gives up before the deadline",
      {
        main: `smtpd_recipient_restrictions = reject_unauth_destination, check_policy_service { inet:127.0.0.1:9998, timeout=2s }`,
      },
      /amiss: .*Postfix waits 2s, and the deadline is 3s.*-> set timeout=4s/,
      {
        main: `smtpd_recipient_restrictions = reject_unauth_destination, check_policy_service { inet:127.0.0.1:9998, timeout=4s }`,
      },
    ],
    [
      "the same of smtpd_policy_service_timeout",
      {
        main: `smtpd_policy_service_timeout = 3\nsmtpd_recipient_restrictions = reject_unauth_destination, ${POLICY}`,
      },
      /Postfix waits 3, and the deadline is 3s/,
      {
        main: `smtpd_policy_service_timeout = 1m\nsmtpd_recipient_restrictions = reject_unauth_destination, ${POLICY}`,
      },
    ],
    [
      "that a default opens what is closed",
      {
        main: `smtpd_policy_service_default_action = DUNNO\n${gate(`reject_unauth_destination, ${POLICY}`)}`,
      },
      /amiss: .*Postfix answers DUNNO \(default_action\), which opens what on_failure of corp closes/,
      {
        main: `smtpd_policy_service_default_action = DUNNO\n${gate("reject_unauth_destination, check_policy_service { inet:127.0.0.1:9998, { default_action = DEFER 4.3.0 Later } }")}`,
      },
    ],
    [
      "that a place's own default opens what is closed",
      {
        main: gate(
          "reject_unauth_destination, check_policy_service { inet:127.0.0.1:9998, default_action=OK }",
        ),
      },
      /amiss: .*Postfix answers OK/,
      { main: gate(`reject_unauth_destination, ${POLICY}`) },
    ],
    [
      "that strangers can reach the port",
      {
        main: gate(`reject_unauth_destination, ${POLICY}`),
        config: `${CORP}listen: [inet:0.0.0.0:9998]\n`,
      },
      /^amiss: inet:0\.0\.0\.0:9998: others than this machine/,
      {
        main: gate(`reject_unauth_destination, ${POLICY}`),
        config: `${CORP}listen: [inet:127.0.0.1:9998]\n`,
      },
    ],
    [
      "that there may be too few files",
      {
        main: `default_process_limit = 100000000\n${gate(`reject_unauth_destination, ${POLICY}`)}`,
        pid: process.pid,
      },
      /amiss: Postfix: up to 100000000 connections.*the bridge may have \d+ -> set LimitNOFILE=134217728/,
      {
        main: `default_process_limit = 100000000\n${gate(`reject_unauth_destination, ${POLICY}`)}`,
        master: "smtp inet n - n - 20 smtpd\n",
        pid: process.pid,
      },
    ],
    [
      "what holds for one service of master.cf, its own $name in it",
      {
        main: `${gate(`reject_unauth_destination, ${POLICY}`)}\nmua = permit`,
        master: `${SMTP}submission inet n - n - - smtpd\n  -o smtpd_recipient_restrictions=$mua,$ours\n  -o { ours = ${POLICY} }\n`,
      },
      /^amiss: master\.cf, submission\/inet: smtpd_recipient_restrictions: the bridge is never asked: `permit`/,
      {
        main: `${gate(`reject_unauth_destination, ${POLICY}`)}\nmua = reject_unauth_destination`,
        master: `${SMTP}submission inet n - n - - smtpd\n  -o smtpd_recipient_restrictions=$mua,$ours\n  -o { ours = ${POLICY} }\n`,
      },
    ],
    [
      "what a class of restrictions holds",
      {
        main: `smtpd_restriction_classes = ours\nours = permit, ${POLICY}\n${gate("reject_unauth_destination, ours")}`,
      },
      /the bridge is never asked: `permit`/,
      {
        main: `smtpd_restriction_classes = ours\nours = ${POLICY}\n${gate("reject_unauth_destination, ours")}`,
      },
    ],
  ];

  it.each(wrongAndMended)("%s; and nothing when it is mended", async (_name, wrong, expected, mended) => {
    expect(await said(wrong)).toMatch(expected);
    expect(await said(mended)).toBe("");
  });

  it("what may be meant only as a note", async () => {
    const lists = `permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination, ${POLICY}`;
    const text = await said({
      main: `mynetworks = 10.0.0.0/8\nsmtpd_sasl_auth_enable = yes\n${gate(lists)}`,
    });
    expect(text.split("\n")).toEqual([
      expect.stringMatching(/^note: .*users who logged in; where it is for these too/),
      expect.stringMatching(/^note: .*your own networks \(10\.0\.0\.0\/8\); where/),
    ]);
  });

  it("that a chrooted smtpd does not find the socket by an absolute path", async () => {
    const config = `${CORP}listen: ["unix:QUEUE/private/policy"]\n`;
    const main = (endpoint: string) => gate(`reject_unauth_destination, check_policy_service ${endpoint}`);
    const jailed = "smtp inet n - y - - smtpd\n";
    const absolute = "unix:$queue_directory/private/policy";
    expect(await said({ main: main(absolute), master: jailed, config })).toMatch(
      /amiss: .*smtpd runs in a chroot jail.*-> write unix:private\/policy there/,
    );
    expect(await said({ main: main(absolute), config })).not.toContain("amiss");
    expect(await said({ main: main("unix:private/policy"), master: jailed, config })).not.toContain("amiss");
    const outside = `${CORP}listen: [unix:/run/policy]\n`;
    expect(await said({ main: main("unix:/run/policy"), master: jailed, config: outside })).toMatch(
      /amiss: .*would be .*\/queue\/run\/policy -> let the bridge listen on unix:.*\/private\/pfxbridge/,
    );
  });

  it("that postfix may not connect to the socket, or get to it", async () => {
    const folder = await temporaryFolder(0o755);
    onTestFinished(folder.remove);
    await mkdir(join(folder.path, "in"));
    const path = join(folder.path, "in/policy");
    const server = createServer().listen(path);
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once("listening", resolve));
    const site = {
      main: gate(`reject_unauth_destination, check_policy_service unix:${path}`),
      config: `${CORP}listen: ["unix:${path}"]\n`,
    };
    await chmod(path, 0o600);
    expect(await said(site)).toMatch(
      /^amiss: unix:.*postfix may not connect: it is 0600, of user 0 and group 0 -> .*group: postfix/,
    );
    await chmod(path, 0o666);
    expect(await said(site)).toBe("");
    await chmod(join(folder.path, "in"), 0o700);
    expect(await said(site)).toMatch(/^amiss: unix:.*postfix cannot get into the folder .*\/in on the way/);
  });

  it("that it cannot be read, and what to do", async () => {
    const config = await parseConfig("routes: [{ action: DUNNO }]", "/nowhere/pfxbridge.yaml");
    const found = await checkPostfix(config, "/nowhere/postfix", undefined);
    expect(found).toEqual([
      {
        level: "amiss",
        about: "Postfix",
        message: expect.stringMatching(
          /^its configuration cannot be read: postconf: fatal: open \/nowhere\/postfix\/main\.cf/,
        ),
        mend: expect.stringContaining("--postfix DIR"),
      },
    ]);
  });
});
