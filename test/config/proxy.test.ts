import { afterEach, describe, expect, it, vi } from "vitest";
import { parseConfig } from "../../src/config/load.ts";
import { isExempt, proxyFor } from "../../src/config/proxy.ts";
import { ProblemError } from "../../src/source/problem.ts";

afterEach(() => vi.unstubAllEnvs());

/** By what a service is reached, as shown, and what is said of it. */
async function wayOf(url: string, proxy?: string) {
  const more = proxy === undefined ? "" : `, proxy: ${proxy}`;
  try {
    const { services, mask } = await parseConfig(`services: { corp: { url: "${url}"${more} } }\n`, "/x.yaml");
    const { proxies } = services.get("corp")!;
    const way = proxyFor(proxies, new URL(url));
    return {
      url: way?.url ?? null,
      authorization: way?.authorization(),
      mask,
      shown: JSON.stringify(proxies),
    };
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    return { problem: error.problems.map(({ message }) => message).join("\n") };
  }
}

const basic = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`;

describe("proxy of a service", () => {
  it.each([
    ["a URL", '"http://proxy.example.com:3128"', "http://proxy.example.com:3128", undefined],
    [
      "a URL with credentials",
      '"http://u:ge%2Fheim@proxy.example.com"',
      "http://proxy.example.com",
      basic("u:ge/heim"),
    ],
    [
      "credentials beside it",
      '{ url: "http://proxy.example.com:8080", username: u, password: geheim }',
      "http://proxy.example.com:8080",
      basic("u:geheim"),
    ],
  ])("is %s, also for loopback, and its password is masked", async (_name, proxy, url, authorization) => {
    const way = await wayOf("https://localhost:8443", proxy);
    expect(way).toMatchObject({ url, authorization });
    expect(way.shown).not.toContain("heim");
    if (authorization !== undefined) expect(way.mask?.(`x ${authorization} y`)).toBe("x Basic *** y");
  });

  it.each([
    ['"proxy.example.com:3128"', /expected the URL of a proxy, as in http:/],
    ['"socks5://proxy.example.com"', /SOCKS proxies are not spoken/],
    ['"http://u:geheim@proxy.example.com/path"', /ends after its port/],
    ['{ url: "http://u:geheim@proxy.example.com", username: u, password: geheim }', /stand twice/],
    ['{ url: "http://proxy.example.com", username: u }', /belong together/],
    ['{ url: "http://proxy.example.com", username: "a:b", password: geheim }', /no colon/],
  ])("is refused as %s, with what to write", async (proxy, words) => {
    const { problem } = await wayOf("https://authz.example.com", proxy);
    expect(problem).toMatch(words);
    expect(problem).not.toContain("geheim");
  });
});

describe("the environment's proxies", () => {
  const HTTPS = "https://authz.example.com";
  const HTTP = "http://authz.example.com";
  it.each([
    ["https_proxy for https", { https_proxy: "http://p:1" }, HTTPS, "http://p:1"],
    ["HTTPS_PROXY too", { HTTPS_PROXY: "http://p:1" }, HTTPS, "http://p:1"],
    ["in small letters first", { HTTPS_PROXY: "http://p:1", https_proxy: "http://q:1" }, HTTPS, "http://q:1"],
    ["without a scheme", { https_proxy: "p:1" }, HTTPS, "http://p:1"],
    ["not https_proxy for http", { https_proxy: "http://p:1" }, HTTP, null],
    ["http_proxy for http", { http_proxy: "http://p:1" }, HTTP, "http://p:1"],
    ["HTTP_PROXY too", { HTTP_PROXY: "http://p:1" }, HTTP, "http://p:1"],
    [
      "not HTTP_PROXY where it may be a header",
      { HTTP_PROXY: "http://p:1", REQUEST_METHOD: "GET" },
      HTTP,
      null,
    ],
    [
      "all_proxy for what has none",
      { ALL_PROXY: "http://a:1", http_proxy: "http://p:1" },
      HTTPS,
      "http://a:1",
    ],
    ["no_proxy", { https_proxy: "http://p:1", NO_PROXY: "other.example, .example.com" }, HTTPS, null],
    ["never for loopback by name", { all_proxy: "http://p:1" }, "http://localhost:8181", null],
    ["never for loopback by address", { all_proxy: "http://p:1" }, "http://127.1.2.3", null],
    ["never for loopback of IPv6", { all_proxy: "http://p:1" }, "http://[::1]:8181", null],
  ])("are used as curl documents: %s", async (_name, variables, url, expected) => {
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
    expect(await wayOf(url)).toMatchObject({ url: expected });
    expect(await wayOf(url, "false")).toMatchObject({ url: null });
  });

  it("are refused where they cannot be used, by the variable's name and not its value", async () => {
    vi.stubEnv("https_proxy", "socks5://u:geheim@p:1");
    const { problem } = await wayOf(HTTPS);
    expect(problem).toMatch(/variable https_proxy names no proxy that can be used: SOCKS.*set proxy: false/);
    expect(problem).not.toContain("geheim");
  });

  it.each([
    ["*", "https://a.example", true],
    ["example.com", "https://example.com", true],
    ["example.com", "https://authz.example.com", true],
    [".example.com", "https://authz.example.com", true],
    ["*.example.com", "https://authz.example.com", true],
    ["EXAMPLE.com.", "https://authz.example.com", true],
    ["example.com", "https://badexample.com", false],
    ["example.com:8443", "https://authz.example.com:8443", true],
    ["example.com:8443", "https://authz.example.com", false],
    ["example.com:443", "https://authz.example.com", true],
    ["192.0.2.7", "https://192.0.2.7", true],
    ["192.0.2.0/24", "https://192.0.2.7", true],
    ["192.0.2.0/24", "https://192.0.3.7", false],
    ["192.0.2.0/99", "https://192.0.2.7", false],
    ["192.0.2.0/24", "https://authz.example.com", false],
    ["2001:db8::/32", "https://[2001:db8::7]", true],
    ["2001:db8::7", "https://[2001:db8:0::7]", true],
    ["[2001:db8::7]:443", "https://[2001:db8::7]", true],
    ["[2001:db8::7]:444", "https://[2001:db8::7]", false],
    ["", "https://a.example", false],
    [".", "https://a.example", false],
  ])("leave out what no_proxy names: %s and %s", (entry, url, expected) => {
    expect(isExempt([entry], new URL(url))).toBe(expected);
  });
});

describe("a service at a socket file", () => {
  const problemsOf = async (settings: string) => {
    try {
      const { services } = await parseConfig(`services: { corp: { ${settings} } }\n`, "/x.yaml");
      return services.get("corp")!.urls.join();
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      return error.problems.map(({ message }) => message).join("\n");
    }
  };
  it.each([
    ["url: unix:/run/opa.sock", /^unix:\/run\/opa\.sock$/],
    ["url: unix:/run/opa.sock, host: opa.example.com", /^unix:\/run\/opa\.sock$/],
    ["url: http://unix:/run/opa.sock", /as in url: unix:\/run\/opa\.sock/],
    ["url: http://unix%3A/run/opa.sock", /as in url: unix:\/run\/opa\.sock/],
    ["url: unix:run/opa.sock", /is absolute, as in unix:\/run\/opa\.sock/],
    ["url: unix:///run/opa.sock", /is absolute, as in unix:\/run\/opa\.sock/],
    [`url: unix:/${"x".repeat(200)}`, /107 bytes at most/],
    ["url: https://a.example, host: b.example", /other URLs hold their host/],
    ['url: unix:/run/opa.sock, host: "a b"', /expected a host/],
  ])("{ %s }", async (settings, expected) => {
    expect(await problemsOf(settings)).toMatch(expected);
  });
});
