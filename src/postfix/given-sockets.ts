/**
 * Sockets that the service manager has bound and hands over (sd_listen_fds(3)): used in place of binding, so that
 * connections wait, and none is refused, while the bridge is started again.
 *
 * Each belongs to one endpoint of the configuration, by its address or by its name (FileDescriptorName=). One that belongs
 * to none is a problem that says which came and which are configured: Postfix would ask there, and nobody would answer.
 */
import { readFileSync, readlinkSync } from "node:fs";
import { isIPv6 } from "node:net";
import { type Endpoint, formatEndpoint, parseEndpoint } from "./endpoint.ts";

/** An endpoint of the configuration, and what it is called there. */
export interface Wanted {
  readonly endpoint: Endpoint;
  readonly name: string;
}

export interface GivenSocket {
  readonly descriptor: number;
  readonly name: string;
  /** Where it listens; undefined where the system does not tell. */
  readonly endpoint: Endpoint | undefined;
}

/** Descriptors are handed over from this one on. */
const FIRST = 3;
/** No unit hands over more. */
const MOST = 1024;
const VARIABLES = ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "LISTEN_PIDFDID"];
const LISTENING = "0A";
const ACCEPTING_UNIX = 0x10000;

export class GivenSockets {
  readonly #sockets: readonly GivenSocket[];
  /** By endpoint of the configuration. */
  readonly #assigned = new Map<string, GivenSocket>();

  constructor(sockets: readonly GivenSocket[]) {
    this.#sockets = sockets;
  }

  /** Those that are meant for this process. Takes the variables out of `env`: they are not meant for what it starts. */
  static fromEnvironment(env: NodeJS.ProcessEnv, pid: number): GivenSockets {
    const { LISTEN_FDS = "", LISTEN_PID = "", LISTEN_FDNAMES = "" } = env;
    for (const variable of VARIABLES) delete env[variable];
    if (Number(LISTEN_PID) !== pid || !/^\d+$/.test(LISTEN_FDS)) return new GivenSockets([]);
    const names = LISTEN_FDNAMES.split(":");
    return new GivenSockets(
      Array.from({ length: Math.min(Number(LISTEN_FDS), MOST) }, (_, index) => ({
        descriptor: FIRST + index,
        name: names[index] || "unknown",
        endpoint: listeningAt(FIRST + index),
      })),
    );
  }

  /**
   * Says which endpoint each socket is for: by address first, then by name.
   *
   * @returns a problem where one belongs to none, else undefined
   */
  assign(wanted: readonly Wanted[]): string | undefined {
    this.#assigned.clear();
    const left = new Set(this.#sockets);
    const give = (fits: (socket: GivenSocket, one: Wanted) => boolean) => {
      for (const one of wanted) {
        const key = formatEndpoint(one.endpoint);
        const socket = this.#assigned.has(key) ? undefined : [...left].find((given) => fits(given, one));
        if (socket === undefined) continue;
        this.#assigned.set(key, socket);
        left.delete(socket);
      }
    };
    give(({ endpoint }, one) => endpoint !== undefined && isSame(endpoint, one.endpoint));
    give(({ name }, one) => name === one.name);
    if (left.size === 0) return undefined;
    const configured = wanted.map(({ endpoint, name }) => told(name, formatEndpoint(endpoint)));
    return (
      `systemd hands over ${[...left].map(toldSocket).join(", ")}, which the configuration does not name; ` +
      `it names ${configured.join(", ") || "no endpoint"}. Let the address of ListenStream= stand under listen, ` +
      "or give the socket unit FileDescriptorName= with the name of an entry there, or take it out of the unit"
    );
  }

  /** The socket to be used for an endpoint of the configuration; given out once. */
  take(endpoint: Endpoint): GivenSocket | undefined {
    const key = formatEndpoint(endpoint);
    const socket = this.#assigned.get(key);
    this.#assigned.delete(key);
    return socket;
  }
}

/** Those of this process. */
export const givenSockets = GivenSockets.fromEnvironment(process.env, process.pid);

function toldSocket({ name, endpoint }: GivenSocket): string {
  return told(name, endpoint === undefined ? "no listening stream socket" : formatEndpoint(endpoint));
}

/** Without a name of its own an endpoint is called as it was written. */
function told(name: string, where: string): string {
  return !("problem" in parseEndpoint(name)) ? where : `"${name}" (${where})`;
}

function isSame(given: Endpoint, wanted: Endpoint): boolean {
  if (given.kind === "unix" || wanted.kind === "unix")
    return formatEndpoint(given) === formatEndpoint(wanted);
  if (given.port !== wanted.port) return false;
  if (wanted.host === "localhost") return given.host === "127.0.0.1" || given.host === "::1";
  return given.host === canonical(wanted.host);
}

/** `::1` for `0:0::1`. */
function canonical(host: string): string {
  return isIPv6(host) ? new URL(`http://[${host}]`).hostname.slice(1, -1) : host;
}

/** Where a descriptor listens, by the kernel's tables (proc(5)): Node.js would have to accept first. */
function listeningAt(descriptor: number): Endpoint | undefined {
  try {
    const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${descriptor}`))?.[1];
    if (inode === undefined) return undefined;
    return inetOf("tcp", inode) ?? inetOf("tcp6", inode) ?? unixOf(inode);
  } catch {
    return undefined;
  }
}

function table(name: string): readonly string[][] {
  return readFileSync(`/proc/self/net/${name}`, "utf8")
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/));
}

function inetOf(name: "tcp" | "tcp6", inode: string): Endpoint | undefined {
  // sl, local address, remote address, state, queues, timer, retransmits, user, timeout, inode
  const local = table(name).find((row) => row[3] === LISTENING && row[9] === inode)?.[1];
  const [address, port] = local?.split(":") ?? [];
  if (address === undefined || port === undefined) return undefined;
  // Words of 32 bits in the order of this machine; those that Node.js 20 runs on are little-endian.
  const bytes = Buffer.from(address, "hex").swap32();
  const host =
    name === "tcp"
      ? bytes.join(".")
      : canonical(Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(2 * at).toString(16)).join(":"));
  return { kind: "inet", host, port: Number.parseInt(port, 16) };
}

function unixOf(inode: string): Endpoint | undefined {
  // number, references, protocol, flags, type, state, inode, path
  const row = table("unix").find((fields) => fields[6] === inode);
  const [, , , flags = "0", , , , ...path] = row ?? [];
  if ((Number.parseInt(flags, 16) & ACCEPTING_UNIX) === 0 || path.length === 0) return undefined;
  return { kind: "unix", path: path.join(" ") };
}
