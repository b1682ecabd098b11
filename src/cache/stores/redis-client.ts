/**
 * The connection to Redis or Valkey: one server, the master that Sentinels name, or a cluster.
 *
 * It is made in the background and made again for ever, with growing pauses. Nothing is queued while there is none, one on
 * which nothing is heard is given up, and so is one whose reply has no end, so that what waits for replies and what comes
 * of them stays bounded.
 */
import { readFileSync } from "node:fs";
import { Cluster, Redis } from "ioredis";
import type { RedisUrl } from "../store-url.ts";

export type Client = Redis | Cluster;

/**
 * Of one reply, in bytes. An entry, a page of keys and one of revocations are far smaller; ioredis has no limit of its own
 * and would keep all that comes.
 */
const MAX_REPLY = 2 * 1024 * 1024;
/** Without a byte from the server while it owes a reply, in milliseconds. */
const SILENCE = 2000;
const CONNECT_TIMEOUT = 3000;
/** Between two looks for another master, in milliseconds. */
const FIRST_LOOK = 500;
const LONGEST_LOOK = 10_000;
const FORGIVEN_AFTER = 60_000;
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 3000;

/**
 * Connects when `connect()` is called.
 *
 * @throws when the authority's certificate cannot be read
 */
export function createClient(url: RedisUrl): Client {
  const client = createUnbounded(url);
  if (client instanceof Cluster) client.on("+node", boundReplies);
  else boundReplies(client);
  return client;
}

/** Waits for a connection that is being made, so many milliseconds at most. Whether there is one then. */
export function whenReady(client: Client, milliseconds: number): Promise<boolean> {
  if (client.status === "ready") return Promise.resolve(true);
  return new Promise((resolve) => {
    const done = (isReady: boolean) => {
      clearTimeout(timer);
      client.off("ready", onReady);
      resolve(isReady);
    };
    const onReady = () => done(true);
    const timer = setTimeout(() => done(false), milliseconds);
    client.once("ready", onReady);
  });
}

/** Ends a connection on which a reply is longer than any that was asked for. */
function boundReplies(client: Redis): void {
  client.on("connect", () => {
    const { stream } = client;
    let answered: unknown;
    let length = 0;
    const count = (data: Buffer): void => {
      // Before the reply is read its command is at the head; another one there means that the last was whole.
      const head = client.commandQueue.peekFront();
      if (head !== answered) length = 0;
      answered = head;
      length += data.length;
      if (length > MAX_REPLY) stream.destroy(new Error(`a reply of more than ${MAX_REPLY} bytes`));
    };
    // After ioredis has put its reader there, so as to come before it.
    process.nextTick(() => stream.prependListener("data", count));
  });
}

function createUnbounded(url: RedisUrl): Client {
  // Said outright: else NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment would turn it off.
  const tls = { rejectUnauthorized: true, ...(url.ca !== undefined && { ca: readFileSync(url.ca) }) };
  const options = {
    lazyConnect: true,
    connectionName: "pfxbridge",
    protocol: 2 as const,
    connectTimeout: CONNECT_TIMEOUT,
    socketTimeout: SILENCE,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    reconnectOnError: lookingForTheMaster(),
    ...(url.username !== undefined && { username: url.username }),
    ...(url.password !== undefined && { password: url.password }),
    ...(url.tls && { tls }),
  };
  if (url.mode === "cluster") {
    return new Cluster([...url.nodes], {
      lazyConnect: true,
      enableOfflineQueue: false,
      redisOptions: options,
      // Certificates are for names; a cluster that tells addresses is asked by these.
      dnsLookup: (address, callback) => callback(null, address),
      clusterRetryStrategy: pause,
      // Also where the cluster stays as it is: a node that was started anew.
      clusterNodeRetryStrategy: pause,
      maxRedirections: 2,
      retryDelayOnFailover: 0,
      retryDelayOnClusterDown: 0,
      retryDelayOnTryAgain: 0,
    });
  }
  const single = {
    ...options,
    enableOfflineQueue: false,
    retryStrategy: pause,
    db: url.db,
  };
  if (url.mode === "single") return new Redis({ ...single, ...url.nodes[0] });
  return new Redis({
    ...single,
    sentinels: [...url.nodes],
    name: url.name ?? "",
    sentinelRetryStrategy: pause,
    ...(url.sentinelUsername !== undefined && { sentinelUsername: url.sentinelUsername }),
    ...(url.sentinelPassword !== undefined && { sentinelPassword: url.sentinelPassword }),
    ...(url.tls && { enableTLSForSentinelMode: true, sentinelTLS: tls }),
  });
}

/** A master that has become a replica: the new one is found by connecting again, at once and then after growing pauses. */
function lookingForTheMaster(): (error: Error) => boolean {
  let last = Number.NEGATIVE_INFINITY;
  let next = 0;
  return ({ message }) => {
    if (!message.startsWith("READONLY")) return false;
    const now = performance.now();
    if (now - last > FORGIVEN_AFTER) next = FIRST_LOOK;
    else if (now - last < next) return false;
    else next = Math.min(next * 2, LONGEST_LOOK);
    last = now;
    return true;
  };
}

/** Exponential, with jitter: a fleet does not come back all at once. */
function pause(times: number): number {
  const longest = Math.min(FIRST_PAUSE * 2 ** Math.min(times, 10), LONGEST_PAUSE);
  return longest / 2 + (Math.random() * longest) / 2;
}
