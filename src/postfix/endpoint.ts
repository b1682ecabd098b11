/**
 * Endpoints in Postfix's own syntax: `inet:host:port`, `inet:port`, `unix:/path`.
 *
 * Text in, an `Endpoint` out, or a problem that says what to write instead. A port alone is loopback: a
 * policy service that strangers can reach tells them whom the company lets relay.
 */
import { visible } from "../text/visible.ts";

export type Endpoint =
  | { readonly kind: "inet"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

const LOOPBACK = "127.0.0.1";
const OTHER_KIND = /^(tcp|http|https|local|fifo):/;
/** sun_path of unix(7) holds 108 bytes, the last of them NUL. */
const LONGEST_PATH = 107;

/**
 * Reads an endpoint; the prefix may be left out where nothing else can be meant.
 *
 * @example
 * parseEndpoint("inet:[::1]:9998"); // { kind: "inet", host: "::1", port: 9998 }
 * parseEndpoint("9998");            // { kind: "inet", host: "127.0.0.1", port: 9998 }
 * parseEndpoint("/run/pfxbridge");  // { kind: "unix", path: "/run/pfxbridge" }
 */
export function parseEndpoint(text: string): Endpoint | { readonly problem: string } {
  if (text.startsWith("unix:")) return parsePath(text.slice("unix:".length), text);
  if (text.startsWith("inet:")) return parseAddress(text.slice("inet:".length), text);
  if (text.startsWith("/")) return parsePath(text, text);
  return parseAddress(text, text);
}

/** The endpoint as Postfix writes it: `inet:127.0.0.1:9998`, `inet:[::1]:9998`, `unix:/path`. */
export function formatEndpoint(endpoint: Endpoint): string {
  if (endpoint.kind === "unix") return `unix:${endpoint.path}`;
  const host = endpoint.host.includes(":") ? `[${endpoint.host}]` : endpoint.host;
  return `inet:${host}:${endpoint.port}`;
}

function parsePath(path: string, whole: string): Endpoint | { readonly problem: string } {
  if (!path.startsWith("/")) {
    return {
      problem:
        `the socket path in ${quote(whole)} must be absolute, as in unix:/var/spool/postfix/private/pfxbridge` +
        " (only main.cf names it relative to the queue directory)",
    };
  }
  if (/\p{Cc}/u.test(path))
    return { problem: `the socket path in ${quote(whole)} holds a control character` };
  if (path.endsWith("/")) return { problem: `${quote(whole)} names a directory, not a socket file` };
  const bytes = Buffer.byteLength(path);
  if (bytes > LONGEST_PATH) {
    return {
      problem: `the socket path in ${quote(whole)} has ${bytes} bytes; the system allows ${LONGEST_PATH}`,
    };
  }
  return { kind: "unix", path };
}

function parseAddress(address: string, whole: string): Endpoint | { readonly problem: string } {
  const match = /^(?:(?:\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|([\w.-]+)):)?(\d{1,5})$/.exec(address);
  // `tcp:9998` would be a host of that name: nobody means that.
  if (match === null || (address === whole && OTHER_KIND.test(whole))) {
    return { problem: addressProblem(address, whole) };
  }
  const port = Number(match[3]);
  if (port > 65535) return { problem: `the port in ${quote(whole)} must be at most 65535` };
  return { kind: "inet", host: match[1] ?? match[2] ?? LOOPBACK, port };
}

function addressProblem(address: string, whole: string): string {
  const shown = quote(whole);
  if (address === "") return `${shown} names no endpoint; write inet:127.0.0.1:9998 or unix:/path`;
  if (address.startsWith("*:"))
    return `${shown}: for all addresses write inet:0.0.0.0:PORT, or inet:[::]:PORT`;
  if (OTHER_KIND.test(address)) {
    return `${shown}: unknown kind of endpoint; write inet:host:port or unix:/path`;
  }
  if (address.split(":").length > 2 && !address.includes("[")) {
    return `${shown}: an IPv6 address must be in brackets, as in inet:[::1]:9998`;
  }
  if (/:[a-z][\w-]*$/i.test(address)) return `${shown}: the port must be a number, as in inet:127.0.0.1:9998`;
  if (/^\[?[\w.:%-]+\]?$/.test(address)) return `${shown}: the port is missing; write inet:host:port`;
  return `${shown} is no endpoint; write inet:host:port, inet:[::1]:port, inet:port or unix:/path`;
}

function quote(text: string): string {
  return `"${visible(text.slice(0, 200))}"`;
}
