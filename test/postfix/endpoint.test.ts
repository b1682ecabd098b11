import { describe, expect, it } from "vitest";
import { type Endpoint, formatEndpoint, parseEndpoint } from "../../src/postfix/endpoint.ts";

const inet = (host: string, port: number): Endpoint => ({ kind: "inet", host, port });
const unix = (path: string): Endpoint => ({ kind: "unix", path });

describe("an endpoint", () => {
  it.each<[string, Endpoint, string]>([
    ["inet:127.0.0.1:9998", inet("127.0.0.1", 9998), "inet:127.0.0.1:9998"],
    ["inet:9998", inet("127.0.0.1", 9998), "inet:127.0.0.1:9998"],
    ["inet:[::1]:9998", inet("::1", 9998), "inet:[::1]:9998"],
    ["inet:localhost:9998", inet("localhost", 9998), "inet:localhost:9998"],
    [
      "inet:policy-1.example.com:65535",
      inet("policy-1.example.com", 65535),
      "inet:policy-1.example.com:65535",
    ],
    ["127.0.0.1:9998", inet("127.0.0.1", 9998), "inet:127.0.0.1:9998"],
    ["[fe80::1%eth0]:9998", inet("fe80::1%eth0", 9998), "inet:[fe80::1%eth0]:9998"],
    ["9998", inet("127.0.0.1", 9998), "inet:127.0.0.1:9998"],
    ["unix:/var/spool/postfix/private/pfxbridge", unix("/var/spool/postfix/private/pfxbridge"), ""],
    ["/run/pfxbridge.sock", unix("/run/pfxbridge.sock"), "unix:/run/pfxbridge.sock"],
  ])("is read as Postfix reads it: %s", (text, endpoint, formatted) => {
    expect(parseEndpoint(text)).toEqual(endpoint);
    expect(formatEndpoint(endpoint)).toBe(formatted || text);
    expect(parseEndpoint(formatEndpoint(endpoint))).toEqual(endpoint);
  });

  it.each([
    ["unix:private/pfxbridge", "must be absolute"],
    ["unix:/run/", "names a directory"],
    ["unix:/run/a\nb", "control character"],
    [`unix:/${"x".repeat(107)}`, "108 bytes; the system allows 107"],
    ["inet:::1:9998", "IPv6 address must be in brackets"],
    ["inet:*:9998", "inet:0.0.0.0:PORT"],
    ["inet:127.0.0.1", "port is missing"],
    ["inet:[::1]", "port is missing"],
    ["localhost", "port is missing"],
    ["inet:localhost:smtp", "port must be a number"],
    ["inet:localhost:65536", "at most 65535"],
    ["http://localhost:9998", "unknown kind of endpoint"],
    ["tcp:9998", "unknown kind of endpoint"],
    ["", "names no endpoint"],
    ["inet:", "names no endpoint"],
    ["in et:1\x1b[2J", "is no endpoint"],
  ])("that can't be used is told what to write: %j", (text, problem) => {
    expect(parseEndpoint(text)).toEqual({ problem: expect.stringContaining(problem) });
    expect(JSON.stringify(parseEndpoint(text))).not.toMatch(/\\u001b|\\n/);
  });
});
