/** What Postfix answers by itself when nobody listens where the bridge should: README, "When the bridge itself is down". */
import { createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Postfix, startPostfix } from "../support/postfix.ts";
import { isMissing } from "../support/requirement.ts";
import { handIn } from "../support/smtp.ts";
import { freePort } from "../support/temporary.ts";

const GATE = (service: string) => ({
  smtpd_recipient_restrictions: `reject_unauth_destination, check_policy_service ${service}`,
});
const GRANT = (service: string) => ({
  smtpd_relay_restrictions: `check_policy_service ${service}, reject_unauth_destination`,
  smtpd_recipient_restrictions: "",
});

describe.skipIf(isMissing("postfix", "tests of a bridge that is down"))("without the bridge", () => {
  let postfix: Postfix;
  let asked = "";
  const policyServer = createServer((socket) => {
    socket.on("data", (data) => {
      asked += data;
      socket.write("action=REJECT found\n\n");
    });
    socket.on("error", () => {});
  });

  beforeAll(async () => {
    const port = await freePort();
    policyServer.listen(port, "127.0.0.1");
    const nobody = `inet:127.0.0.1:${await freePort()}`;
    const withDefault = (action: string) => `{ ${nobody}, { default_action = ${action} } }`;
    postfix = await startPostfix({
      smtpd: {
        answered: GATE(`inet:127.0.0.1:${port}`),
        gate: GATE(nobody),
        "gate-open": GATE(withDefault("DUNNO")),
        "gate-closed": GATE(withDefault("DEFER 4.3.0 Authorization service unavailable")),
        grant: GRANT(nobody),
        "grant-dunno": GRANT(withDefault("DUNNO")),
        "grant-closed": GRANT(withDefault("DEFER 4.3.0 Authorization service unavailable")),
      },
    });
  });
  afterAll(async () => {
    await postfix?.stop();
    policyServer.close();
  });

  const LOCAL = "someone@example.org";
  const ELSEWHERE = "someone@elsewhere.example";

  it.each([
    ["gate", LOCAL, /^451 4\.3\.5 .*Server configuration problem/],
    ["gate-open", LOCAL, /^250 2\.0\.0 Ok/],
    ["gate-closed", LOCAL, /^450 4\.3\.0 .*Authorization service unavailable/],
    ["grant", ELSEWHERE, /^451 4\.3\.5 .*Server configuration problem/],
    ["grant-dunno", ELSEWHERE, /^554 5\.7\.1 .*Relay access denied/],
    ["grant-closed", ELSEWHERE, /^450 4\.3\.0 .*Authorization service unavailable/],
  ])("%s: to %s Postfix says %s", async (smtpd, to, expected) => {
    const begun = performance.now();
    const replies = await handIn(postfix.port(smtpd), { from: "a@example.net", to: [to], subject: smtpd });
    expect(replies.message ?? replies.rcpt.at(-1)).toMatch(expected);
    // smtpd_policy_service_retry_delay, between its two tries.
    expect(performance.now() - begun).toBeGreaterThan(950);
  });

  it("a line of mail.log is found by smtpd's process id, in hexadecimal at the front of instance", async () => {
    await handIn(postfix.port("answered"), { from: "a@example.net", to: [LOCAL], subject: "found" });
    const [, pid] = /smtpd\[(\d+)\]: NOQUEUE: reject: .*found/.exec(await postfix.log()) ?? [];
    expect(asked).toContain(`\ninstance=${Number(pid).toString(16)}.`);
  });
});
