/** What the bridge knows of a message's recipients at DATA, and whether it says so, with each way in which Postfix asks. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Bridge, startBridge } from "../support/bridge.ts";
import { type Postfix, startPostfix } from "../support/postfix.ts";
import { isMissing } from "../support/requirement.ts";
import { AuthorizationService } from "../support/service.ts";
import { handIn, SmtpSession } from "../support/smtp.ts";
import { freePort } from "../support/temporary.ts";

const MAPPING = {
  request: {
    method: "POST",
    path: "/decide",
    json: {
      state: "${protocol_state}",
      recipient: "${recipient}",
      recipient_count: "${recipient_count}",
      recipients: "${recipients}",
      recipients_complete: "${recipients_complete}",
    },
  },
  response: [{ when: "status == 200", action: "${body.action}" }],
};
/** Permits what has no recipient outside. */
const STRICT = {
  request: {
    method: "POST",
    path: "/decide",
    json: { state: "${protocol_state}", outside: '${recipients.exists(r, domain(r) != "example.org")}' },
  },
  response: [{ when: "status == 200", action: "${body.action}" }],
};

const TO = ["bob@example.org", "carol@example.org", "dave@example.org"];

describe.skipIf(isMissing("postfix", "tests with Postfix"))("the recipients at DATA", () => {
  let service: AuthorizationService;
  let postfix: Postfix;
  let bridge: Bridge;

  beforeAll(async () => {
    service = await AuthorizationService.start(() => ({ body: { action: "DUNNO" } }));
    const [port, strict] = [await freePort(), await freePort()];
    const policy = `check_policy_service inet:127.0.0.1:${port}`;
    const context = (name: string) =>
      `check_policy_service { inet:127.0.0.1:${port}, policy_context=${name} }`;
    const both = { smtpd_recipient_restrictions: policy, smtpd_data_restrictions: policy };
    postfix = await startPostfix({
      smtpd: {
        both,
        twoLists: { ...both, smtpd_sender_restrictions: policy },
        dataOnly: { smtpd_data_restrictions: policy, smtpd_end_of_data_restrictions: policy },
        contexts: { smtpd_recipient_restrictions: context("rcpt"), smtpd_data_restrictions: context("data") },
        permittedBefore: {
          ...both,
          smtpd_recipient_restrictions: `check_recipient_access inline:{{dave@example.org = OK}}, ${policy}`,
        },
        refusedAfter: {
          ...both,
          smtpd_recipient_restrictions: `${policy}, check_recipient_access inline:{{dave@example.org = REJECT}}`,
        },
        strict: { smtpd_data_restrictions: `check_policy_service inet:127.0.0.1:${strict}` },
      },
    });
    const target = (mapping: string) => ({ url: service.url, mapping });
    bridge = await startBridge({
      config: {
        listen: [
          { endpoint: `inet:127.0.0.1:${port}`, name: "all" },
          { endpoint: `inet:127.0.0.1:${strict}`, name: "strict" },
        ],
        services: { corp: target("./mapping.yaml"), strict: target("./strict.yaml") },
        routes: [{ when: 'listener == "strict"', service: "strict" }, { service: "corp" }],
      },
      files: { "mapping.yaml": MAPPING, "strict.yaml": STRICT },
    });
  });
  afterAll(async () => {
    await postfix?.stop();
    await bridge?.stop();
    await service?.stop();
  });
  beforeEach(() => {
    service.calls.length = 0;
    service.answering = () => ({ body: { action: "DUNNO" } });
  });

  const atData = () => service.calls.map(({ json }) => json).filter((json) => json?.state !== "RCPT");
  const send = (name: string, to: readonly string[]) =>
    handIn(postfix.port(name), { from: "alice@example.net", to, subject: "s" });

  it("are all, where each was asked about", async () => {
    await send("both", TO);
    expect(atData()).toMatchObject([{ recipient_count: 3, recipients: TO, recipients_complete: true }]);
  });

  it("are all, where one was refused, by the bridge or after it", async () => {
    service.answering = ({ json }) => ({
      body: { action: json?.recipient === "bob@example.org" ? "REJECT" : "DUNNO" },
    });
    await send("both", TO);
    await send("refusedAfter", [...TO, "erin@example.org"]);
    expect(atData()).toMatchObject([
      { recipient_count: 2, recipients: TO.slice(1), recipients_complete: true },
      { recipient_count: 2, recipients: [...TO.slice(1), "erin@example.org"], recipients_complete: true },
    ]);
  });

  it("are all, where one was given twice", async () => {
    const [bob = "", carol = ""] = TO;
    await send("both", [bob, carol, bob]);
    await send("both", [bob, bob]);
    expect(atData()).toMatchObject([
      { recipient_count: 3, recipients: [bob, carol], recipients_complete: true },
      { recipient_count: 2, recipients: [bob], recipients_complete: true },
    ]);
  });

  it("are all, where two lists of restrictions ask at RCPT", async () => {
    await send("twoLists", TO);
    expect(atData()).toMatchObject([{ recipient_count: 3, recipients: TO, recipients_complete: true }]);
  });

  it("are all with BDAT in place of DATA", async () => {
    const { session } = await SmtpSession.open(postfix.port("both"));
    await session.command("EHLO client.example.net");
    await session.command("MAIL FROM:<alice@example.net>");
    for (const to of TO) await session.command(`RCPT TO:<${to}>`);
    expect(await session.command("BDAT 6 LAST\r\nA: b\r")).toMatch(/^250 /);
    await session.close();
    expect(atData()).toMatchObject([
      { state: "DATA", recipient_count: 3, recipients: TO, recipients_complete: true },
    ]);
  });

  it.each([
    ["nobody was asked about at RCPT", "dataOnly", [], 2],
    ["RCPT was asked with another policy_context", "contexts", [], 1],
    ["one was permitted before the policy check", "permittedBefore", TO.slice(0, 2), 1],
  ])("are said to be a part, where %s", async (_, name, known, questions) => {
    await send(name, TO);
    const expected = { recipient: "", recipient_count: 3, recipients: known, recipients_complete: false };
    expect(atData()).toMatchObject(Array.from({ length: questions }, () => expected));
  });

  it("are all where there is one, whoever was asked at RCPT", async () => {
    await send("dataOnly", TO.slice(0, 1));
    expect(atData()).toMatchObject([
      { recipients: TO.slice(0, 1), recipients_complete: true },
      { recipients: TO.slice(0, 1), recipients_complete: true },
    ]);
  });

  it("defer the message, where a mapping reads a part of them as if it were all", async () => {
    const { data } = await send("strict", TO.slice(0, 2));
    expect(data).toMatch(/^450 4\.3\.0 /);
    expect(service.calls).toEqual([]);
    const { message } = await send("strict", TO.slice(0, 1));
    expect(message).toMatch(/^250 /);
    expect(service.calls.map(({ json }) => json)).toMatchObject([{ state: "DATA", outside: false }]);
  });
});
