/**
 * From a service's host name to its addresses, without ever holding up another service.
 *
 * The hosts file is asked first, then the name servers, by c-ares, which blocks nobody, and getaddrinfo(3) last, when the
 * name servers have just said that they don't know the name, for what only it knows (search domains, mDNS, NIS). It
 * blocks one of libuv's few threads for as long as a name server is silent: libuv gives it half of them, and
 * there is one lookup at a time for each family of addresses, so that one of IPv6 that hangs leaves room for IPv4.
 *
 * IPv4 and IPv6 are asked for side by side, and known side by side. Whichever comes first is waited with for the other
 * for 50 ms (RFC 8305 §3), and used; what comes later is there for the attempts that are under way.
 *
 * An address is good for ten seconds. After that the old one is given once more while a new one is fetched; when the
 * name servers don't answer, for up to an hour (RFC 8767, "Serving Stale Data"). When they say that there is none, it is
 * gone. One lookup is under way for each name, and all who wait share it.
 */
import { lookup as getaddrinfo, Resolver as NameServers } from "node:dns/promises";
import { isIPv4 } from "node:net";
import { addressesInHosts } from "./hosts.ts";

const FRESH = 10_000;
const SERVED_WHILE_FETCHED = 300_000;
const SERVED_ON_FAILURE = 3_600_000;
/** RFC 8305 §3, "Resolution Delay"; also what somebody who knows an old address waits for a new one. */
const DELAY = 50;
const QUERY = { timeout: 1_000, tries: 2 };

type Family = 4 | 6;
const FAMILIES: readonly Family[] = [4, 6];

export interface ResolverOptions {
  /** Name servers, as `address:port`; the system's if absent. */
  readonly servers?: readonly string[];
  readonly hostsFile?: string;
  /** A clock, in milliseconds, that never goes back. */
  readonly now?: () => number;
}

interface Known {
  readonly addresses: readonly string[];
  /** When they were found, by the resolver's clock. */
  readonly found: number;
}

/** A lookup that is under way. */
interface Lookup {
  /** At least one address; or why there is none. */
  readonly first: Promise<readonly string[]>;
  /** Both families, as far as they have been answered. */
  readonly all: Promise<readonly string[]>;
}

export class Resolver {
  readonly #options: ResolverOptions;
  readonly #now: () => number;
  readonly #known: Readonly<Record<Family, Map<string, Known>>> = { 4: new Map(), 6: new Map() };
  readonly #pending = new Map<string, Lookup>();

  constructor(options: ResolverOptions = {}) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /**
   * Gives at least one address; rejects with the code of getaddrinfo or of c-ares.
   *
   * @param onMore told of all addresses when the lookup has brought others after those that were given
   */
  async resolve(
    hostname: string,
    onMore: (addresses: readonly string[]) => void = () => {},
  ): Promise<readonly string[]> {
    const { addresses, age } = this.#recall(hostname);
    if (age < FRESH) return addresses;
    const { first, all } = this.#fetch(hostname);
    all.then(onMore, () => {});
    if (addresses.length === 0) return first;
    first.catch(() => {});
    if (age < SERVED_WHILE_FETCHED) return addresses;
    const waited = new Promise<null>((resolve) => setTimeout(resolve, DELAY, null));
    const [answer, failure] = await Promise.race([first, waited]).then(
      (found) => [found, null] as const,
      (error: unknown) => [null, error] as const,
    );
    if (answer !== null) return answer;
    // Of what was known, one family may meanwhile be known not to be.
    const rest = this.#recall(hostname).addresses;
    if (rest.length > 0) return rest;
    if (failure !== null) throw failure;
    return first;
  }

  /** What is known and not too old, and how long the newest of it. */
  #recall(hostname: string): { readonly addresses: readonly string[]; readonly age: number } {
    let age = Number.POSITIVE_INFINITY;
    const addresses = FAMILIES.flatMap((family) => {
      const known = this.#known[family].get(hostname);
      if (known === undefined) return [];
      const own = this.#now() - known.found;
      if (own >= SERVED_ON_FAILURE) return [];
      age = Math.min(age, own);
      return known.addresses;
    });
    return { addresses, age };
  }

  #fetch(hostname: string): Lookup {
    const pending = this.#pending.get(hostname);
    if (pending !== undefined) return pending;
    const answers = this.#query(hostname).then((asked) =>
      FAMILIES.map((family) => asked[family].then(...this.#keep(hostname, family))),
    );
    const all = answers.then((both) => Promise.allSettled(both)).then(together);
    const lookup = { first: answers.then((both) => firstOf(both, all)), all };
    this.#pending.set(hostname, lookup);
    const done = () => this.#pending.delete(hostname);
    all.then(done, done);
    return lookup;
  }

  /** What becomes of an answer: found, there is none, or there was no answer, which says nothing of what is known. */
  #keep(
    hostname: string,
    family: Family,
  ): [(addresses: readonly string[]) => readonly string[], (error: unknown) => never] {
    const known = this.#known[family];
    return [
      (addresses) => {
        if (addresses.length === 0) known.delete(hostname);
        else known.set(hostname, { addresses, found: this.#now() });
        return addresses;
      },
      (error) => {
        if (saysNone(error)) known.delete(hostname);
        throw error;
      },
    ];
  }

  async #query(hostname: string): Promise<Record<Family, Promise<readonly string[]>>> {
    // RFC 6761 §6.4: never to be found, and not to be asked for.
    if (/(^|\.)invalid\.?$/i.test(hostname)) throw notFound(hostname);
    const local = await addressesInHosts(this.#options.hostsFile ?? "/etc/hosts", hostname);
    if (local.length > 0) return divided(local);
    // RFC 6761 §6.3: always this machine.
    if (/(^|\.)localhost\.?$/i.test(hostname)) return divided(["127.0.0.1", "::1"]);
    // Made anew for each lookup, so that a change of /etc/resolv.conf is seen.
    const servers = new NameServers(QUERY);
    if (this.#options.servers !== undefined) servers.setServers(this.#options.servers);
    const answers = { 4: servers.resolve4(hostname), 6: servers.resolve6(hostname) };
    return { 4: askedFurther(hostname, 4, answers), 6: askedFurther(hostname, 6, answers) };
  }
}

/** What the process knows of names: one for all services, so that it outlives a configuration. */
export const systemResolver = new Resolver();

/** The name servers' answer for a family, or getaddrinfo's where they know the name in neither. */
async function askedFurther(
  hostname: string,
  family: Family,
  answers: Readonly<Record<Family, Promise<readonly string[]>>>,
): Promise<readonly string[]> {
  try {
    return await answers[family];
  } catch (error) {
    if (!saysUnknown(error)) throw error;
    // A name that does not exist has no address of the other family either (RFC 8020); only some servers say so of IPv6
    // alone, wrongly (RFC 4074 §4.2).
    const sure = family === 4 && (error as NodeJS.ErrnoException).code === "ENOTFOUND";
    const other = sure ? error : await answers[family === 4 ? 6 : 4].catch((reason: unknown) => reason);
    if (!saysUnknown(other)) throw error;
    return oneAtATime(family, async () => {
      const found = await getaddrinfo(hostname, { all: true, family });
      return found.map(({ address }) => address);
    });
  }
}

const lines: Record<Family, Promise<unknown>> = { 4: Promise.resolve(), 6: Promise.resolve() };

function oneAtATime<T>(family: Family, work: () => Promise<T>): Promise<T> {
  const done = lines[family].then(work);
  lines[family] = done.catch(() => {});
  return done;
}

/** As soon as one family is there and the other has had its time; else when both have been answered. */
function firstOf(
  both: readonly Promise<readonly string[]>[],
  all: Promise<readonly string[]>,
): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    const found: (readonly string[])[] = [];
    for (const [index, one] of both.entries()) {
      one.then(
        (addresses) => {
          found[index] = addresses;
          if (addresses.length > 0) setTimeout(() => resolve(found.flat()), DELAY);
        },
        () => {},
      );
    }
    all.then(resolve, reject);
  });
}

/** What both families came to. */
function together(answers: readonly PromiseSettledResult<readonly string[]>[]): readonly string[] {
  const addresses = answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
  if (addresses.length > 0) return addresses;
  const errors = answers.flatMap((answer) => (answer.status === "rejected" ? [answer.reason] : []));
  throw errors.find((error) => !saysUnknown(error)) ?? errors[0];
}

function divided(addresses: readonly string[]): Record<Family, Promise<readonly string[]>> {
  return {
    4: Promise.resolve(addresses.filter((address) => isIPv4(address))),
    6: Promise.resolve(addresses.filter((address) => !isIPv4(address))),
  };
}

/** It was answered, and there is no such name or no such address. */
function saysNone(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === "ENOTFOUND" || code === "ENODATA";
}

/** The same, or there is no name server: getaddrinfo won't be kept waiting by them either. */
function saysUnknown(error: unknown): boolean {
  return saysNone(error) || (error as NodeJS.ErrnoException).code === "ECONNREFUSED";
}

function notFound(hostname: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${hostname} does not exist`), { code: "ENOTFOUND" });
}
