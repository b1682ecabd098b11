/** `auth.oauth2` against a token endpoint that does what real ones do on a bad day. */
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import { type Answer, AuthorizationService, type Call } from "../support/service.ts";
import { TestAuthority } from "../upstream/certificates.ts";
import { open } from "./bridge.ts";

const MAPPING = {
  request: { path: "/check", json: { sender: "${sender}" } },
  response: [
    { when: "status == 200", action: "DUNNO" },
    { when: "status == 403", action: "REJECT" },
  ],
};
const SECRET = "client-s3cret-value";

interface Given {
  readonly oauth2?: object;
  readonly service?: object;
  /** In seconds. */
  readonly lifetime?: number | null;
  readonly tokens?: (call: Call, count: number) => Answer | Promise<Answer>;
  readonly answering?: (call: Call) => Answer | Promise<Answer>;
  readonly files?: Readonly<Record<string, unknown>>;
}

async function opened(given: Given = {}) {
  const { lifetime = 3600 } = given;
  let count = 0;
  const give = (n: number): Answer => ({
    body: {
      access_token: `access-token-number-${n}`,
      token_type: "Bearer",
      ...(lifetime !== null && { expires_in: lifetime }),
    },
  });
  const tokens = await AuthorizationService.start((call) => {
    count++;
    return given.tokens?.(call, count) ?? give(count);
  });
  const service = await AuthorizationService.start(given.answering ?? (() => ({ body: {} })));
  onTestFinished(async () => {
    await tokens.stop();
    await service.stop();
  });
  const oauth2 = {
    token_url: `${tokens.url}/token`,
    client_id: "bridge",
    client_secret: SECRET,
    scope: ["mail", "policy"],
    audience: "authz",
    resource: ["https://one.example", "https://two.example"],
    parameters: { tenant: 7 },
    ...given.oauth2,
  };
  const bridge = await open(
    {
      services: {
        s: {
          url: service.url,
          mapping: "./m.yaml",
          auth: { oauth2 },
          on_failure: "DEFER ${cause}",
          retry: { attempts: 1 },
          timeout: "2s",
          deadline: "4s",
          ...given.service,
        },
      },
    },
    { "m.yaml": MAPPING, ...given.files },
  );
  const shown = () => service.calls.map(({ headers }) => headers.authorization);
  return { tokens, service, bridge, shown, give };
}

describe("a token", () => {
  it("is fetched once for all who ask at the same time, by what the client is to show", async () => {
    const { tokens, bridge, shown } = await opened();
    const answers = await Promise.all(Array.from({ length: 40 }, () => bridge.ask()));
    expect(new Set(answers)).toEqual(new Set(["DUNNO"]));
    expect(tokens.calls.length).toBe(1);
    const [call] = tokens.calls;
    expect([...new URLSearchParams(call!.text)].sort()).toEqual([
      ["audience", "authz"],
      ["grant_type", "client_credentials"],
      ["resource", "https://one.example"],
      ["resource", "https://two.example"],
      ["scope", "mail policy"],
      ["tenant", "7"],
    ]);
    const basic = Buffer.from(`bridge:${encodeURIComponent(SECRET)}`).toString("base64");
    expect(call!.headers.authorization?.toLowerCase()).toContain("basic ");
    expect(
      Buffer.from(call!.headers.authorization!.slice(6), "base64").toString().replaceAll("%2D", "-"),
    ).toBe(Buffer.from(basic, "base64").toString());
    expect(new Set(shown())).toEqual(new Set(["Bearer access-token-number-1"]));
  });

  it("is sent in the body where the server wants the secret there", async () => {
    const { tokens, bridge } = await opened({ oauth2: { method: "client_secret_post" } });
    expect(await bridge.ask()).toBe("DUNNO");
    expect(new URLSearchParams(tokens.calls[0]!.text).get("client_secret")).toBe(SECRET);
    expect(tokens.calls[0]!.headers.authorization).toBeUndefined();
  });

  it("is renewed behind the calls: none waits while it is good, though the endpoint takes its time", async () => {
    let slow = false;
    const { tokens, bridge } = await opened({
      lifetime: 2,
      tokens: async (_, n) => {
        if (slow) await sleep(250);
        return { body: { access_token: `access-token-number-${n}`, token_type: "bearer", expires_in: 2 } };
      },
    });
    expect(await bridge.ask()).toBe("DUNNO");
    slow = true;
    const waits: number[] = [];
    const end = performance.now() + 3500;
    while (performance.now() < end) {
      const begun = performance.now();
      expect(await bridge.ask()).toBe("DUNNO");
      waits.push(performance.now() - begun);
      await sleep(5);
    }
    expect(tokens.calls.length).toBeGreaterThanOrEqual(3);
    // A renewal takes 250 ms; a few calls may be late because the machine is.
    expect(waits.filter((wait) => wait > 200).length).toBeLessThan(3);
  });

  it("stays in use while no other can be had, and the log says so", async () => {
    const { tokens, bridge, shown } = await opened({ lifetime: 3 });
    expect(await bridge.ask()).toBe("DUNNO");
    await tokens.stop();
    await sleep(2500);
    expect(await bridge.ask()).toBe("DUNNO");
    await expect
      .poll(() => bridge.lines.find(({ msg }) => String(msg).startsWith("no new token could be fetched")))
      .toMatchObject({ level: "warn", cause: "unreachable", service: "s" });
    expect(await bridge.ask()).toBe("DUNNO");
    expect(new Set(shown())).toEqual(new Set(["Bearer access-token-number-1"]));
    await sleep(700);
    expect(await bridge.ask()).toBe("DEFER unreachable");
    expect(String(bridge.lines.at(-1)!.detail)).toContain(`${tokens.url}/token: it refused the connection`);
  });

  it("without a lifetime is used until it is refused", async () => {
    let refuse = false;
    const { bridge, shown, tokens } = await opened({
      lifetime: null,
      answering: ({ headers }) => ({
        status: refuse && headers.authorization?.endsWith("1") ? 401 : 200,
        body: {},
      }),
    });
    expect(await bridge.ask()).toBe("DUNNO");
    await sleep(1100);
    refuse = true;
    expect(await bridge.ask()).toBe("DUNNO");
    expect(shown()).toEqual([1, 1, 2].map((n) => `Bearer access-token-number-${n}`));
    expect(tokens.calls.length).toBe(2);
    expect(bridge.lines.at(-1)).toMatchObject({ attempts: 2, source: "upstream" });
  });

  it("that is refused by a service that refuses all is fetched anew once in a while, not for each call", async () => {
    const { bridge, tokens, service } = await opened({ answering: () => ({ status: 401, body: {} }) });
    for (let n = 0; n < 20; n++) expect(await bridge.ask()).toBe("DEFER http_4xx");
    expect(tokens.calls.length).toBe(1);
    expect(service.calls.length).toBe(20);
    await sleep(1100);
    await Promise.all(Array.from({ length: 20 }, () => bridge.ask()));
    expect(tokens.calls.length).toBe(2);
  });

  it("that somebody echoes is masked, as is the client's secret", async () => {
    const { bridge } = await opened({
      answering: ({ headers }) => ({ status: 403, body: { you: headers.authorization } }),
      files: { "m.yaml": { ...MAPPING, response: [{ when: "status == 403", action: "REJECT ${text}" }] } },
    });
    expect(await bridge.ask()).toBe('REJECT {"you":"Bearer ***"}');
    expect(JSON.stringify(bridge.lines)).not.toMatch(/access-token-number|s3cret/);
  });

  it("is no part of what a reply is remembered by", async () => {
    let answered = 0;
    const { bridge, service } = await opened({
      lifetime: 1,
      service: { cache: {} },
      answering: () => ({ body: { answered: ++answered } }),
    });
    expect(await bridge.ask()).toBe("DUNNO");
    await sleep(1100);
    expect(await bridge.ask()).toBe("DUNNO");
    expect(service.calls.length).toBe(1);
    expect(await bridge.ask({ sender: "other@example.net" })).toBe("DUNNO");
    expect(service.calls.length).toBe(2);
  });
});

describe("a token endpoint that fails", () => {
  it("hangs: the deadline holds, and the detail names it", async () => {
    const { tokens, bridge } = await opened({
      tokens: () => new Promise(() => {}),
      service: { timeout: "300ms", deadline: "600ms" },
    });
    const begun = performance.now();
    expect(await bridge.ask()).toBe("DEFER timeout");
    expect(performance.now() - begun).toBeLessThan(2000);
    expect(String(bridge.lines.at(-1)!.detail)).toContain(`${tokens.url}/token`);
  });

  it("has a circuit of its own, and the service's stays closed", async () => {
    const { tokens, bridge, service } = await opened({
      tokens: () => ({ status: 503 }),
      service: { breaker: { open_for: "400ms" } },
    });
    for (let n = 0; n < 3; n++) expect(await bridge.ask()).toBe("DEFER http_5xx");
    expect(await bridge.ask()).toBe("DEFER circuit_open");
    expect(String(bridge.lines.at(-1)!.detail)).toContain(`no token: ${tokens.url}/token is not called`);
    expect(
      bridge.lines.find(({ msg }) => String(msg).startsWith("circuit opened: the token endpoint")),
    ).toBeDefined();
    expect(tokens.calls.length).toBe(3);
    expect(service.calls.length).toBe(0);
    tokens.answering = () => ({
      body: { access_token: "access-token-again", token_type: "bearer", expires_in: 60 },
    });
    await sleep(500);
    expect(await bridge.ask()).toBe("DUNNO");
  });

  it.each([
    ["invalid_client", 401, "revoked or expired"],
    ["unauthorized_client", 400, "allow it the grant client_credentials"],
    ["invalid_scope", 400, "check auth.oauth2.scope"],
    ["invalid_target", 400, "check auth.oauth2.audience and auth.oauth2.resource"],
  ])("says %s: what it means and what to do, and is not asked for each call", async (error, status, hint) => {
    const { tokens, bridge } = await opened({
      tokens: () => ({
        status,
        headers: {
          "www-authenticate": 'Basic realm="x"',
          date: new Date(Date.now() - 600_000).toUTCString(),
        },
        body: { error, error_description: "no\u0007way" },
      }),
    });
    for (let n = 0; n < 5; n++) expect(await bridge.ask()).toBe("DEFER http_4xx");
    const detail = String(bridge.lines.at(-1)!.detail);
    expect(detail).toContain(`no token: ${tokens.url}/token: ${error}, HTTP status ${status}: no way`);
    expect(detail).toContain(hint);
    expect(detail).toContain("this machine's clock is 10 min ahead of the one there");
    expect(tokens.calls.length).toBe(1);
  });

  it.each([
    ["no JSON", { body: "<html>" }, "bad_reply"],
    ["no token", { body: { token_type: "bearer" } }, "bad_reply"],
    ["a token of another type", { body: { access_token: "a-token", token_type: "mac" } }, "bad_reply"],
    ["a token with a line break", { body: { access_token: "a\r\nb: c", token_type: "bearer" } }, "bad_reply"],
    ["a redirect", { status: 302, headers: { location: "http://127.0.0.1:1/" } }, "bad_reply"],
    [
      "more than a token can be",
      { body: { access_token: "x".repeat(300_000), token_type: "bearer" } },
      "bad_reply",
    ],
    ["nothing to be found", { status: 404, body: "" }, "http_4xx"],
  ])("gives %s", async (_, answer, cause) => {
    const { tokens, bridge, service } = await opened({ tokens: () => answer });
    expect(await bridge.ask()).toBe(`DEFER ${cause}`);
    expect(String(bridge.lines.at(-1)!.detail)).toContain(`${tokens.url}/token`);
    expect(service.calls).toEqual([]);
  });
});

describe("an issuer", () => {
  const metadata = (tokens: AuthorizationService, more: object = {}) => ({
    body: { issuer: tokens.url, token_endpoint: `${tokens.url}/elsewhere/token`, ...more },
  });

  async function discovered(answer: (call: Call, tokens: AuthorizationService) => Answer | undefined) {
    const tokens: AuthorizationService = await AuthorizationService.start((call) => {
      const own = answer(call, tokens);
      if (own !== undefined) return own;
      return { body: { access_token: "access-token-of-issuer", token_type: "bearer", expires_in: 60 } };
    });
    onTestFinished(() => tokens.stop());
    const { bridge } = await opened({ oauth2: { token_url: undefined, issuer: tokens.url } });
    return { tokens, bridge };
  }

  it.each(["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"])(
    "says where tokens are: %s",
    async (place) => {
      const { tokens, bridge } = await discovered(({ url }, issuer) => {
        if (url === place) return metadata(issuer);
        return url.startsWith("/.well-known") ? { status: 404 } : undefined;
      });
      expect(await bridge.ask()).toBe("DUNNO");
      expect(await bridge.ask()).toBe("DUNNO");
      expect(tokens.calls.filter(({ url }) => url === "/elsewhere/token").length).toBe(1);
    },
  );

  it.each([
    ["is another", { issuer: "https://another.example" }, "calls itself https://another.example"],
    ["sends secrets over http://", { token_endpoint: "http://192.0.2.1/token" }, "https:// alone"],
    ["names no token endpoint", { token_endpoint: undefined }, "names no token_endpoint"],
  ])("that %s is not used", async (_, more, message) => {
    const { tokens, bridge } = await discovered(({ url }, issuer) =>
      url.startsWith("/.well-known") ? metadata(issuer, more) : undefined,
    );
    expect(await bridge.ask()).toBe("DEFER bad_reply");
    expect(String(bridge.lines.at(-1)!.detail)).toContain(message);
    expect(tokens.calls.some(({ url }) => url === "/elsewhere/token")).toBe(false);
  });

  it("that is none says where it was looked for", async () => {
    const { tokens, bridge } = await discovered(() => ({ status: 404 }));
    expect(await bridge.ask()).toBe("DEFER http_4xx");
    expect(String(bridge.lines.at(-1)!.detail)).toContain(`${tokens.url}/.well-known/openid-configuration`);
  });
});

describe("a mistake in oauth2", () => {
  const authority = new TestAuthority();
  const pair = authority.issue("client", "DNS:bridge");
  afterAll(() => authority.remove());
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = rsa.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const encrypted = rsa.privateKey
    .export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "opensesame" })
    .toString();
  const files = {
    "pair.pem": readFileSync(pair.key, "utf8"),
    "pair.crt": readFileSync(pair.cert, "utf8"),
    "another.crt": readFileSync(authority.certificate, "utf8"),
    "rsa.pem": pem,
    "encrypted.pem": encrypted,
    "public.pem": rsa.publicKey.export({ type: "spki", format: "pem" }).toString(),
    "small.pem": generateKeyPairSync("rsa", { modulusLength: 1024 })
      .privateKey.export({ type: "pkcs8", format: "pem" })
      .toString(),
    "ed448.pem": generateKeyPairSync("ed448").privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
  const key = (file: string) => ({ client_secret: undefined, private_key: { file } });

  it.each([
    [{ token_url: "http://login.example.com/token" }, "https:// alone"],
    [{ issuer: "https://login.example.com" }, "either token_url, or issuer"],
    [{ client_secret: undefined }, "nothing shows who the client is"],
    [{ method: "tls_client_auth" }, "needs a client certificate"],
    [{ method: "private_key_jwt" }, "private_key_jwt needs private_key"],
    [{ parameters: { grant_type: "password" } }, "grant_type is set by auth.oauth2 itself"],
    [key("public.pem"), "there is no private key in it, but a public key"],
    [key("small.pem"), "the RSA key has 1024 bits"],
    [key("encrypted.pem"), "the private key is encrypted; set passphrase"],
    [{ ...key("encrypted.pem"), passphrase: "wrong-one" }, "cannot be decrypted"],
    [{ ...key("rsa.pem"), algorithm: "ES256" }, "algorithm ES256 needs an EC key, and this is one of RSA"],
    [{ ...key("rsa.pem"), certificate: "rsa.pem" }, "there is no certificate in it"],
    [{ ...key("rsa.pem"), certificate: "another.crt" }, "the certificate is that of another key"],
    [key("ed448.pem"), "a key of type ed448 cannot be used"],
  ])("%j", async (oauth2, message) => {
    await expect(opened({ oauth2, files })).rejects.toThrow(message);
  });

  it("none: a key with its certificate, which the assertion names by its thumbprints", async () => {
    const { tokens, bridge } = await opened({
      oauth2: { ...key("pair.pem"), certificate: "pair.crt" },
      files,
    });
    expect(await bridge.ask()).toBe("DUNNO");
    const assertion = new URLSearchParams(tokens.calls[0]!.text).get("client_assertion")!;
    const header = JSON.parse(Buffer.from(assertion.split(".")[0]!, "base64url").toString());
    // As openssl has it: `sha1 Fingerprint=AB:CD:…`
    const fingerprint = (hash: string) => {
      const printed = execFileSync("openssl", ["x509", "-in", pair.cert, "-noout", "-fingerprint", hash]);
      const hex = printed.toString().trim().split("=")[1]!.replaceAll(":", "");
      return Buffer.from(hex, "hex").toString("base64url");
    };
    expect(header).toMatchObject({ x5t: fingerprint("-sha1"), "x5t#S256": fingerprint("-sha256") });
  });

  it("none: an encrypted key with its passphrase", async () => {
    const { tokens, bridge } = await opened({
      oauth2: { ...key("encrypted.pem"), passphrase: "opensesame", key_id: "k1" },
      files,
    });
    expect(await bridge.ask()).toBe("DUNNO");
    const assertion = new URLSearchParams(tokens.calls[0]!.text).get("client_assertion")!;
    const [header, payload] = assertion
      .split(".")
      .slice(0, 2)
      .map((part) => JSON.parse(Buffer.from(part, "base64url").toString()));
    expect(header).toEqual({ alg: "RS256", kid: "k1" });
    expect(payload).toMatchObject({ iss: "bridge", sub: "bridge", aud: `${tokens.url}/token` });
  });
});
