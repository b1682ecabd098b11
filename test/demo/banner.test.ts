import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { demoBanner } from "../../src/demo/banner.ts";
import { demoConfig } from "../../src/demo/config.ts";

const URL = "http://127.0.0.1:65535";

describe("what the demo prints first", () => {
  it("fits 80 columns of plain text", () => {
    const lines = demoBanner(URL).split("\n");
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
    expect(lines.join("")).toMatch(/^[\x20-\x7e]*$/);
  });

  it("names the endpoint wherever something is to be typed", () => {
    const banner = demoBanner(URL, "inet:127.0.0.1:10001");
    expect(banner).toContain("npx pfxbridge try --to inet:127.0.0.1:10001 sender=foo@example.com");
    expect(banner).toContain("check_policy_service inet:127.0.0.1:10001");
    expect(banner).not.toContain("9998");
  });

  it("lists the table", () => {
    expect(demoBanner(URL)).toMatch(/^ +1\.2\.3\.4 +foo@example\.com$/m);
  });
});

describe("the demo's configuration", () => {
  it("asks over SOAP where policy_context says so, else by AuthZEN", () => {
    expect(parse(demoConfig(URL))).toEqual({
      listen: ["inet:127.0.0.1:9998"],
      services: {
        authzen: {
          url: URL,
          mapping: "authzen",
          cache: { ttl: "2000ms", stale_if_error: "1h" },
          breaker: { minimum_calls: 6, open_for: "3000ms" },
        },
        soap: { url: `${URL}/soap`, mapping: "soap" },
      },
      log: { format: "pretty" },
      routes: [{ when: 'policy_context == "soap"', service: "soap" }, { service: "authzen" }],
    });
  });
});
