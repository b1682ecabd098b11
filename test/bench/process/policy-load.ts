/**
 * Load on a policy service: policy requests over many connections, one at a time on each, every one from another
 * sender. A process of its own, and as cheap as Node allows, so that it is not what is measured: each connection has
 * its request laid out beforehand and only the sender's digits are changed in it.
 */
import type { Socket } from "node:net";
import type { Measured, PolicyLoad } from "../measurement.ts";
import { busiest, processorTimes, residentMemory } from "../usage.ts";
import { answerJobs } from "./jobs.ts";
import { connect, requestOf } from "./policy-socket.ts";
import { Run } from "./run.ts";

/** Senders differ from those of earlier measurements, too. */
let asked = 0;

class Client {
  readonly socket: Socket;
  readonly #run: Run<Client>;
  readonly #senders: number;
  readonly #request = requestOf();
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
    this.socket.write(this.#request.from(sender));
  }

  #onData(chunk: Buffer, length: number): void {
    this.#received += chunk.toString("latin1", 0, length);
    if (!this.#received.endsWith("\n\n")) return;
    const reply = this.#received;
    this.#received = "";
    this.#run.end(this, this.#startedAt, reply);
  }
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
