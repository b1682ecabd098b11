import { isIPv4 } from "node:net";

/**
 * Whether a host is this machine for sure: an address of it, or the name that every system has for it.
 *
 * @param host as in an endpoint or a URL; an IPv6 address with or without brackets
 */
export function isLoopback(host: string): boolean {
  return ["localhost", "::1", "[::1]"].includes(host) || (isIPv4(host) && host.startsWith("127."));
}
