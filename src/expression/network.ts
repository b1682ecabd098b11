/**
 * Whether an IP address is in a network: `ip_in(client_address, "10.0.0.0/8")`.
 *
 * IPv4 and IPv6. A v4-mapped address (`::ffff:10.1.2.3`, RFC 4291 §2.5.5.2) is the IPv4 address that it stands for, on
 * both sides; an IPv4 address is in no other IPv6 network. What is no address is in no network.
 */
import { isIPv4, isIPv6 } from "node:net";

/** A test for one network. */
export type Network = (address: string) => boolean;

/** An address as 16-bit groups: two for IPv4, eight for IPv6. */
type Groups = readonly number[];

/**
 * @param cidr `10.0.0.0/8`, `2001:db8::/32`, or a single address; bits behind the prefix do not count
 * @returns null when it is no network
 */
export function parseNetwork(cidr: string): Network | null {
  const [text = "", prefix, ...rest] = cidr.trim().split("/");
  const written = groupsOf(text);
  if (written === null || rest.length > 0) return null;
  if (prefix !== undefined && !/^[0-9]{1,3}$/.test(prefix)) return null;
  const base = unmapped(written);
  // The prefix of a mapped network counts from the start of the IPv6 address.
  const shift = (written.length - base.length) * 16;
  const bits = prefix === undefined ? base.length * 16 : Number(prefix) - shift;
  if (bits > base.length * 16) return null;
  return bits < 0 ? networkTest(written, Number(prefix)) : networkTest(base, bits);
}

/**
 * What one host, or the network that one customer has, is known by: an IPv4 address itself, of an IPv6 address its first 64 bits
 * (RFC 6177), and what is no address as it is.
 *
 *     siteOf("2001:db8:0:7::25")    // "2001:db8:0:7::/64"
 *     siteOf("::ffff:192.0.2.1")    // "192.0.2.1"
 */
export function siteOf(address: string): string {
  if (!address.includes(":")) return address;
  const written = groupsOf(address);
  if (written === null) return address;
  const groups = unmapped(written);
  if (groups.length === 2) return groups.flatMap((group) => [group >> 8, group & 0xff]).join(".");
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(":")}::/64`;
}

function networkTest(base: Groups, bits: number): Network {
  const masks = base.map(
    (_, index) => (0xffff << (16 - Math.min(16, Math.max(0, bits - index * 16)))) & 0xffff,
  );
  const wanted = base.map((group, index) => group & (masks[index] ?? 0));
  return (address) => {
    const groups = groupsOf(address);
    if (groups === null) return false;
    const actual = unmapped(groups);
    if (actual.length !== wanted.length) return false;
    for (let index = 0; index < wanted.length; index++) {
      if (((actual[index] ?? 0) & (masks[index] ?? 0)) !== wanted[index]) return false;
    }
    return true;
  };
}

function groupsOf(address: string): Groups | null {
  if (isIPv4(address)) return ipv4Groups(address);
  const percent = address.indexOf("%");
  const text = percent === -1 ? address : address.slice(0, percent);
  return isIPv6(text) ? ipv6Groups(text) : null;
}

function ipv4Groups(address: string): number[] {
  const [a = 0, b = 0, c = 0, d = 0] = address.split(".").map(Number);
  return [a * 256 + b, c * 256 + d];
}

function ipv6Groups(address: string): number[] {
  const [head = "", tail] = address.split("::");
  const left = groupList(head);
  if (tail === undefined) return left;
  const right = groupList(tail);
  return [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
}

function groupList(text: string): number[] {
  if (text === "") return [];
  return text
    .split(":")
    .flatMap((group) => (group.includes(".") ? ipv4Groups(group) : [Number.parseInt(group, 16)]));
}

function unmapped(groups: Groups): Groups {
  const mapped =
    groups.length === 8 && groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0);
  return mapped ? groups.slice(6) : groups;
}
