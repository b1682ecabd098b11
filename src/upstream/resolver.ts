/**
 * From a service's host name to its addresses, without ever holding up another service.
 *
 * getaddrinfo(3) blocks one of libuv's few threads for as long as a name server is silent; two such services would stop
 * the lookups of all. So: the hosts file, then a query by c-ares, which blocks nobody. getaddrinfo is asked last, when
 * the name servers have just said that they don't know the name, for what only it knows (search domains, mDNS, NIS).
 * One lookup is under way for each name, and all who wait share it.
 *
 * An address is good for ten seconds. After that the old one is given once more while a new one is fetched;
 * when the name servers fail, for up to an hour (RFC 8767, "Serving Stale Data").
 */
import { lookup as getaddrinfo, Resolver as NameServers } from "node:dns/promises";
import { isIPv6, type LookupFunction } from "node:net";
import { addressesInHosts } from "./hosts.ts";

const FRESH = 10_000;
const SERVED_WHILE_FETCHED = 300_000;
const SERVED_ON_FAILURE = 3_600_000;
const QUERY = { timeout: 1_000, tries: 2 };

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

export class Resolver {
  readonly #options: ResolverOptions;
  readonly #now: () => number;
  readonly #known = new Map<string, Known>();
  readonly #pending = new Map<string, Promise<readonly string[]>>();

  constructor(options: ResolverOptions = {}) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** In the form that net.connect and tls.connect take; never throws. */
  readonly lookup: LookupFunction = (hostname, options, callback) => {
    this.resolve(hostname).then(
      (addresses) => {
        const all = addresses.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }));
        if (options.all === true) callback(null, all);
        else callback(null, all[0]!.address, all[0]!.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, []),
    );
  };

  /** Gives at least one address; rejects with the code of getaddrinfo or of c-ares. */
  async resolve(hostname: string): Promise<readonly string[]> {
    const known = this.#known.get(hostname);
    const age = known === undefined ? Number.POSITIVE_INFINITY : this.#now() - known.found;
    if (known !== undefined && age < FRESH) return known.addresses;
    const fetched = this.#fetch(hostname);
    if (known === undefined) return fetched;
    if (age < SERVED_WHILE_FETCHED) {
      fetched.catch(() => {});
      return known.addresses;
    }
    return fetched.catch((error: NodeJS.ErrnoException) => {
      if (age < SERVED_ON_FAILURE && !saysUnknown(error)) return known.addresses;
      throw error;
    });
  }

  #fetch(hostname: string): Promise<readonly string[]> {
    const pending = this.#pending.get(hostname);
    if (pending !== undefined) return pending;
    const fetched = this.#query(hostname)
      .then((addresses) => {
        this.#known.set(hostname, { addresses, found: this.#now() });
        return addresses;
      })
      .finally(() => this.#pending.delete(hostname));
    this.#pending.set(hostname, fetched);
    return fetched;
  }

  async #query(hostname: string): Promise<readonly string[]> {
    // RFC 6761 §6.4: never to be found, and not to be asked for.
    if (/(^|\.)invalid\.?$/i.test(hostname)) throw notFound(hostname);
    const local = await addressesInHosts(this.#options.hostsFile ?? "/etc/hosts", hostname);
    if (local.length > 0) return local;
    // RFC 6761 §6.3: always this machine.
    if (/(^|\.)localhost\.?$/i.test(hostname)) return ["127.0.0.1", "::1"];
    try {
      return await this.#ask(hostname);
    } catch (error) {
      if (!saysUnknown(error)) throw error;
    }
    const found = await getaddrinfo(hostname, { all: true });
    return found.map(({ address }) => address);
  }

  /** Made anew for each lookup, so that a change of /etc/resolv.conf is seen. */
  async #ask(hostname: string): Promise<readonly string[]> {
    const servers = new NameServers(QUERY);
    if (this.#options.servers !== undefined) servers.setServers(this.#options.servers);
    const [four, six] = await Promise.allSettled([servers.resolve4(hostname), servers.resolve6(hostname)]);
    const addresses = [four, six].flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
    if (addresses.length > 0) return addresses;
    const errors = [four, six].flatMap((answer) => (answer.status === "rejected" ? [answer.reason] : []));
    throw errors.find((error) => !saysUnknown(error)) ?? errors[0] ?? notFound(hostname);
  }
}

/** The name servers answered, or there are none: getaddrinfo won't be kept waiting by them either. */
function saysUnknown(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === "ENOTFOUND" || code === "ENODATA" || code === "ECONNREFUSED";
}

function notFound(hostname: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${hostname} does not exist`), { code: "ENOTFOUND" });
}
