/**
 * The bridge as a grant, before reject_unauth_destination in smtpd_relay_restrictions: the service says
 * who may relay. An outage there must defer the mail, and neither bounce it nor open the relay.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Bridge, LOGGED, startBridge } from "../support/bridge.ts";
import { type Postfix, startPostfix } from "../support/postfix.ts";
import { isMissing } from "../support/requirement.ts";
import { AuthorizationService } from "../support/service.ts";
import { handIn } from "../support/smtp.ts";
import { freePort } from "../support/temporary.ts";

const MAPPING = {
  request: {
    method: "POST",
    path: "/relay",
    json: { client: "${client_address}", sender: "${sender}", recipient: "${recipient}" },
  },
  response: [
    { when: 'body.relay == "granted"', action: "OK" },
    { when: 'body.relay == "refused"', action: "REJECT 5.7.1 ${body.reason}" },
    { when: 'body.relay == "unknown"', action: "DUNNO" },
  ],
};

describe.skipIf(isMissing("postfix", "tests of relaying with Postfix"))("the bridge as a grant", () => {
  let service: AuthorizationService;
  let postfix: Postfix;
  let bridge: Bridge;

  beforeAll(async () => {
    service = await AuthorizationService.start(({ json }) => {
      if (json?.sender === "app@example.net") return { body: { relay: "granted" } };
      if (json?.sender === "blocked@example.net")
        return { body: { relay: "refused", reason: "scanner retired" } };
      return { body: { relay: "unknown" } };
    });
    const [closed, open] = [`inet:127.0.0.1:${await freePort()}`, `inet:127.0.0.1:${await freePort()}`];
    const grant = (endpoint: string) => ({
      smtpd_relay_restrictions: `check_policy_service ${endpoint}, reject_unauth_destination`,
      smtpd_recipient_restrictions: "",
    });
    postfix = await startPostfix({ smtpd: { closed: grant(closed), open: grant(open) } });
    bridge = await startBridge({
      config: {
        listen: [closed, { endpoint: open, name: "open" }],
        services: { corp: { url: service.url, mapping: "./grant.yaml" } },
        routes: [
          { when: 'listener == "open"', service: "corp", on_failure: "fail-open" },
          { service: "corp" },
        ],
      },
      files: { "grant.yaml": MAPPING },
    });
  });

  afterAll(async () => {
    await bridge?.stop();
    await postfix?.stop();
    await service?.stop();
  });

  async function relay(from: string, smtpd = "closed") {
    const to = ["customer@elsewhere.example"];
    const replies = await handIn(postfix.port(smtpd), { from, to, subject: `from ${from}` });
    return replies.message ?? replies.rcpt.at(-1);
  }

  it("relays for whom the service grants it", async () => {
    expect(await relay("app@example.net")).toMatch(/^250 2\.0\.0 Ok/);
    expect(await postfix.delivered("Subject: from app@example.net")).toContain("customer@elsewhere.example");
  });

  it.each([
    ["stranger@example.net", "Relay access denied"],
    ["blocked@example.net", "Recipient address rejected: scanner retired"],
  ])("does not relay for %s", async (sender, text) => {
    expect(await relay(sender)).toBe(`554 5.7.1 <customer@elsewhere.example>: ${text}`);
  });

  describe("in an outage", () => {
    beforeEach(() => service.stop());

    it("defers with 450 by fail-closed, and does not bounce", async () => {
      expect(await relay("app@example.net")).toBe(
        "450 4.3.0 <customer@elsewhere.example>: Recipient address rejected: Authorization service unavailable, please try again later",
      );
      await expect
        .poll(() => bridge.decisions().at(-1), LOGGED)
        .toMatchObject({ source: "default", cause: "unreachable" });
    });

    it("does not become an open relay by fail-open", async () => {
      expect(await relay("app@example.net", "open")).toMatch(/^554 5\.7\.1 .*Relay access denied$/);
    });
  });
});
