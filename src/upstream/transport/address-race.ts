/**
 * A connection to the first of several addresses that takes one (RFC 8305, "Happy Eyeballs").
 *
 * The next address is tried when the one before has failed, or has not connected for a while; that goes on all the same, and
 * whichever connects first is used, the others are ended. How long all of it may take is for the caller to say, who ends it.
 */
import net, { isIPv4 } from "node:net";
import { networkInterfaces } from "node:os";
import { ownTrouble } from "./errors.ts";

/** Milliseconds before the next address is tried (RFC 8305 §5). Its 250 ms is less than some connections take. */
const DELAY = 400;
const KEEPALIVE_PROBE = 60_000;

type Outcome = [error: null, socket: net.Socket] | [error: Error, socket: null];

export class AddressRace {
  readonly #port: number;
  readonly #done: (...outcome: Outcome) => void;
  /** In the order in which they are tried. */
  readonly #waiting: string[] = [];
  readonly #seen = new Set<string>();
  readonly #running = new Set<net.Socket>();
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
    this.#waiting.push(...interleaved(added));
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
    for (const socket of this.#running) socket.destroy();
    this.#running.clear();
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
    this.#running.add(socket);
    const onError = (error: Error) => {
      this.#running.delete(socket);
      if (this.#ended) return;
      this.#errors.push(lacksFamily(error, address) ? noRoute(error) : error);
      this.#next();
    };
    socket.on("error", onError);
    socket.once("connect", () => {
      if (this.#ended) return;
      // Whoever gets it listens by himself, but perhaps not to its last moment.
      socket.off("error", onError).on("error", () => {});
      this.#running.delete(socket);
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
