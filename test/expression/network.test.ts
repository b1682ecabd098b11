import { describe, expect, it } from "vitest";
import { parseNetwork, siteOf } from "../../src/expression/network.ts";

describe("an address in a network", () => {
  it.each([
    ["10.1.2.3", "10.0.0.0/8", true],
    ["11.1.2.3", "10.0.0.0/8", false],
    ["10.1.2.3", "10.9.9.9/8", true],
    ["192.0.2.127", "192.0.2.0/25", true],
    ["192.0.2.128", "192.0.2.0/25", false],
    ["192.0.2.1", "192.0.2.1", true],
    ["192.0.2.2", "192.0.2.1/32", false],
    ["192.0.2.1", "0.0.0.0/0", true],
    ["2001:db8::1", "0.0.0.0/0", false],
    ["2001:db8:1::1", "2001:db8::/32", true],
    ["2001:db9::1", "2001:db8::/32", false],
    ["2001:db8:ffff::1", "2001:db8:8000::/33", true],
    ["2001:DB8::1", "2001:db8::1", true],
    ["::1", "::1", true],
    ["192.0.2.1", "::/0", false],
    ["fe80::1%eth0", "fe80::/10", true],
    ["::ffff:10.1.2.3", "10.0.0.0/8", true],
    ["10.1.2.3", "::ffff:10.0.0.0/104", true],
    ["11.1.2.3", "::ffff:10.0.0.0/104", false],
    ["10.1.2.3", "::ffff:0:0/96", true],
    ["64:ff9b::192.0.2.33", "64:ff9b::/96", true],
    ["unknown", "0.0.0.0/0", false],
    ["", "::/0", false],
    ["010.1.2.3", "10.0.0.0/8", false],
  ])("%s in %s: %s", (address, network, inside) => {
    expect(parseNetwork(network)?.(address)).toBe(inside);
  });

  it.each([
    "",
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0.0.0/",
    "10.0.0.0/8/8",
    "10.0/8",
    "2001:db8::/129",
    "example.org",
    "::ffff:10.0.0.0/129",
  ])("%j is no network", (text) => expect(parseNetwork(text)).toBeNull());
});

describe("what a host is known by", () => {
  it.each([
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["2001:db8:0:7::25", "2001:db8:0:7::/64"],
    ["2001:DB8:0:7:ffff:1:2:3", "2001:db8:0:7::/64"],
    ["2001:db8::7:1:2:3:4", "2001:db8:0:7::/64"],
    ["::1", "0:0:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["unknown", "unknown"],
    ["a:b", "a:b"],
    ["", ""],
  ])("%s: %s", (address, site) => {
    expect(siteOf(address)).toBe(site);
  });
});
