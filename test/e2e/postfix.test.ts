/**
 * Postfix asks, an authorization service over HTTP decides, and a mail client sees the outcome: every
 * protocol state, and the bridge as a gate after reject_unauth_destination.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Bridge, LOGGED, startBridge } from "../support/bridge.ts";
import { type Postfix, startPostfix } from "../support/postfix.ts";
import { isMissing } from "../support/requirement.ts";
import { AuthorizationService, type Call } from "../support/service.ts";
import { handIn, SmtpSession } from "../support/smtp.ts";
import { freePort } from "../support/temporary.ts";

const MAPPING = {
  request: {
    method: "POST",
    path: "/decide",
    json: {
      state: "${protocol_state}",
      client_address: "${client_address}",
      helo_name: "${helo_name}",
      sender: "${sender}",
      recipient: "${recipient}",
      recipient_count: "${recipient_count}",
      recipients: "${recipients}",
      size: "${size}",
      listener: "${listener}",
    },
  },
  response: [{ when: "status == 200", action: "${body.action}" }],
  allow: ["PREPEND"],
};

/** The SMTP commands of one session, in order, and the state in which Postfix asks about each. */
const STATES = ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "END-OF-MESSAGE", "VRFY", "ETRN"] as const;

describe.skipIf(isMissing("postfix", "tests with Postfix"))("Postfix in front of the bridge", () => {
  let service: AuthorizationService;
  let postfix: Postfix;
  let bridge: Bridge;

  beforeAll(async () => {
    service = await AuthorizationService.start(() => ({ body: { action: "DUNNO" } }));
    const port = await freePort();
    const policy = `check_policy_service inet:127.0.0.1:${port}`;
    postfix = await startPostfix({
      smtpd: {
        states: {
          smtpd_delay_reject: "no",
          smtpd_client_restrictions: policy,
          smtpd_helo_restrictions: policy,
          smtpd_sender_restrictions: policy,
          smtpd_recipient_restrictions: policy,
          smtpd_data_restrictions: policy,
          smtpd_end_of_data_restrictions: policy,
          smtpd_etrn_restrictions: policy,
        },
        gate: { smtpd_recipient_restrictions: policy, smtpd_data_restrictions: policy },
        socket: { smtpd_recipient_restrictions: "check_policy_service unix:private/pfxbridge" },
      },
    });
    bridge = await startBridge({
      config: {
        listen: [
          `inet:127.0.0.1:${port}`,
          { endpoint: `unix:${postfix.queueDirectory}/private/pfxbridge`, name: "socket", owner: "postfix" },
        ],
        services: { corp: { url: service.url, mapping: "./gate.yaml" } },
      },
      files: { "gate.yaml": MAPPING },
    });
  });

  afterAll(async () => {
    await bridge?.stop();
    await postfix?.stop();
    await service?.stop();
  });

  beforeEach(() => {
    service.calls.length = 0;
    service.answering = () => ({ body: { action: "DUNNO" } });
  });

  /** Goes through every state in one session, up to the first refusal; gives the last reply. */
  async function allStates(): Promise<string> {
    const { session, greeting } = await SmtpSession.open(postfix.port("states"));
    try {
      if (!greeting.startsWith("2")) return greeting;
      for (const command of [
        "EHLO client.example.net",
        "MAIL FROM:<alice@example.net>",
        "RCPT TO:<bob@example.org>",
        "DATA",
        "Subject: every state\r\n\r\nHello.\r\n.",
        "VRFY bob@example.org",
        "ETRN example.org",
      ]) {
        const reply = await session.command(command);
        if (!/^[23]/.test(reply)) return reply;
      }
      return "";
    } finally {
      await session.close();
    }
  }

  describe("protocol states", () => {
    it("asks the service in each of them, and passes on what Postfix says there", async () => {
      expect(await allStates()).toBe("");
      expect(service.calls.map((call) => call.json?.state)).toEqual(STATES);
      const client = { client_address: "127.0.0.1" };
      const helo = { ...client, helo_name: "client.example.net" };
      expect(service.calls.map((call) => call.json)).toMatchObject([
        { ...client, helo_name: "" },
        helo,
        { ...helo, sender: "alice@example.net", recipient: "" },
        {
          ...helo,
          sender: "alice@example.net",
          recipient: "bob@example.org",
          recipients: ["bob@example.org"],
        },
        { recipient: "bob@example.org", recipient_count: 1, size: 0 },
        { recipient: "bob@example.org", recipient_count: 1, size: expect.toSatisfy((size) => size > 0) },
        { sender: "", recipient: "bob@example.org" },
        { sender: "", recipient: "" },
      ]);
    });

    it("asks about HELO as well", async () => {
      const { session } = await SmtpSession.open(postfix.port("states"));
      expect(await session.command("HELO client.example.net")).toMatch(/^250 /);
      await session.close();
      expect(service.calls.map((call) => call.json?.state)).toEqual(["CONNECT", "HELO"]);
    });

    it.each([
      ["CONNECT", "554 5.7.1 <unknown[127.0.0.1]>: Client host rejected: no"],
      ["EHLO", "554 5.7.1 <client.example.net>: Helo command rejected: no"],
      ["MAIL", "554 5.7.1 <alice@example.net>: Sender address rejected: no"],
      ["RCPT", "554 5.7.1 <bob@example.org>: Recipient address rejected: no"],
      ["DATA", "554 5.7.1 <DATA>: Data command rejected: no"],
      ["END-OF-MESSAGE", "554 5.7.1 <END-OF-MESSAGE>: End-of-data rejected: no"],
      ["VRFY", "554 5.7.1 <bob@example.org>: Recipient address rejected: no"],
      ["ETRN", "554 5.7.1 <example.org>: Etrn command rejected: no"],
    ])("refuses at %s when the service says so there", async (state, reply) => {
      service.answering = (call) => ({
        body: { action: call.json?.state === state ? "REJECT 5.7.1 no" : "DUNNO" },
      });
      expect(await allStates()).toBe(reply);
    });
  });

  describe("as a gate", () => {
    it("lets pass what the service permits", async () => {
      const { message } = await handIn(postfix.port("gate"), mail("permitted by the service"));
      expect(message).toMatch(/^250 2\.0\.0 Ok/);
      expect(await postfix.delivered("permitted by the service")).toContain("From: <alice@example.net>");
    });

    it.each([
      [
        "REJECT 5.7.1 account blocked",
        "554 5.7.1 <bob@example.org>: Recipient address rejected: account blocked",
      ],
      ["DEFER 4.7.1 quota reached", "450 4.7.1 <bob@example.org>: Recipient address rejected: quota reached"],
      [
        "DEFER_IF_PERMIT 4.7.1 greylisted",
        "450 4.7.1 <bob@example.org>: Recipient address rejected: greylisted",
      ],
      ["552 5.2.2 mailbox full", "552 5.2.2 <bob@example.org>: Recipient address rejected: mailbox full"],
    ])("gives the client the text of %s", async (action, reply) => {
      service.answering = () => ({ body: { action } });
      const { rcpt } = await handIn(postfix.port("gate"), mail("refused by the service"));
      expect(rcpt).toEqual([reply]);
    });

    it("puts a header on the message with PREPEND", async () => {
      service.answering = ({ json }) => ({
        body: { action: json?.state === "RCPT" ? "PREPEND X-Policy: checked" : "DUNNO" },
      });
      await handIn(postfix.port("gate"), mail("with a header"));
      expect(await postfix.delivered("with a header")).toMatch(/^X-Policy: checked$/m);
    });

    it("defers, and neither relays nor redirects, when the reply holds an action that is not allowed", async () => {
      service.answering = () => ({ body: { action: "REDIRECT mallory@example.com" } });
      const { rcpt } = await handIn(postfix.port("gate"), mail("redirected"));
      expect(rcpt).toEqual([
        "450 4.3.0 <bob@example.org>: Recipient address rejected: Authorization service unavailable, please try again later",
      ]);
      await expect
        .poll(() => bridge.decisions().at(-1), LOGGED)
        .toMatchObject({ source: "default", cause: "bad_reply", status: 200 });
    });

    it("knows all recipients at DATA, those of this message and no other", async () => {
      const first = ["bob@example.org", "carol@example.org", "dave@example.org"];
      const second = ["erin@example.org", "frank@example.org"];
      await handIn(postfix.port("gate"), { ...mail("to three"), to: first });
      await handIn(postfix.port("gate"), { ...mail("to two"), to: second });
      const atData = service.calls.filter((call) => call.json?.state === "DATA");
      expect(atData.map((call) => call.json)).toMatchObject([
        { recipient: "", recipient_count: 3, recipients: first },
        { recipient: "", recipient_count: 2, recipients: second },
      ]);
    });

    it("answers on a Unix socket below the queue directory too", async () => {
      const { message } = await handIn(postfix.port("socket"), mail("through a socket"));
      expect(message).toMatch(/^250 /);
      expect(service.calls.map((call) => call.json?.listener)).toEqual(["socket"]);
    });

    it("logs each decision under the identifier that the service got", async () => {
      await handIn(postfix.port("gate"), mail("logged"));
      const ids = service.calls.map((call: Call) => call.headers["x-request-id"]);
      const lines = () => bridge.decisions().filter((line) => ids.includes(String(line.request_id)));
      const same = {
        service: "corp",
        source: "upstream",
        rule: 1,
        status: 200,
        attempts: 1,
        action: "DUNNO",
      };
      await expect.poll(lines, LOGGED).toMatchObject([
        { ...same, protocol_state: "RCPT", sender: "alice@example.net", recipient: "bob@example.org" },
        { ...same, protocol_state: "DATA", client_address: "127.0.0.1" },
      ]);
    });
  });
});

function mail(subject: string) {
  return { from: "alice@example.net", to: ["bob@example.org"], subject };
}
