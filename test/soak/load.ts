/**
 * The mail that comes: smtpd processes, each with one message after another, RCPT for each recipient and DATA for those
 * that were accepted. Half of the senders come again and again, so that they are remembered, the others once.
 */
import { formatRequest } from "../support/policy-client.ts";
import { type Outcome, type PolicyConnection, Smtpd } from "./smtpd.ts";
import type { Call } from "./truth.ts";

/** A request and what became of it. */
export interface Asked extends Outcome {
  readonly call: Call;
  /** With state and recipient it names the request. */
  readonly instance: string;
  /** A recipient was accepted over another connection: the bridge cannot know of all. */
  readonly scattered: boolean;
}

export const REGULARS = 100;
export const regular = (number: number) => `regular${number}@example.net`;

/** Processes that ask, and of these how many have a new connection for each message. */
const PROCESSES = 40;
const SHORT_LIVED = 15;
/** Mean time between two requests, in milliseconds. */
const THINKING = 100;
/** A part of the messages of regulars is from those who were forgotten last. */
const FORGOTTEN = 0.2;
const REGULAR_PART = 0.6;
const VRFY_PART = 0.05;

export class Load {
  readonly asked: Asked[] = [];
  readonly connections: PolicyConnection[] = [];
  readonly #port: number;
  readonly #forgotten: () => readonly string[];
  readonly #busy = new Set<Promise<void>>();
  #running = true;
  #messages = 0;

  /** @param forgotten senders of whom more should come now */
  constructor(port: number, forgotten: () => readonly string[]) {
    this.#port = port;
    this.#forgotten = forgotten;
  }

  start(): void {
    for (let number = 0; number < PROCESSES; number++) this.#begin(this.#process(number < SHORT_LIVED));
  }

  /** So many clients come at this moment, each over a new connection with one message. */
  rush(count: number): void {
    for (let number = 0; number < count; number++) {
      const smtpd = this.#smtpd();
      this.#begin(this.#message(smtpd, false).finally(() => smtpd.end()));
    }
  }

  /** Resolves when what has begun is over, and no connection is open. */
  async stop(): Promise<void> {
    this.#running = false;
    while (this.#busy.size > 0) await Promise.all(this.#busy);
  }

  #begin(work: Promise<void>): void {
    this.#busy.add(work);
    void work.finally(() => this.#busy.delete(work));
  }

  #smtpd(): Smtpd {
    return new Smtpd(this.#port, (connection) => this.connections.push(connection));
  }

  async #process(isShortLived: boolean): Promise<void> {
    const smtpd = this.#smtpd();
    while (this.#running) {
      await this.#message(smtpd, true);
      if (isShortLived) smtpd.end();
      else smtpd.idle();
      await this.#think();
    }
    smtpd.end();
  }

  async #message(smtpd: Smtpd, thinks: boolean): Promise<void> {
    const instance = `soak.${process.pid}.${++this.#messages}`;
    const { sender, user, recipients } = this.#envelope();
    const acceptedBy: (PolicyConnection | undefined)[] = [];
    const ask = async (call: Call) => {
      const outcome = await smtpd.ask(formatRequest(attributesOf(call, instance)));
      const connection = outcome.tries.at(-1)?.connection;
      const scattered = call.state === "DATA" && acceptedBy.some((other) => other !== connection);
      this.asked.push({ ...outcome, call, instance, scattered });
      if (thinks) await this.#think();
      return { ...outcome, connection };
    };
    const call = { user, sender, recipient: "", recipients: [], count: 0 };
    if (Math.random() < VRFY_PART) await ask({ ...call, state: "VRFY" });
    const accepted: string[] = [];
    for (const recipient of recipients) {
      const { action, connection } = await ask({
        ...call,
        state: "RCPT",
        recipient,
        recipients: [recipient],
      });
      if (action === null || /^(REJECT|DEFER)/.test(action)) continue;
      accepted.push(recipient);
      acceptedBy.push(connection);
    }
    if (accepted.length > 0) {
      const recipient = accepted.length === 1 ? accepted[0]! : "";
      await ask({ ...call, state: "DATA", recipient, recipients: accepted, count: accepted.length });
    }
  }

  #envelope(): { sender: string; user: string; recipients: string[] } {
    if (Math.random() >= REGULAR_PART) {
      const sender = `once${this.#messages}@example.net`;
      const recipients = Array.from(
        { length: among(4) + 1 },
        (_, n) => `to${n}.${this.#messages}@example.org`,
      );
      return { sender, user: "", recipients };
    }
    const forgotten = this.#forgotten();
    const sender =
      forgotten.length > 0 && Math.random() < FORGOTTEN
        ? forgotten[among(forgotten.length)]!
        : regular(among(REGULARS));
    const all = [1, 2, 3].map((n) => `to${n}.of.${sender.split("@")[0]}@example.org`);
    const recipients = all.filter(() => Math.random() < 0.6);
    return { sender, user: sender.split("@")[0]!, recipients: recipients.length > 0 ? recipients : all };
  }

  #think(): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, Math.random() * 2 * THINKING));
  }
}

/** As smtpd sends them (SMTPD_POLICY_README). */
function attributesOf(call: Call, instance: string): Readonly<Record<string, string>> {
  const { state, user, sender, recipient, count } = call;
  return {
    request: "smtpd_access_policy",
    protocol_state: state,
    protocol_name: "ESMTP",
    helo_name: "mail.example.net",
    queue_id: "",
    sender,
    recipient,
    recipient_count: String(count),
    client_address: "192.0.2.17",
    client_name: "mail.example.net",
    reverse_client_name: "mail.example.net",
    instance,
    sasl_method: user === "" ? "" : "PLAIN",
    sasl_username: user,
    sasl_sender: "",
    size: "12345",
    client_port: "50123",
    policy_context: "",
    server_address: "192.0.2.25",
    server_port: "25",
  };
}

function among(count: number): number {
  return Math.floor(Math.random() * count);
}
