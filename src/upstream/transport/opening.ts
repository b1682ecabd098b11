/**
 * From a destination to a socket that is ready for HTTP: names looked up, addresses raced, by a socket file or a proxy where
 * there is one, TLS shaken hands on. Whoever asks for it says how long that may take, and ends it.
 */
import net from "node:net";
import tls from "node:tls";
import { AddressRace } from "./address-race.ts";
import { type HttpProxy, proxyFailure } from "./proxy.ts";
import type { Resolver } from "./resolver.ts";
import type { TlsFiles } from "./tls-files.ts";
import { openTunnel } from "./tunnel.ts";

/** Where a socket leads, and by what. */
export interface Address {
  readonly hostname: string;
  readonly port: number;
  /** A socket file in place of both; `hostname` is then only what TLS is told. */
  readonly socketPath?: string;
  readonly resolver: Resolver;
  /** Null for plain HTTP. */
  readonly tls: TlsFiles | null;
  /** For SNI and verification, if it isn't the hostname. */
  readonly serverName?: string;
  /** Whether HTTP/2 is offered by ALPN. */
  readonly http2: boolean;
  /** Null where the way is direct. */
  readonly proxy: HttpProxy | null;
}

/** What an opening is busy with, for the log. */
type OpeningStage =
  | "looking up its name"
  | "looking up the proxy's name"
  | "connecting"
  | "connecting to the proxy"
  | "waiting for the proxy to connect"
  | "shaking hands with the proxy (TLS)"
  | "shaking hands (TLS)";

type Opened = (...outcome: [error: null, socket: net.Socket] | [error: Error, socket: null]) => void;

/** Whether a proxy is asked for a connection to the service, and not to make the call itself (RFC 9110 §9.3.6). */
export function isTunneled({ proxy, tls: files, http2 }: Pick<Address, "proxy" | "tls" | "http2">): boolean {
  // An absolute URL is of HTTP/1.1.
  return proxy !== null && (files !== null || http2);
}

/** Host and port, as a proxy is asked for them. */
export function targetOf({ hostname, port }: Pick<Address, "hostname" | "port">): string {
  return `${net.isIPv6(hostname) ? `[${hostname}]` : hostname}:${port}`;
}

export class Opening {
  readonly #address: Address;
  readonly #done: Opened;
  #stage: OpeningStage = "connecting";
  #race: AddressRace | null = null;
  #socket: net.Socket | null = null;
  #ended = false;

  /** @param done called once, unless it is ended before */
  constructor(address: Address, done: Opened) {
    this.#address = address;
    this.#done = done;
    if (address.socketPath !== undefined) this.#connectFile(address.socketPath);
    else if (address.proxy !== null) this.#connectProxy(address.proxy);
    else this.#connect(address.hostname, address.port, "looking up its name", "connecting", this.#reached);
  }

  get stage(): OpeningStage {
    return this.#stage;
  }

  /** Ends it, and all that is under way. */
  end(): void {
    this.#ended = true;
    this.#race?.end();
    this.#socket?.destroy();
  }

  readonly #reached: Opened = (error, socket) => {
    if (error !== null) this.#fail(error);
    else this.#secure(socket);
  };

  #fail(error: Error): void {
    if (this.#ended) return;
    this.end();
    this.#done(error, null);
  }

  #succeed(socket: net.Socket): void {
    if (this.#ended) return;
    this.#ended = true;
    // From here on it is another's to end.
    this.#socket = null;
    this.#done(null, socket);
  }

  #connect(
    hostname: string,
    port: number,
    lookingUp: OpeningStage,
    connecting: OpeningStage,
    done: Opened,
  ): void {
    const race = new AddressRace(port, done);
    this.#race = race;
    if (net.isIP(hostname) !== 0) {
      this.#stage = connecting;
      race.add([hostname]);
      race.begin();
      return;
    }
    this.#stage = lookingUp;
    this.#address.resolver
      .resolve(hostname, (addresses) => race.add(addresses))
      .then(
        (addresses) => {
          if (this.#ended) return;
          this.#stage = connecting;
          race.add(addresses);
          race.begin();
        },
        (error: Error) => done(error, null),
      );
  }

  #connectFile(path: string): void {
    const socket = net.connect({ path });
    this.#socket = socket;
    const refused = (error: Error) => this.#fail(error);
    socket.once("error", refused);
    socket.once("connect", () => {
      socket.off("error", refused).on("error", () => {});
      this.#secure(socket);
    });
  }

  #connectProxy(proxy: HttpProxy): void {
    const { hostname, port } = proxy;
    this.#connect(
      hostname,
      port,
      "looking up the proxy's name",
      "connecting to the proxy",
      (error, socket) => {
        if (error !== null) this.#fail(proxyFailure(proxy, error));
        else if (proxy.tls === null) this.#throughProxy(proxy, socket);
        else this.#secureProxy(proxy, socket);
      },
    );
  }

  #secureProxy(proxy: HttpProxy, connected: net.Socket): void {
    this.#stage = "shaking hands with the proxy (TLS)";
    const socket = tls.connect({
      socket: connected,
      servername: net.isIP(proxy.hostname) === 0 ? proxy.hostname : "",
      host: proxy.hostname,
      ...(proxy.tls !== null && { secureContext: proxy.tls }),
      rejectUnauthorized: true,
      ALPNProtocols: ["http/1.1"],
    });
    this.#socket = socket;
    const refused = (error: Error) => this.#fail(proxyFailure(proxy, error));
    socket.once("error", refused);
    socket.once("secureConnect", () => {
      socket.off("error", refused).on("error", () => {});
      this.#throughProxy(proxy, socket);
    });
  }

  #throughProxy(proxy: HttpProxy, socket: net.Socket): void {
    this.#socket = socket;
    if (!isTunneled(this.#address)) {
      this.#succeed(socket);
      return;
    }
    this.#stage = "waiting for the proxy to connect";
    openTunnel(socket, proxy, targetOf(this.#address), (error) => {
      if (this.#ended) return;
      if (error === null) this.#secure(socket);
      else this.#fail(error);
    });
  }

  #secure(connected: net.Socket): void {
    const { hostname, tls: files, serverName, http2 } = this.#address;
    this.#socket = connected;
    if (files === null) {
      this.#succeed(connected);
      return;
    }
    this.#stage = "shaking hands (TLS)";
    const socket = tls.connect({
      socket: connected,
      servername: serverName ?? (net.isIP(hostname) === 0 ? hostname : ""),
      secureContext: files.context,
      // Said outright, or NODE_TLS_REJECT_UNAUTHORIZED=0 would turn it off.
      rejectUnauthorized: true,
      ALPNProtocols: http2 ? ["h2", "http/1.1"] : ["http/1.1"],
      // By what the certificate is checked against where no server name is sent.
      host: hostname,
    });
    this.#socket = socket;
    const refused = (error: Error) => this.#fail(error);
    socket.once("error", refused);
    socket.once("secureConnect", () => {
      socket.off("error", refused).on("error", () => {});
      this.#succeed(socket);
    });
  }
}
