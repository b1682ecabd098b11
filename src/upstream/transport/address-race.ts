/**
 * A connection to the first of several addresses that takes one (RFC 8305, "Happy Eyeballs").
 *
 * The next address is tried when the one before has failed, or has not connected for a while; that goes on all the same, and
 * whichever connects first is used, the others are ended. How long all of it may take is for the caller to say, who ends it.
 *
 * That time may be too short for all of many addresses: those that have lately not connected are tried after the others,
 * so that the next race gets further.
 */
import net, { isIPv4 } from "node:net";
import { networkInterfaces } from "node:os";
import { ownTrouble } from "./errors.ts";

/** Milliseconds before the next address is tried (RFC 8305 §5). Its 250 ms is less than some connections take. */
const DELAY = 400;
const KEEPALIVE_PROBE = 60_000;

/** When an address and port last did not connect, by `performance.now()`. */
const failures = new Map<string, number>();
/** So long it counts, in milliseconds: then the order is the name servers' again. */
const FAILURE_COUNTS = 60_000;
/** More than are in use; beyond, all is forgotten. */
const MOST_FAILURES = 1000;

type Outcome = [error: null, socket: net.Socket] | [error: Error, socket: null];

export class AddressRace {
  readonly #port: number;
  readonly #done: (...outcome: Outcome) => void;
  /** In the order in which they are tried. */
  readonly #waiting: string[] = [];
  readonly #seen = new Set<string>();
  /** Those under way, and since when. */
  readonly #running = new Map<net.Socket, { readonly address: string; readonly since: number }>();
  readonly #errors: Error[] = [];
  #timer: NodeJS.Timeout | undefined;
  #started = false;
  #ended = false;

  /** @param done called once, unless it is ended before */
  constructor(port: number, done: (...outcome: Outcome) => void) {
    this.#port = port;
    this.#done = done;
  }

  /** Adds addresses; those that are there already are left where they are. */
  add(addresses: readonly string[]): void {
    if (this.#ended) return;
    const added = addresses.filter((address) => !this.#seen.has(address));
    for (const address of added) this.#seen.add(address);
    const well = added.filter((address) => this.#failedAt(address) === 0);
    const others = added.filter((address) => this.#failedAt(address) > 0);
    others.sort((a, b) => this.#failedAt(a) - this.#failedAt(b));
    this.#waiting.push(...interleaved(well), ...interleaved(others));
    if (this.#started && this.#timer === undefined) this.#next();
  }

  /** The first addresses are there: it begins. */
  begin(): void {
    this.#started = true;
    this.#next();
  }

  /** Ends it, and all that is under way. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    const now = performance.now();
    for (const [socket, { address, since }] of this.#running) {
      socket.destroy();
      if (now - since >= DELAY) this.#failed(address);
    }
    this.#running.clear();
  }

  #failed(address: string): void {
    if (failures.size >= MOST_FAILURES) failures.clear();
    failures.set(this.#key(address), performance.now());
  }

  /** 0 where it has not, lately. */
  #failedAt(address: string): number {
    const at = failures.get(this.#key(address)) ?? 0;
    return performance.now() - at < FAILURE_COUNTS ? at : 0;
  }

  #key(address: string): string {
    return `${address} ${this.#port}`;
  }

  #next(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const address = this.#waiting.shift();
    if (address !== undefined) {
      this.#try(address);
      // Also for those that become known later.
      if (!this.#ended && this.#timer === undefined) this.#timer = setTimeout(() => this.#next(), DELAY);
    } else if (this.#running.size === 0) {
      this.end();
      this.#done(this.#error(), null);
    }
  }

  #try(address: string): void {
    const socket = net.connect({
      host: address,
      port: this.#port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEPALIVE_PROBE,
    });
    this.#running.set(socket, { address, since: performance.now() });
    const onError = (error: Error) => {
      this.#running.delete(socket);
      if (this.#ended) return;
      this.#failed(address);
      this.#errors.push(lacksFamily(error, address) ? noRoute(error) : error);
      this.#next();
    };
    socket.on("error", onError);
    socket.once("connect", () => {
      if (this.#ended) return;
      // Whoever gets it listens by himself, but perhaps not to its last moment.
      socket.off("error", onError).on("error", () => {});
      this.#running.delete(socket);
      failures.delete(this.#key(address));
      this.end();
      this.#done(null, socket);
    });
  }

  /** What stands for all that went wrong: this machine's own trouble, or what a service was there to say. */
  #error(): Error {
    return (
      this.#errors.find((error) => ownTrouble(error) !== null) ??
      this.#errors.find((error) => !NO_ROUTE.has(codeOf(error))) ??
      this.#errors[0] ??
      new Error("there is no address to connect to")
    );
  }
}

const NO_ROUTE: ReadonlySet<string> = new Set(["ENETUNREACH", "EHOSTUNREACH"]);

/** By turns of one family and of the other, beginning with the first one's (RFC 8305 §4). */
function interleaved(addresses: readonly string[]): string[] {
  const [first] = addresses;
  if (first === undefined) return [];
  const ofFirst = addresses.filter((address) => isIPv4(address) === isIPv4(first));
  const ofOther = addresses.filter((address) => isIPv4(address) !== isIPv4(first));
  return Array.from({ length: Math.max(ofFirst.length, ofOther.length) }, (_, index) => [
    ...ofFirst.slice(index, index + 1),
    ...ofOther.slice(index, index + 1),
  ]).flat();
}

/** A machine without IPv6 says of it what it says when there is no port left. */
function lacksFamily(error: Error, address: string): boolean {
  if (codeOf(error) !== "EADDRNOTAVAIL" || isIPv4(address)) return false;
  return !Object.values(networkInterfaces()).some((all) => all?.some(({ family }) => family === "IPv6"));
}

function noRoute({ message }: Error): Error {
  return Object.assign(new Error(message), { code: "ENETUNREACH" });
}

function codeOf(error: Error): string {
  return String((error as NodeJS.ErrnoException).code ?? "");
}
