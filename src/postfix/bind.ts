/**
 * Binds a server to an endpoint: a TCP address, or a socket file with its owner, group and mode.
 *
 * Undefined when bound, else a problem that says what to do (port in use, no rights, no such directory).
 */
import type { Server } from "node:net";
import { type Endpoint, formatEndpoint } from "./endpoint.ts";
import { clearSocketFile, type SocketRights, setSocketRights } from "./socketfile.ts";

/** Connections that wait to be accepted; the system cuts it to net.core.somaxconn. */
const BACKLOG = 4096;

/** Makes the server listen. A socket file that nobody answers on is taken over; at first only its owner can connect. */
export async function bind(server: Server, endpoint: Endpoint): Promise<string | undefined> {
  if (endpoint.kind === "unix") {
    const problem = await clearSocketFile(endpoint.path);
    if (problem !== undefined) return `cannot listen on ${formatEndpoint(endpoint)}: ${problem}`;
  }
  return listenOn(server, endpoint);
}

/** Gives the file of a unix socket its rights. */
export async function grant(endpoint: Endpoint, rights: SocketRights = {}): Promise<string | undefined> {
  if (endpoint.kind === "inet") return undefined;
  const problem = await setSocketRights(endpoint.path, rights);
  return problem && `cannot listen on ${formatEndpoint(endpoint)}: ${problem}`;
}

function listenOn(server: Server, endpoint: Endpoint): Promise<string | undefined> {
  return new Promise((resolve) => {
    const failed = (error: NodeJS.ErrnoException) => resolve(bindProblem(error, endpoint));
    server.once("error", failed);
    const listening = () => {
      server.off("error", failed);
      resolve(undefined);
    };
    if (endpoint.kind === "inet") {
      server.listen({ host: endpoint.host, port: endpoint.port, backlog: BACKLOG }, listening);
      return;
    }
    // Nobody else may connect before owner and mode are set.
    const umask = process.umask(0o177);
    server.listen({ path: endpoint.path, backlog: BACKLOG }, listening);
    process.umask(umask);
  });
}

function bindProblem(error: NodeJS.ErrnoException, endpoint: Endpoint): string {
  const where = formatEndpoint(endpoint);
  switch (error.code) {
    case "EADDRINUSE":
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
