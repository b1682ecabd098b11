/**
 * The way to a service, step by step, before anything is asked: its name, a connection, and over TLS the certificate with
 * its name, its chain and the days that it has left.
 */
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { checkServerIdentity, connect as connectTls, type TLSSocket } from "node:tls";
import type { ServiceConfig } from "../config/config.ts";
import { formatDuration } from "../config/duration.ts";
import { proxyFor } from "../config/proxy.ts";
import { visible } from "../text/visible.ts";
import { LATE, within } from "../time/within.ts";
import { failureOf } from "../upstream/transport/errors.ts";
import { type Address, Opening } from "../upstream/transport/opening.ts";
import type { HttpProxy } from "../upstream/transport/proxy.ts";
import { systemResolver } from "../upstream/transport/resolver.ts";
import { readTlsFiles } from "../upstream/transport/tls-files.ts";
import { termsOf } from "../upstream/upstream.ts";
import { amiss, type Finding, note, well } from "./finding.ts";

/** With fewer days left a certificate should have been renewed. */
const FEW_DAYS = 14;
const DAY = 86_400_000;

export async function checkReach(service: ServiceConfig): Promise<Finding[]> {
  const found = await Promise.all(service.urls.map((url) => checkUrl(service, new URL(url))));
  return found.flat();
}

async function checkUrl(service: ServiceConfig, url: URL): Promise<Finding[]> {
  const about = `service ${service.name}`;
  const hostname = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const shown = url.protocol === "unix:" ? `unix:${decodeURIComponent(url.pathname)}` : url.origin;
  const progress = {
    url: shown,
    hostname,
    replyBegun: false,
    status: 0,
    received: 0,
    tls: url.protocol === "https:" ? termsOf(service.tls) : null,
  };
  const failed = (error: unknown) => amiss(about, failureOf(error, progress).detail);
  const proxy = proxyFor(service.proxies, url);
  if (url.protocol === "unix:" || proxy !== null) {
    try {
      return await checkDetour(service, url, proxy, about);
    } catch (error) {
      return [failed(error)];
    }
  }
  const found: Finding[] = [];
  try {
    const addresses =
      isIP(hostname) === 0 ? [...new Set(await systemResolver.resolve(hostname))] : [hostname];
    if (isIP(hostname) === 0) found.push(well(about, `${hostname} is ${addresses.join(", ")}`));
    const port = Number(url.port) || (url.protocol === "https:" ? 443 : 80);
    for (const address of addresses) {
      const socket = connectTcp({ host: address, port });
      try {
        await settled(socket, "connect", service.timeout);
        found.push(well(about, `${address} port ${port} takes connections`));
        if (url.protocol === "https:")
          found.push(...(await checkTls(socket, service, hostname, about, shown)));
      } catch (error) {
        const one = failed(error);
        // Others will do, if more slowly.
        found.push(addresses.length > 1 ? note(about, `${address}: ${one.message}`) : one);
      } finally {
        socket.destroy();
      }
    }
  } catch (error) {
    found.push(failed(error));
  }
  if (
    found.some(({ level }) => level === "note") &&
    !found.some(({ message }) => / takes connections$/.test(message))
  ) {
    found.push(
      amiss(
        about,
        `${shown} takes no connection on any of its addresses`,
        "look at the service, and at the network between",
      ),
    );
  }
  return found;
}

/** A socket file, or the way by a proxy; behind a proxy the certificate is the service's own. */
async function checkDetour(
  service: ServiceConfig,
  url: URL,
  proxy: HttpProxy | null,
  about: string,
): Promise<Finding[]> {
  const isSecure = url.protocol === "https:";
  const hostname = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const socketPath = proxy === null ? decodeURIComponent(url.pathname) : undefined;
  const socket = await opened(
    {
      hostname,
      port: Number(url.port) || (isSecure ? 443 : 80),
      ...(socketPath !== undefined && { socketPath }),
      resolver: systemResolver,
      // TLS is looked at here: only a tunnel is asked for, where calls take one.
      tls: null,
      http2: isSecure || service.http2,
      proxy,
    },
    service.timeout,
  );
  try {
    if (proxy === null) return [well(about, `the socket ${socketPath} takes connections`)];
    const way = well(
      about,
      `the proxy ${proxy.url} ${isSecure ? `connects to ${url.origin}` : "takes connections"}`,
    );
    return isSecure ? [way, ...(await checkTls(socket, service, hostname, about, url.origin))] : [way];
  } finally {
    socket.destroy();
  }
}

async function opened(address: Address, timeout: number): Promise<Socket> {
  let opening: Opening | undefined;
  const socket = await within(
    timeout,
    new Promise<Socket>((resolve, reject) => {
      opening = new Opening(address, (error, ready) => (error === null ? resolve(ready) : reject(error)));
    }),
  );
  if (socket !== LATE) return socket;
  const stage = opening?.stage;
  opening?.end();
  throw new Error(`${stage} took longer than ${formatDuration(timeout)}`);
}

/** Looks at the certificate also where it is no good, so as to say all that is wrong with it. */
async function checkTls(
  socket: Socket,
  { tls, timeout }: ServiceConfig,
  hostname: string,
  about: string,
  shown: string,
): Promise<Finding[]> {
  const name = tls.serverName ?? hostname;
  const secured = connectTls({
    socket,
    secureContext: readTlsFiles(tls),
    rejectUnauthorized: false,
    ...(isIP(name) === 0 && { servername: name }),
  });
  try {
    await settled(secured, "secureConnect", timeout);
    return certificateFindings(secured, name, about, shown);
  } finally {
    secured.destroy();
  }
}

function certificateFindings(socket: TLSSocket, name: string, about: string, shown: string): Finding[] {
  const certificate = socket.getPeerCertificate();
  const found: Finding[] = [well(about, `${shown} speaks ${socket.getProtocol() ?? "TLS"}`)];
  const wrongName = checkServerIdentity(name, certificate);
  if (wrongName === undefined) found.push(well(about, `its certificate is for ${name}`));
  else {
    const names = visible(String(certificate.subjectaltname ?? certificate.subject?.CN ?? "nobody")).slice(
      0,
      300,
    );
    found.push(
      amiss(
        about,
        `its certificate is not for ${name}, but for ${names}`,
        "use a url with a name that the certificate has, or set tls.server_name to it",
      ),
    );
  }
  const ends = Date.parse(certificate.valid_to);
  const days = Math.floor((ends - Date.now()) / DAY);
  if (days < 0) {
    found.push(amiss(about, `its certificate ended ${formatDay(ends)}`, "have it renewed there"));
  } else if (days < FEW_DAYS) {
    found.push(
      note(about, `its certificate ends in ${days} days, ${formatDay(ends)}`, "have it renewed there"),
    );
  } else {
    found.push(well(about, `its certificate has ${days} days left`));
  }
  const error = socket.authorizationError;
  const code = error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.message) : error;
  if (socket.authorized || code === "CERT_HAS_EXPIRED" || code === "ERR_TLS_CERT_ALTNAME_INVALID")
    return found;
  const failure = failureOf(Object.assign(new Error(String(code)), { code: String(code) }), {
    url: shown,
    hostname: name,
    replyBegun: false,
    status: 0,
    received: 0,
    tls: null,
  });
  found.push(amiss(about, failure.detail));
  return found;
}

function formatDay(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}

/** Waits for the event, or throws what the socket's error is. */
async function settled(socket: Socket, event: string, milliseconds: number): Promise<void> {
  const done = await within(
    milliseconds,
    new Promise<void>((resolve, reject) => {
      socket.once(event, () => resolve());
      socket.once("error", reject);
      socket.once("close", () => reject(Object.assign(new Error("closed"), { code: "ECONNRESET" })));
    }),
  );
  socket.on("error", () => {});
  if (done !== LATE) return;
  const message = `nothing came within ${formatDuration(milliseconds)} (timeout); is a firewall dropping packets?`;
  throw new Error(message);
}
