/**
 * The authorization service goes away while Postfix takes mail, with the bridge as a gate: what the mail
 * client sees is what on_failure says.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Bridge, LOGGED, startBridge } from "../support/bridge.ts";
import { type Postfix, startPostfix } from "../support/postfix.ts";
import { isMissing } from "../support/requirement.ts";
import { AuthorizationService } from "../support/service.ts";
import { handIn } from "../support/smtp.ts";
import { freePort } from "../support/temporary.ts";

const ON_FAILURE = {
  closed: "fail-closed",
  open: "fail-open",
  postfix: "postfix-default",
  text: "DEFER 4.7.0 mail authorization is down (${cause})",
};
type Gate = keyof typeof ON_FAILURE;
const GATES = Object.keys(ON_FAILURE) as Gate[];

const MAPPING = {
  request: { method: "POST", json: { sender: "${sender}" } },
  response: [{ when: "body.allowed", action: "DUNNO" }],
};

describe.skipIf(isMissing("postfix", "tests of an outage with Postfix"))("an outage at a gate", () => {
  let service: AuthorizationService;
  let postfix: Postfix;
  let bridge: Bridge;

  beforeAll(async () => {
    service = await AuthorizationService.start(() => ({ body: { allowed: true } }));
    const listen: { endpoint: string; name: Gate }[] = [];
    for (const name of GATES) listen.push({ endpoint: `inet:127.0.0.1:${await freePort()}`, name });
    postfix = await startPostfix({
      smtpd: Object.fromEntries(
        listen.map(({ endpoint, name }) => [
          name,
          { smtpd_recipient_restrictions: `check_policy_service ${endpoint}` },
        ]),
      ),
    });
    bridge = await startBridge({
      config: {
        listen,
        services: {
          corp: {
            url: service.url,
            mapping: "./gate.yaml",
            timeout: "300ms",
            deadline: "1s",
            breaker: { failure_rate: 50, minimum_calls: 1000, window: "10s", open_for: "5s" },
          },
        },
        routes: [
          ...GATES.slice(1).map((name) => ({
            when: `listener == "${name}"`,
            service: "corp",
            on_failure: ON_FAILURE[name],
          })),
          { service: "corp" },
        ],
      },
      files: { "gate.yaml": MAPPING },
    });
  });

  afterAll(async () => {
    await bridge?.stop();
    await postfix?.stop();
    await service?.stop();
  });

  async function send(gate: Gate, subject: string) {
    const to = ["bob@example.org"];
    const replies = await handIn(postfix.port(gate), { from: "alice@example.net", to, subject });
    return replies.message ?? replies.rcpt.at(-1);
  }

  const troubles = [
    { trouble: "refuses connections", cause: "unreachable", down: () => service.stop() },
    {
      trouble: "accepts and says nothing",
      cause: "timeout",
      down: async () => {
        service.answering = () => new Promise(() => {});
      },
    },
  ];

  describe.each(troubles)("when the service $trouble", ({ cause, down }) => {
    beforeEach(async () => {
      service.answering = () => ({ body: { allowed: true } });
      await service.stop();
      await service.start();
      for (const gate of GATES) expect(await send(gate, "while all is well")).toMatch(/^250 /);
      await down();
    });

    it("fail-closed defers with 450, so that the mail comes again", async () => {
      expect(await send("closed", "deferred")).toBe(
        "450 4.3.0 <bob@example.org>: Recipient address rejected: Authorization service unavailable, please try again later",
      );
      await expect
        .poll(() => bridge.decisions().at(-1), LOGGED)
        .toMatchObject({ listener: "closed", source: "default", cause });
    });

    it("fail-open lets the mail pass", async () => {
      const subject = `passed although it ${cause}`;
      expect(await send("open", subject)).toMatch(/^250 /);
      await postfix.delivered(subject);
      await expect
        .poll(() => bridge.decisions().at(-1), LOGGED)
        .toMatchObject({ action: "DUNNO", source: "default", cause });
    });

    it("postfix-default leaves it to Postfix, which asks twice and then says 451", async () => {
      expect(await send("postfix", "left to Postfix")).toBe(
        "451 4.3.5 <bob@example.org>: Recipient address rejected: Server configuration problem",
      );
      const asked = { listener: "postfix", source: "default", cause };
      await expect.poll(() => bridge.decisions().slice(-2), LOGGED).toMatchObject([asked, asked]);
    });

    it("an action of the operator's own is given with its text", async () => {
      expect(await send("text", "with a text")).toBe(
        `450 4.7.0 <bob@example.org>: Recipient address rejected: mail authorization is down (${cause})`,
      );
    });

    it("asks the service again as soon as it is back", async () => {
      expect(await send("closed", "too early")).toMatch(/^450 /);
      service.answering = () => ({ body: { allowed: true } });
      await service.stop();
      await service.start();
      expect(await send("closed", "back again")).toMatch(/^250 /);
    });
  });
});
