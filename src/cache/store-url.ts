/**
 * `cache.store` of a service, as text:
 *
 *     memory
 *     lmdb:PATH                                                a file; beside it PATH-lock
 *     redis://[USER:PASSWORD@]HOST[:PORT][/DB]                 rediss:// for TLS; valkey://, valkeys:// are the same
 *     redis+sentinel://[USER:PASSWORD@]HOST[:PORT],…/NAME[/DB] NAME: the master's, as the Sentinels know it
 *     redis+cluster://[USER:PASSWORD@]HOST[:PORT],…
 *
 * For Redis `?prefix=TEXT` begins every key; for Sentinel `sentinel_username` and `sentinel_password` sign in to the
 * Sentinels; for TLS `ca` is the file of the authority's certificate, where the system does not know it. What has a special
 * meaning in a URL is percent-encoded.
 */

interface RedisNode {
  readonly host: string;
  readonly port: number;
}

export interface RedisUrl {
  readonly kind: "redis";
  readonly mode: "single" | "sentinel" | "cluster";
  /** One, or for Sentinel and Cluster those that are asked first. */
  readonly nodes: readonly RedisNode[];
  readonly tls: boolean;
  /** A PEM file. */
  readonly ca?: string;
  readonly username?: string;
  readonly password?: string;
  readonly sentinelUsername?: string;
  readonly sentinelPassword?: string;
  /** The master's, for Sentinel. */
  readonly name?: string;
  readonly db: number;
  readonly prefix: string;
}

export type StoreUrl =
  | { readonly kind: "memory" }
  | { readonly kind: "lmdb"; readonly path: string }
  | RedisUrl;

const EXPECTED =
  "expected memory, lmdb:PATH, redis://HOST:PORT, rediss://HOST:PORT, redis+sentinel://HOST:PORT,…/NAME or redis+cluster://HOST:PORT,…";
const REDIS = /^(?:redis|valkey)(s?)(?:\+(sentinel|cluster))?:\/\/(.*)$/s;
const REST = /^(?:([^@/?]*)@)?([^/?@]*)(?:\/([^?]*))?(?:\?(.*))?$/s;
const PARAMETERS: ReadonlySet<string> = new Set(["prefix", "ca", "sentinel_username", "sentinel_password"]);
const DEFAULT_PREFIX = "pfxbridge:";

/**
 * Reads `cache.store`.
 *
 * @param resolve makes a path absolute that is relative to the configuration
 * @example parseStoreUrl("redis://cache.example.com", (p) => p) // nodes: [{ host: "cache.example.com", port: 6379 }]
 */
export function parseStoreUrl(
  text: string,
  resolve: (path: string) => string,
): StoreUrl | { readonly problem: string } {
  if (text === "memory") return { kind: "memory" };
  if (text.startsWith("lmdb:")) return parseLmdb(text.slice("lmdb:".length), resolve);
  const redis = REDIS.exec(text);
  if (redis === null) return { problem: `not a store; ${EXPECTED}` };
  try {
    return parseRedis(redis[1] === "s", redis[2], redis[3] ?? "", resolve);
  } catch (error) {
    // decodeURIComponent's; the text holds a password, so it is not repeated.
    return { problem: error instanceof URIError ? "a % that is no %-encoding; write %25" : EXPECTED };
  }
}

function parseLmdb(path: string, resolve: (path: string) => string): StoreUrl | { readonly problem: string } {
  if (path === "" || path.endsWith("/")) {
    return { problem: "lmdb: needs the path of a file, as in lmdb:/var/lib/pfxbridge/cache.lmdb" };
  }
  if (path.startsWith("//"))
    return { problem: `write lmdb:PATH with one colon and no //: lmdb:/${path.replace(/^\/+/, "")}` };
  if (path.includes("\0")) return { problem: "a path cannot hold a NUL character" };
  return { kind: "lmdb", path: resolve(path) };
}

function parseRedis(
  tls: boolean,
  mode: string | undefined,
  rest: string,
  resolve: (path: string) => string,
): StoreUrl | { readonly problem: string } {
  const [, user, hosts = "", path = "", query = ""] = REST.exec(rest) ?? [];
  const nodes = hosts
    .split(",")
    .map((node) => parseNode(node, mode === "sentinel" ? SENTINEL_PORT : REDIS_PORT));
  const wrong = nodes.indexOf(undefined);
  if (wrong >= 0) {
    const at = hosts.split(",")[wrong];
    return { problem: at === "" ? `a host is missing; ${EXPECTED}` : `"${at}" is no HOST:PORT` };
  }
  if (mode === undefined && nodes.length > 1) {
    return { problem: "several hosts need redis+sentinel:// or redis+cluster://" };
  }
  const parts = path === "" ? [] : path.split("/").map(decodeURIComponent);
  const name = mode === "sentinel" ? parts.shift() : undefined;
  if (mode === "sentinel" && !name) {
    return { problem: "the master's name is missing: redis+sentinel://HOST:PORT,HOST:PORT/NAME" };
  }
  const [database] = parts;
  if (parts.length > 1 || (database !== undefined && !/^\d{1,4}$/.test(database))) {
    return { problem: "what follows the hosts must be the number of a database" };
  }
  if (mode === "cluster" && database !== undefined && database !== "0") {
    return { problem: "Redis Cluster has database 0 only" };
  }
  const parameters = new URLSearchParams(query);
  for (const parameter of parameters.keys()) {
    if (!PARAMETERS.has(parameter)) {
      return { problem: `unknown parameter "${parameter}"; there are ${[...PARAMETERS].join(", ")}` };
    }
  }
  const ca = parameters.get("ca");
  if (ca !== null && !tls) return { problem: "ca is for TLS: write rediss:// with two s" };
  const colon = user?.indexOf(":") ?? -1;
  const username = user === undefined ? "" : decodeURIComponent(colon < 0 ? user : user.slice(0, colon));
  const password = user === undefined || colon < 0 ? "" : decodeURIComponent(user.slice(colon + 1));
  const sentinelUsername = parameters.get("sentinel_username");
  const sentinelPassword = parameters.get("sentinel_password");
  return {
    kind: "redis",
    mode: (mode ?? "single") as RedisUrl["mode"],
    nodes: nodes as RedisNode[],
    tls,
    ...(ca && { ca: resolve(ca) }),
    ...(username && { username }),
    ...(password && { password }),
    ...(sentinelUsername && { sentinelUsername }),
    ...(sentinelPassword && { sentinelPassword }),
    ...(name && { name }),
    db: Number(database ?? 0),
    prefix: parameters.get("prefix") ?? DEFAULT_PREFIX,
  };
}

const REDIS_PORT = 6379;
const SENTINEL_PORT = 26379;

function parseNode(text: string, defaultPort: number): RedisNode | undefined {
  const [, bracketed, plain, port] =
    /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const number = port === undefined ? defaultPort : Number(port);
  return host === undefined || number < 1 || number > 65535 ? undefined : { host, port: number };
}
