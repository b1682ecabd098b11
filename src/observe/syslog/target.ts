/** Where syslog is, and what a line says of the bridge there: the settings of `log.syslog`, resolved. */

/** As syslog(3) counts them (RFC 5424 §6.2.1). */
export const FACILITIES = {
  user: 1,
  mail: 2,
  daemon: 3,
  auth: 4,
  authpriv: 10,
  local0: 16,
  local1: 17,
  local2: 18,
  local3: 19,
  local4: 20,
  local5: 21,
  local6: 22,
  local7: 23,
} as const;

export type Facility = keyof typeof FACILITIES;

/** What stands before the line: RFC 5424, or what syslog(3) writes to /dev/log (RFC 3164 §4.1, without a host). */
export const HEADERS = ["rfc5424", "bsd"] as const;

export type SyslogPlace =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "udp" | "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "tls"; readonly host: string; readonly port: number; readonly tls: SyslogTls };

/** PEM, not the files that it is in. */
export interface SyslogTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: { reveal(): string };
  /** The name to find in the certificate, if it isn't the host's. */
  readonly serverName?: string;
}

export interface SyslogTarget {
  readonly place: SyslogPlace;
  readonly facility: Facility;
  readonly appName: string;
  readonly header: (typeof HEADERS)[number];
}

/** For messages: `unix:/dev/log`, `tls://loghost:6514`. */
export function nameOf(place: SyslogPlace): string {
  if (place.kind === "unix") return `unix:${place.path}`;
  const host = place.host.includes(":") ? `[${place.host}]` : place.host;
  return `${place.kind}://${host}:${place.port}`;
}

/**
 * Bytes of one message. rsyslog and syslog-ng take 8 KB unless told otherwise, and RFC 5425 §4.3.1 asks for as much; a datagram that
 * crosses a network is to be 2048 at most (RFC 5424 §6.1).
 */
export function longestMessage({ kind }: SyslogPlace): number {
  return kind === "udp" ? 2048 : 8192;
}
