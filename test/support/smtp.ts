/**
 * An SMTP client that shows every reply as the server gave it, for tests of what a mail client sees.
 * Waits at most 20 s for a reply; a connection that the server closes rejects what is waiting.
 */
import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { createInterface } from "node:readline";

const REPLY_TIMEOUT = 20_000;

/** A reply (RFC 5321 §4.2), the lines of a longer one joined with a line break; as in `250 2.1.0 Ok`. */
export type Reply = string;

export class SmtpSession {
  readonly #socket: Socket;
  readonly #lines: AsyncIterator<string>;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#lines = createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY })[
      Symbol.asyncIterator
    ]();
  }

  /** Connects to 127.0.0.1; `greeting` is what the server says first. */
  static async open(port: number): Promise<{ session: SmtpSession; greeting: Reply }> {
    const socket = createConnection({ host: "127.0.0.1", port });
    await once(socket, "connect");
    socket.on("error", () => socket.destroy());
    socket.setTimeout(REPLY_TIMEOUT, () => socket.destroy());
    const session = new SmtpSession(socket);
    return { session, greeting: await session.#reply() };
  }

  /** Sends one line and gives the reply to it. */
  async command(line: string): Promise<Reply> {
    this.#socket.write(`${line}\r\n`);
    return this.#reply();
  }

  /** Sends a message after DATA was accepted: header lines, an empty line, the body. */
  async message(lines: readonly string[]): Promise<Reply> {
    return this.command([...lines, "."].join("\r\n"));
  }

  async close(): Promise<void> {
    if (this.#socket.destroyed) return;
    this.#socket.end("QUIT\r\n");
    await once(this.#socket, "close");
  }

  async #reply(): Promise<Reply> {
    const lines: string[] = [];
    for (;;) {
      const { done, value } = await this.#lines.next();
      if (done) throw new Error(`the SMTP server closed the connection after "${lines.join("\n")}"`);
      lines.push(value);
      if (value[3] !== "-") return lines.join("\n");
    }
  }
}

export interface Mail {
  readonly from: string;
  readonly to: readonly string[];
  /** Put into the message as its subject. */
  readonly subject: string;
}

/** The replies of one SMTP transaction; what came after a refusal is absent. */
export interface Replies {
  readonly mail: Reply;
  readonly rcpt: readonly Reply[];
  readonly data?: Reply;
  readonly message?: Reply;
}

/** Hands one message in, as a mail client would, in a session of its own. */
export async function handIn(port: number, mail: Mail): Promise<Replies> {
  const { session } = await SmtpSession.open(port);
  try {
    await session.command("EHLO client.example.net");
    return await transaction(session, mail);
  } finally {
    await session.close();
  }
}

async function transaction(session: SmtpSession, { from, to, subject }: Mail): Promise<Replies> {
  const mail = await session.command(`MAIL FROM:<${from}>`);
  if (!isAccepted(mail)) return { mail, rcpt: [] };
  const rcpt: Reply[] = [];
  for (const address of to) rcpt.push(await session.command(`RCPT TO:<${address}>`));
  if (!rcpt.some(isAccepted)) return { mail, rcpt };
  const data = await session.command("DATA");
  if (!data.startsWith("354")) return { mail, rcpt, data };
  const headers = [`From: <${from}>`, `To: ${to.join(", ")}`, `Subject: ${subject}`];
  return { mail, rcpt, data, message: await session.message([...headers, "", "Hello."]) };
}

function isAccepted(reply: Reply): boolean {
  return reply.startsWith("2");
}
