/** SIGHUP while mail flows: the new mapping takes effect, and no message is lost, doubled or refused. */
import { createTransport } from "nodemailer";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type Bridge, type LogLine, startBridge } from "../support/bridge.ts";
import { type Postfix, startPostfix } from "../support/postfix.ts";
import { isMissing } from "../support/requirement.ts";
import { AuthorizationService } from "../support/service.ts";
import { freePort } from "../support/temporary.ts";

const CLIENTS = 4;
/** Far more than the reloads need; a bound in case one of them never takes effect. */
const MESSAGES_AT_MOST = 2000;

/** A mapping that marks each message with the generation of the configuration that decided on it. */
function generation(number: number) {
  return {
    request: { method: "POST", json: { sender: "${sender}" } },
    response: [{ when: "body.allowed", action: `PREPEND X-Generation: ${number}` }],
  };
}

describe.skipIf(isMissing("postfix", "tests of a reload with Postfix"))("a reload under mail traffic", () => {
  let service: AuthorizationService;
  let postfix: Postfix;
  let bridge: Bridge;

  beforeAll(async () => {
    service = await AuthorizationService.start(async () => {
      // Long enough for a reload to find decisions in flight.
      await new Promise((resolve) => setTimeout(resolve, 20));
      return { body: { allowed: true } };
    });
    const endpoint = `inet:127.0.0.1:${await freePort()}`;
    postfix = await startPostfix({
      smtpd: { gate: { smtpd_recipient_restrictions: `check_policy_service ${endpoint}` } },
    });
    bridge = await startBridge({
      config: { listen: [endpoint], services: { corp: { url: service.url, mapping: "./gate.yaml" } } },
      files: { "gate.yaml": generation(1) },
    });
  });

  afterAll(async () => {
    await bridge?.stop();
    await postfix?.stop();
    await service?.stop();
  });

  it("loses and refuses nothing, with valid and with invalid mappings", { timeout: 60_000 }, async () => {
    const transport = createTransport({
      host: "127.0.0.1",
      port: postfix.port("gate"),
      ignoreTLS: true,
      pool: true,
      maxConnections: CLIENTS,
      maxMessages: Number.POSITIVE_INFINITY,
    });
    let sending = true;
    let sent = 0;
    const refusals: string[] = [];
    const client = async () => {
      while (sending && sent < MESSAGES_AT_MOST) {
        sent += 1;
        const message = {
          from: "alice@example.net",
          to: "bob@example.org",
          subject: `Message ${sent}.`,
          text: "Hello.",
        };
        await transport.sendMail(message).catch((error) => refusals.push(String(error)));
      }
    };
    const clients = Array.from({ length: CLIENTS }, client);

    let seen = 0;
    /** Waits for a log line with these fields, after the one that was waited for last. */
    const logged = async (fields: LogLine) => {
      const next = () =>
        bridge
          .log()
          .findIndex((line, n) => n >= seen && Object.keys(fields).every((key) => line[key] === fields[key]));
      await vi.waitFor(() => expect(next(), `a log line with ${JSON.stringify(fields)}`).not.toBe(-1), {
        timeout: 10_000,
        interval: 10,
      });
      seen = next() + 1;
    };
    await logged({ action: "PREPEND X-Generation: 1" });
    for (const number of [2, 3, 4]) {
      await bridge.write("gate.yaml", generation(number));
      bridge.reload();
      await logged({ action: `PREPEND X-Generation: ${number}` });

      await bridge.write("gate.yaml", "response: [\n");
      bridge.reload();
      await logged({ level: "error", file: bridge.path("gate.yaml"), line: 2, column: 1 });
      await logged({ action: `PREPEND X-Generation: ${number}` });
    }
    sending = false;
    await Promise.all(clients);
    transport.close();

    expect(refusals).toEqual([]);
    expect(sent).toBeLessThan(MESSAGES_AT_MOST);
    const messages = await vi.waitFor(
      async () => {
        const delivered = await postfix.messages();
        expect(delivered.length).toBeGreaterThanOrEqual(sent);
        return delivered;
      },
      { timeout: 20_000, interval: 100 },
    );
    const subjects = messages.map((message) => /^Subject: (.*)$/m.exec(message)?.[1]);
    expect(new Set(subjects).size).toBe(sent);
    expect(messages.length).toBe(sent);
    for (const message of messages) expect(message.match(/^X-Generation: [1-4]$/gm)).toHaveLength(1);
    expect(await postfix.log()).not.toMatch(/warning: .*(access policy|127\.0\.0\.1:\d+)/i);
  });
});
