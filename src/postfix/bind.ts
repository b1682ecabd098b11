/**
 * Binds a server to an endpoint: a TCP address, or a socket file with its owner, group and mode; or gives it the socket
 * that the service manager has bound there.
 *
 * Undefined when bound, else a problem that says what to do (port in use, no rights, no such directory).
 */
import type { Server } from "node:net";
import { type Endpoint, formatEndpoint } from "./endpoint.ts";
import { type GivenSocket, givenSockets } from "./given-sockets.ts";
import { numericRights, SocketPlace, type SocketRights } from "./socket-file.ts";

/** Connections that wait to be accepted; the system cuts it to net.core.somaxconn. */
const BACKLOG = 4096;

/** What is bound, until it is left. */
export interface Bound {
  /** Where the service manager has bound it; undefined: at the endpoint that was asked for. */
  readonly endpoint?: Endpoint | undefined;
  /** Removes the file of a unix socket, where the rights allow; to be called when the server is closed. */
  leave(): void;
}

/**
 * Makes the server listen. A socket file that nobody answers on is taken over; a new one is there with all its rights, or
 * not at all.
 *
 * @param rights of a socket file
 */
export async function bind(
  server: Server,
  endpoint: Endpoint,
  rights: SocketRights = {},
): Promise<Bound | { readonly problem: string }> {
  const given = givenSockets.take(endpoint);
  if (given !== undefined) return useGiven(server, endpoint, given);
  if (endpoint.kind === "unix") return bindFile(server, endpoint, rights);
  const problem = await listening(server, () =>
    server.listen({ host: endpoint.host, port: endpoint.port, backlog: BACKLOG }),
  );
  return problem === undefined ? { leave: () => {} } : { problem: bindProblem(problem, endpoint) };
}

/** Its file, with owner, group and mode, is the service manager's. */
async function useGiven(
  server: Server,
  endpoint: Endpoint,
  { descriptor, name, endpoint: at }: GivenSocket,
): Promise<Bound | { readonly problem: string }> {
  const failure = await listening(server, () => server.listen({ fd: descriptor, backlog: BACKLOG }));
  if (failure === undefined) return { endpoint: at, leave: () => {} };
  return {
    problem:
      `cannot listen on ${formatEndpoint(endpoint)}: the socket "${name}" that systemd hands over for it does not ` +
      `serve (${failure.code}); its unit needs ListenStream= and Accept=no`,
  };
}

async function bindFile(
  server: Server,
  endpoint: Endpoint & { readonly kind: "unix" },
  rights: SocketRights,
): Promise<Bound | { readonly problem: string }> {
  const refused = (problem: string) => ({
    problem: `cannot listen on ${formatEndpoint(endpoint)}: ${problem}`,
  });
  const numeric = await numericRights(rights);
  if ("problem" in numeric) return refused(numeric.problem);
  const place = await SocketPlace.clear(endpoint.path);
  if ("problem" in place) return refused(place.problem);
  let problem: string | undefined;
  let failure: Promise<NodeJS.ErrnoException | undefined> | undefined;
  try {
    problem = place.make(numeric, (path) => {
      failure = listening(server, () => server.listen({ path, backlog: BACKLOG }));
      return server.listening;
    });
    if (problem === undefined) return place;
    problem = refused(problem).problem;
  } catch (error) {
    problem = bindProblem(error as NodeJS.ErrnoException, endpoint);
  }
  const error = await failure;
  server.close();
  place.leave();
  return { problem: error === undefined ? problem : bindProblem(error, endpoint) };
}

/** Undefined when the server listens. */
function listening(server: Server, listen: () => void): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const failed = (error: NodeJS.ErrnoException) => resolve(error);
    server.once("error", failed);
    server.once("listening", () => {
      server.off("error", failed);
      resolve(undefined);
    });
    listen();
  });
}

function bindProblem(error: NodeJS.ErrnoException, endpoint: Endpoint): string {
  const where = formatEndpoint(endpoint);
  switch (error.code) {
    case "EADDRINUSE":
    case "EEXIST":
      return endpoint.kind === "inet"
        ? `cannot listen on ${where}: the port is in use; stop what listens there (ss -ltnp "sport = :${endpoint.port}" shows it), or choose another port`
        : `cannot listen on ${where}: another process has just made this socket`;
    case "EACCES":
    case "EPERM":
      return endpoint.kind === "inet"
        ? `cannot listen on ${where}: ports below 1024 need root, or CAP_NET_BIND_SERVICE; choose a higher one`
        : `cannot listen on ${where}: the directory is not writable for this user; start as root, or choose another`;
    case "EADDRNOTAVAIL":
      return `cannot listen on ${where}: this machine has no such address`;
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `cannot listen on ${where}: the host name has no address`;
    default:
      return `cannot listen on ${where}: ${error.message}`;
  }
}
