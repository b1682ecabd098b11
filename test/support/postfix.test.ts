/** The private Postfix itself, in front of a policy server of three lines: what the other tests build on. */
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Postfix, startPostfix } from "./postfix.ts";
import { isMissing } from "./requirement.ts";
import { handIn } from "./smtp.ts";

describe.skipIf(isMissing("postfix", "tests of the Postfix harness"))("a private Postfix", () => {
  let action = "DUNNO";
  const server = createServer((socket) => {
    socket.on("data", () => socket.write(`action=${action}\n\n`));
    socket.on("error", () => socket.destroy());
  });
  let postfix: Postfix;

  beforeAll(async () => {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const policy = `check_policy_service inet:127.0.0.1:${(server.address() as AddressInfo).port}`;
    postfix = await startPostfix({ smtpd: { gate: { smtpd_recipient_restrictions: policy } } });
  });

  afterAll(async () => {
    await postfix?.stop();
    server.close();
  });

  it("delivers what the policy server permits into the maildir that the test reads", async () => {
    action = "DUNNO";
    const mail = { from: "alice@example.net", to: ["bob@example.org"], subject: "permitted" };
    expect((await handIn(postfix.port("gate"), mail)).message).toMatch(/^250 2\.0\.0 Ok/);
    expect(await postfix.delivered("Subject: permitted")).toContain("From: <alice@example.net>");
  });

  it("refuses what it rejects, with its text", async () => {
    action = "REJECT 5.7.1 not today";
    const mail = { from: "alice@example.net", to: ["bob@example.org"], subject: "rejected" };
    const { rcpt } = await handIn(postfix.port("gate"), mail);
    expect(rcpt).toEqual(["554 5.7.1 <bob@example.org>: Recipient address rejected: not today"]);
  });

  it("relays for nobody", async () => {
    action = "OK";
    const mail = { from: "alice@example.net", to: ["bob@elsewhere.example"], subject: "relayed" };
    const { rcpt } = await handIn(postfix.port("gate"), mail);
    expect(rcpt).toEqual(["554 5.7.1 <bob@elsewhere.example>: Relay access denied"]);
  });
});
