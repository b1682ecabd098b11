/**
 * Mail through Postfix while the authorization service goes down, comes back and goes down: whoever was judged once is
 * judged the same in the outage, whoever was not gets the default, and each message fares as was decided.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Bridge, LOGGED, type LogLine, startBridge } from "../support/bridge.ts";
import { type Postfix, startPostfix } from "../support/postfix.ts";
import { isMissing } from "../support/requirement.ts";
import { type Answering, AuthorizationService } from "../support/service.ts";
import { SmtpSession } from "../support/smtp.ts";
import { freePort } from "../support/temporary.ts";

const MESSAGES = 1000;
const SENDERS = 50;
const SESSIONS = 5;
const DEFER = "DEFER 4.3.0 Authorization service unavailable, please try again later";

const MAPPING = {
  request: { method: "POST", json: { sender: "${sender}" } },
  response: [
    { when: "body.allowed == true", action: "DUNNO" },
    { when: "body.allowed == false", action: "REJECT 5.7.1 ${body.reason}" },
  ],
};

/** Every fourth is refused, each with words of its own. */
const isRefused = (sender: string) => Number(/\d+/.exec(sender)?.[0]) % 4 === 0;
const judging: Answering = ({ json }) => {
  const sender = String(json?.sender);
  return { body: isRefused(sender) ? { allowed: false, reason: `not ${sender}` } : { allowed: true } };
};
const judged = (sender: string) => (isRefused(sender) ? `REJECT 5.7.1 not ${sender}` : "DUNNO");

/** What a mail client is told of an action at RCPT. */
function replyTo(action: unknown): RegExp {
  if (action === "DUNNO") return /^250 2\.1\.5 Ok$/;
  const [, code, words] = /^(?:REJECT|DEFER) ([\d.]+) (.*)$/.exec(String(action)) ?? [];
  return new RegExp(
    `^${code?.startsWith("5") ? 554 : 450} ${code} <.*>: Recipient address rejected: ${words}$`,
  );
}

interface Phase {
  readonly name: string;
  /** How many of the senders send mail. */
  readonly senders: number;
  /** Whose decision was remembered or made before it. */
  readonly known: ReadonlySet<string>;
}

describe.skipIf(isMissing("postfix", "tests of remembered decisions with Postfix"))(
  "an outage, twice",
  () => {
    let service: AuthorizationService;
    let postfix: Postfix;
    let bridge: Bridge;

    beforeAll(async () => {
      service = await AuthorizationService.start(judging);
      const endpoint = `inet:127.0.0.1:${await freePort()}`;
      postfix = await startPostfix({
        smtpd: { gate: { smtpd_recipient_restrictions: `check_policy_service ${endpoint}` } },
      });
      bridge = await startBridge({
        config: {
          listen: [endpoint],
          services: {
            corp: {
              url: service.url,
              mapping: "./gate.yaml",
              timeout: "300ms",
              deadline: "600ms",
              breaker: { failure_rate: 50, minimum_calls: 10, window: "10s", open_for: "300ms" },
              cache: { store: "lmdb:./cache.lmdb", ttl: "400ms", stale_if_error: "1h" },
            },
          },
        },
        files: { "gate.yaml": MAPPING },
      });
    });

    afterAll(async () => {
      await bridge?.stop();
      await postfix?.stop();
      await service?.stop();
    });

    it("1,000 messages of 50 senders: each decision is right, and each message fares accordingly", async () => {
      const sessions: SmtpSession[] = [];
      for (let i = 0; i < SESSIONS; i++) {
        const { session } = await SmtpSession.open(postfix.port("gate"));
        await session.command("EHLO client.example.net");
        sessions.push(session);
      }
      /** By recipient, which is another one with each message. */
      const replies = new Map<string, string>();
      const phases = new Map<string, Phase>();
      const handedIn: string[] = [];

      const send = async (session: SmtpSession, number: number, phase: Phase) => {
        const sender = `s${(number * 7) % phase.senders}@example.net`;
        const recipient = `m${number}@example.org`;
        phases.set(recipient, phase);
        await session.command(`MAIL FROM:<${sender}>`);
        const reply = await session.command(`RCPT TO:<${recipient}>`);
        replies.set(recipient, reply);
        if (!reply.startsWith("250") || number % 10 !== 0) return session.command("RSET");
        expect(await session.command("DATA")).toMatch(/^354 /);
        expect(await session.message([`Subject: ${recipient}`, "", "Hello."])).toMatch(/^250 /);
        handedIn.push(recipient);
      };
      const sendAll = async (name: string, senders: number) => {
        const known = new Set(service.calls.map(({ json }) => String(json?.sender)));
        const phase = { name, senders, known };
        const first = replies.size;
        const share = MESSAGES / 4 / SESSIONS;
        await Promise.all(
          sessions.map(async (session, index) => {
            for (let i = 0; i < share; i++) await send(session, first + index * share + i, phase);
          }),
        );
      };

      await sendAll("up", 30);
      await service.stop();
      await sendAll("down", SENDERS);
      await service.start();
      await sendAll("up", 40);
      const answered = service.calls.length;
      // It accepts connections and says nothing; calls that it gets now are no answers.
      service.answering = () => new Promise(() => {});
      await sendAll("down", SENDERS);
      service.calls.length = answered;
      for (const session of sessions) await session.close();

      expect(replies.size).toBe(MESSAGES);
      await expect.poll(() => bridge.decisions().length, LOGGED).toBe(MESSAGES);
      const everAnswered = new Set(service.calls.map(({ json }) => String(json?.sender)));
      const counts: Record<string, number> = { upstream: 0, cache: 0, stale: 0, default: 0 };
      for (const decision of bridge.decisions()) {
        const phase = phases.get(String(decision.recipient));
        if (phase === undefined) throw new Error(`nobody wrote to ${String(decision.recipient)}`);
        check(decision, phase, everAnswered);
        counts[String(decision.source)] = (counts[String(decision.source)] ?? 0) + 1;
        expect(replies.get(String(decision.recipient))).toMatch(replyTo(decision.action));
      }
      for (const count of Object.values(counts)) expect(count).toBeGreaterThan(10);
      for (const recipient of handedIn) await postfix.delivered(`Subject: ${recipient}`);
      expect(handedIn.length).toBeGreaterThan(20);
    }, 60_000);

    function check(decision: LogLine, { name, known }: Phase, everAnswered: ReadonlySet<string>): void {
      const sender = String(decision.sender);
      expect(decision.ms, "no later than the deadline, and some for a busy machine").toBeLessThan(1_000);
      switch (decision.source) {
        case "upstream":
          expect(name).toBe("up");
          expect(decision.action).toBe(judged(sender));
          break;
        case "cache":
        case "stale":
          expect(name === "down" ? known : everAnswered).toContain(sender);
          expect(decision.action).toBe(judged(sender));
          expect(decision.age).toBeLessThan(60);
          expect(decision.cause === undefined).toBe(decision.source === "cache");
          break;
        default:
          expect(decision).toMatchObject({ source: "default", action: DEFER });
          expect(decision.cause).toMatch(/^(unreachable|timeout|circuit_open)$/);
          expect(known).not.toContain(sender);
      }
    }
  },
);
