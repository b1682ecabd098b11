/**
 * One way to a syslog server, once it is open: datagrams over a unix socket or UDP (RFC 5426), or a stream of counted
 * messages over TCP (RFC 6587 §3.4.1) or TLS (RFC 5425). Nothing here waits longer than it says; what fails ends the channel.
 */
import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { connect, isIPv6, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { openUnixDatagrams } from "../unix-datagrams.ts";
import type { SyslogPlace, SyslogTls } from "./target.ts";

export interface Channel {
  /** Messages that are sent together at most. */
  readonly together: number;
  /** Milliseconds after which it can be said that it works: refusals come late. */
  readonly settles: number;
  /**
   * Sends messages, in order.
   *
   * @param done told how many are gone, once the system has them; that one of them is too long for it; and why the rest
   * could not be sent
   */
  send(messages: readonly Buffer[], done: (outcome: Sent) => void): void;
  /** What is on its way is sent. */
  close(): void;
}

export interface Sent {
  readonly sent: number;
  /** The message behind those was refused as too long. */
  readonly tooLong?: boolean;
  /** The channel is of no use any more. */
  readonly problem?: string;
}

/** Until a connection must be there, in milliseconds. */
const CONNECT_TIME = 5000;
/** That the network may take with what it was given, in milliseconds. */
const SEND_TIME = 10_000;
const TOGETHER = 64;
/** A certificate that is refused, or an ICMP message, comes after what was sent. */
const SETTLES = 1000;

/**
 * Opens it.
 *
 * @param onLost told once when it is gone by itself
 * @throws Error why it cannot be opened
 */
export function openChannel(place: SyslogPlace, onLost: (problem: string) => void): Promise<Channel> {
  switch (place.kind) {
    case "unix":
      return openUnix(place.path, onLost);
    case "udp":
      return openUdp(place.host, place.port, onLost);
    case "tcp":
      return openStream(connect({ host: place.host, port: place.port }), "connect", onLost);
    case "tls":
      return openStream(connectTls(tlsOptions(place.host, place.port, place.tls)), "secureConnect", onLost);
  }
}

async function openUnix(path: string, onLost: (problem: string) => void): Promise<Channel> {
  const socket = await openUnixDatagrams(onLost);
  if ("problem" in socket) throw new Error(socket.problem);
  return {
    together: TOGETHER,
    settles: 0,
    send: oneByOne((message, told) => socket.send(message, path, told)),
    close: () => socket.close(),
  };
}

async function openUdp(host: string, port: number, onLost: (problem: string) => void): Promise<Channel> {
  const { address } = await lookup(host);
  const socket = createSocket(isIPv6(address) ? "udp6" : "udp4");
  socket.unref();
  // A connected one is told when nobody listens (ICMP).
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.connect(port, address, () => {
      socket.off("error", reject);
      resolve();
    });
  });
  socket.on("error", (error) => onLost(error.message));
  return {
    together: TOGETHER,
    settles: SETTLES,
    send: oneByOne((message, told) => socket.send(message, (error) => told(error?.message))),
    close: () => socket.close(),
  };
}

/** EMSGSIZE, in the words of the system and in Node's. */
const TOO_LONG = /too long|EMSGSIZE/i;

function oneByOne(send: (message: Buffer, told: (problem?: string) => void) => void): Channel["send"] {
  return (messages, done) => {
    let sent = 0;
    const next = (): void => {
      const message = messages[sent];
      if (message === undefined) done({ sent });
      else send(message, onSent);
    };
    const onSent = (problem?: string): void => {
      if (problem === undefined) {
        sent++;
        next();
      } else if (TOO_LONG.test(problem)) done({ sent, tooLong: true });
      else done({ sent, problem });
    };
    next();
  };
}

function tlsOptions(host: string, port: number, { ca, cert, key, serverName }: SyslogTls) {
  const servername = serverName ?? host;
  return {
    host,
    port,
    // An address is no name to ask for (RFC 6066 §3); it is looked for in the certificate all the same.
    ...(/[^\d.]/.test(servername) && !servername.includes(":") && { servername }),
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key: key.reveal() }),
    minVersion: "TLSv1.2" as const,
    // Said outright: NODE_TLS_REJECT_UNAUTHORIZED=0 turns nothing off.
    rejectUnauthorized: true,
  };
}

function openStream(
  socket: Socket,
  opened: "connect" | "secureConnect",
  onLost: (problem: string) => void,
): Promise<Channel> {
  socket.unref();
  socket.setKeepAlive(true, 60_000);
  return new Promise((resolve, reject) => {
    let problem = "the connection was closed";
    const timer = setTimeout(() => {
      problem = `no connection within ${CONNECT_TIME / 1000} s`;
      socket.destroy();
    }, CONNECT_TIME).unref();
    socket.on("error", (error) => {
      problem = error.message;
    });
    socket.once("close", () => {
      clearTimeout(timer);
      reject(new Error(problem));
      onLost(problem);
    });
    // A server has nothing to say; its end of the stream is the end of the channel.
    socket.on("end", () => socket.destroy());
    socket.resume();
    socket.once(opened, () => {
      clearTimeout(timer);
      resolve(streamOf(socket));
    });
  });
}

function streamOf(socket: Socket): Channel {
  return {
    together: 4 * TOGETHER,
    settles: SETTLES,
    send: (messages, done) => {
      const stuck = setTimeout(() => {
        socket.destroy(new Error(`nothing was taken for ${SEND_TIME / 1000} s`));
      }, SEND_TIME).unref();
      socket.write(Buffer.concat(messages.flatMap(counted)), (error) => {
        clearTimeout(stuck);
        // How much of it arrived nobody knows: twice is better than not at all.
        done(error ? { sent: 0, problem: error.message } : { sent: messages.length });
      });
    },
    close: () => socket.end(),
  };
}

/** MSG-LEN SP SYSLOG-MSG */
function counted(message: Buffer): Buffer[] {
  return [Buffer.from(`${message.length} `), message];
}
