/**
 * Load on a policy service: policy requests over many connections, one at a time on each, every one from another
 * sender. A process of its own, and as cheap as Node allows, so that it is not what is measured: each connection has
 * its request laid out beforehand and only the sender's digits are changed in it.
 */
import { createConnection, type Socket } from "node:net";
import type { Measured, PolicyLoad } from "../measurement.ts";
import { busiest, processorTimes, residentMemory } from "../usage.ts";
import { answerJobs } from "./jobs.ts";
import { Run } from "./run.ts";

const DIGITS = 10;
const BEFORE_DIGITS =
  "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\nhelo_name=mail.example.net\nqueue_id=\nsender=u";
const AFTER_DIGITS = `@example.net
recipient=someone@example.org
recipient_count=0
client_address=192.0.2.17
client_name=mail.example.net
reverse_client_name=mail.example.net
instance=1f3a.66b1c5d2.8a3f2.0
sasl_method=
sasl_username=
sasl_sender=
size=12345
ccert_subject=
ccert_issuer=
ccert_fingerprint=
ccert_pubkey_fingerprint=
encryption_protocol=TLSv1.3
encryption_cipher=TLS_AES_256_GCM_SHA384
encryption_keysize=256
etrn_domain=
stress=
client_port=50123
policy_context=
server_address=192.0.2.25
server_port=25
compatibility_level=3.6
mail_version=3.7.11

`;

/** Senders differ from those of earlier measurements, too. */
let asked = 0;

class Client {
  readonly socket: Socket;
  readonly #run: Run<Client>;
  readonly #senders: number;
  readonly #request = Buffer.from(BEFORE_DIGITS + "0".repeat(DIGITS) + AFTER_DIGITS, "latin1");
  #startedAt = 0;
  #received = "";

  constructor(load: PolicyLoad, run: Run<Client>) {
    this.#run = run;
    this.#senders = load.senders ?? Number.POSITIVE_INFINITY;
    this.socket = connect(load.port, (chunk, length) => this.#onData(chunk, length));
    this.socket.on("close", () => run.lose(this));
  }

  start(arrivedAt: number): void {
    this.#startedAt = arrivedAt;
    let sender = asked++;
    if (sender >= this.#senders) sender %= this.#senders;
    for (let at = BEFORE_DIGITS.length + DIGITS - 1; at >= BEFORE_DIGITS.length; at--) {
      this.#request[at] = 48 + (sender % 10);
      sender = Math.floor(sender / 10);
    }
    this.socket.write(this.#request);
  }

  #onData(chunk: Buffer, length: number): void {
    this.#received += chunk.toString("latin1", 0, length);
    if (!this.#received.endsWith("\n\n")) return;
    const reply = this.#received;
    this.#received = "";
    this.#run.end(this, this.#startedAt, reply);
  }
}

const receiving = Buffer.allocUnsafe(64 * 1024);

/** Nothing is allocated for what comes in: all connections read into one buffer. */
function connect(port: number, onData: (chunk: Buffer, length: number) => void): Socket {
  const onread = {
    buffer: receiving,
    callback: (length: number, chunk: Uint8Array) => {
      onData(chunk as Buffer, length);
      return true;
    },
  };
  const socket = createConnection({ host: "127.0.0.1", port, noDelay: true, onread });
  socket.on("error", () => {});
  return socket;
}

async function measure(load: PolicyLoad): Promise<Measured> {
  const idle = await connectAll(load.idle ?? 0, () => connect(load.port, () => {}));
  const run = new Run<Client>(load, {
    processorTimes: () => processorTimes(load.pid),
    busiest,
    memory: () => residentMemory(load.pid),
  });
  const clients: Client[] = [];
  await connectAll(load.connections, () => {
    const client = new Client(load, run);
    clients.push(client);
    return client.socket;
  });
  const measured = await run.measure(clients);
  for (const socket of [...idle, ...clients.map(({ socket }) => socket)]) socket.destroy();
  return measured;
}

/** A few at a time, so that no backlog overflows. */
async function connectAll(count: number, open: () => Socket): Promise<Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < count) {
    const some = Array.from({ length: Math.min(100, count - sockets.length) }, open);
    await Promise.all(some.map((socket) => new Promise((resolve) => socket.once("connect", resolve))));
    sockets.push(...some);
  }
  return sockets;
}

answerJobs(measure);
