/** HTTP proxies that companies have: squid and tinyproxy, with and without credentials, in front of nginx. */
import { once } from "node:events";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import tls from "node:tls";
import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import { proxyFor } from "../../src/config/proxy.ts";
import { Secret } from "../../src/config/secret.ts";
import type { UpstreamOptions } from "../../src/upstream/options.ts";
import { isMissing } from "../support/requirement.ts";
import { startServer } from "../support/server-process.ts";
import { freePort, temporaryFolder } from "../support/temporary.ts";
import { TestAuthority } from "../upstream/certificates.ts";
import { caller, rawService } from "../upstream/harness.ts";

const authority = new TestAuthority();
afterAll(() => authority.remove());
const ca = authority.certificate;
const server = authority.issue("server", "DNS:localhost");
const client = authority.issue("client", "DNS:bridge.example.com");
const [USER, PASSWORD] = ["bridge", "ge-heim"];

interface RunningProxy {
  readonly url: string;
  /** Its access log. */
  log(): string;
}

/** Listens for HTTP with HTTP/2 by prior knowledge, and for HTTPS; says what it was asked, and by whom. */
async function nginx(): Promise<{ plain: string; h2c: string; secure: string }> {
  const folder = await temporaryFolder();
  const [plain, h2c, secure] = [await freePort(), await freePort(), await freePort()];
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${folder.path};`)
    .join(" ");
  const say =
    'location / { return 200 "$request_method $request_uri $server_protocol host=$http_host auth=$http_authorization proxyauth=$http_proxy_authorization client=$ssl_client_s_dn"; }';
  writeFileSync(
    join(folder.path, "nginx.conf"),
    `daemon off; pid ${folder.path}/pid; error_log stderr; worker_processes 1; events { worker_connections 64; }
    http { access_log off; ${temporary}
      server { listen 127.0.0.1:${plain}; ${say} }
      server { listen 127.0.0.1:${h2c} http2; ${say} }
      server { listen 127.0.0.1:${secure} ssl http2; ssl_certificate ${server.cert}; ssl_certificate_key ${server.key};
        ssl_client_certificate ${ca}; ssl_verify_client optional; ${say} } }`,
  );
  await startServer("nginx", ["-c", join(folder.path, "nginx.conf")], secure);
  return {
    plain: `http://localhost:${plain}`,
    h2c: `http://localhost:${h2c}`,
    secure: `https://localhost:${secure}`,
  };
}

async function squid(withCredentials: boolean, more = ""): Promise<RunningProxy> {
  const folder = await temporaryFolder();
  chmodSync(folder.path, 0o777);
  const port = await freePort();
  // What squid's helpers say: OK or ERR for each line of user and password, %-encoded.
  const helper = join(folder.path, "helper");
  writeFileSync(
    helper,
    `#!/bin/sh\nwhile read -r line; do [ "$line" = "bridge ge-heim" ] && echo OK || echo ERR; done\n`,
  );
  chmodSync(helper, 0o755);
  const auth = withCredentials
    ? `auth_param basic program ${helper}\nauth_param basic children 1\nacl known proxy_auth REQUIRED\nhttp_access deny !known`
    : "";
  writeFileSync(
    join(folder.path, "squid.conf"),
    `http_port 127.0.0.1:${port}\npid_filename none\ncache deny all\ncache_mem 8 MB\nshutdown_lifetime 0 seconds
access_log stdio:${folder.path}/access.log\ncache_log ${folder.path}/cache.log\ncoredump_dir ${folder.path}\nvisible_hostname proxy
pinger_enable off\nnetdb_filename none\nconnect_timeout 2 seconds\nhosts_file /etc/hosts\n${more}\n${auth}\nhttp_access allow all\n`,
  );
  const { output } = await startServer(
    "squid",
    ["-N", "-d", "1", "-f", join(folder.path, "squid.conf")],
    port,
  );
  return { url: `http://127.0.0.1:${port}`, log: output };
}

async function tinyproxy(withCredentials: boolean, more = ""): Promise<RunningProxy> {
  const folder = await temporaryFolder();
  const port = await freePort();
  const auth = withCredentials ? `BasicAuth ${USER} ${PASSWORD}` : "";
  writeFileSync(
    join(folder.path, "tinyproxy.conf"),
    `Port ${port}\nListen 127.0.0.1\nTimeout 30\nMaxClients 20\nLogLevel Info\nAllow 127.0.0.1\n${more}\n${auth}\n`,
  );
  const { output } = await startServer("tinyproxy", ["-d", "-c", join(folder.path, "tinyproxy.conf")], port);
  return { url: `http://127.0.0.1:${port}`, log: output };
}

function by(url: string, password: string | null = null): Pick<UpstreamOptions, "proxy"> {
  const credentials =
    password === null ? {} : { credentials: { username: USER, password: new Secret(password) } };
  const settings = { url, ...credentials };
  return {
    proxy: (target) =>
      proxyFor({ http: settings, https: settings, exempt: [], fromEnvironment: false }, target),
  };
}

describe.skipIf(isMissing("nginx", "tests of proxies")).each([
  ["squid", squid, isMissing("squid", "tests of squid")],
  ["tinyproxy", tinyproxy, isMissing("tinyproxy", "tests of tinyproxy")],
] as const)("by %s", (_name, start, missing) => {
  it.skipIf(missing).each([
    ["without credentials", false],
    ["with credentials, which the service does not see", true],
  ])("calls are made %s", async (_how, withCredentials) => {
    const [{ url }, { plain, secure, h2c }] = [await start(withCredentials), await nginx()];
    const proxy = by(url, withCredentials ? PASSWORD : null);
    const timeout = 5000;
    const asked = await caller(plain, { ...proxy, timeout }).call({ path: "/a?b=c" });
    expect(asked.answer).toMatchObject({
      body: expect.stringMatching(
        /^POST \/a\?b=c HTTP\/1\.[01] host=localhost:\d+ auth= proxyauth= client=$/,
      ),
    });
    const { call } = caller(secure, { ...proxy, timeout, tls: { ca, ...client } });
    for (let n = 0; n < 3; n++) {
      expect((await call()).answer).toMatchObject({
        body: expect.stringMatching(/^POST \/check HTTP\/1\.1 .* auth= proxyauth= client=CN=client$/),
      });
    }
    const multiplexed = caller(secure, { ...proxy, timeout, tls: { ca }, http2: true });
    expect((await multiplexed.call()).answer).toMatchObject({
      body: expect.stringMatching(/^POST \/check HTTP\/2\.0 .* proxyauth= /),
    });
    const prior = caller(h2c, { ...proxy, timeout, http2: true });
    expect((await prior.call()).answer).toMatchObject({ body: expect.stringMatching(/ HTTP\/2\.0 /) });
  });

  it.skipIf(missing)("a missing or wrong password is told with what to do, and not shown", async () => {
    const [{ url }, { plain, secure }] = [await start(true), await nginx()];
    for (const target of [plain, secure]) {
      const without = await caller(target, { ...by(url), tls: { ca } }).failure();
      expect(without).toMatchObject({
        cause: "unreachable",
        detail: expect.stringMatching(/the proxy http:\S+ wants credentials; set proxy: \{ url: …, username/),
      });
      const wrong = await caller(target, { ...by(url, "falsch"), tls: { ca } }).failure();
      expect(wrong).toMatchObject({
        cause: "unreachable",
        detail: expect.stringMatching(
          /via http:\S+: the proxy \S+ (does not accept these credentials|does not allow)/,
        ),
      });
      expect(wrong.detail).not.toContain("falsch");
    }
  });

  it.skipIf(missing)("a service that the proxy cannot reach is told as the proxy's word", async () => {
    const { url } = await start(false);
    const port = await freePort();
    for (const target of [`http://localhost:${port}`, `https://localhost:${port}`, "https://authz.invalid"]) {
      expect(await caller(target, { ...by(url), timeout: 5000 }).failure(6000)).toMatchObject({
        cause: "unreachable",
        detail: expect.stringMatching(
          / via http:\S+: the proxy \S+ could not reach (localhost|authz\.invalid):\d+ \(50\d\)/,
        ),
      });
    }
  });

  it.skipIf(missing)("what the proxy forbids is told as forbidden there", async () => {
    const rule = _name === "squid" ? "acl mine dstdomain localhost\nhttp_access deny mine" : "ConnectPort 1";
    const { url } = await start(false, rule);
    expect(await caller("https://localhost:9", by(url)).failure()).toMatchObject({
      cause: "unreachable",
      detail: expect.stringMatching(/does not allow connections to localhost:9 \(403\); allow them there/),
    });
  });
});

describe("a proxy", () => {
  it("that is not there is told as such, with its own address", async () => {
    const port = await freePort();
    expect(await caller("https://authz.example.com", by(`http://127.0.0.1:${port}`)).failure()).toMatchObject(
      {
        cause: "unreachable",
        detail: expect.stringMatching(
          new RegExp(
            `authz\\.example\\.com via http://127\\.0\\.0\\.1:${port}: the proxy \\S+ refused the connection; is it running`,
          ),
        ),
      },
    );
  });

  it.each([
    ["says nothing", "", "timeout", /it was still waiting for the proxy to connect/],
    [
      "is no proxy",
      "220 mail.example.org ESMTP\r\n\r\n",
      "unreachable",
      /is no HTTP proxy; check the url of proxy/,
    ],
    [
      "never ends its header",
      `HTTP/1.1 200 OK\r\nX: ${"x".repeat(20_000)}`,
      "unreachable",
      /is no HTTP proxy/,
    ],
    [
      "speaks NTLM alone",
      "HTTP/1.1 407 No\r\nProxy-Authenticate: NTLM\r\n\r\n",
      "unreachable",
      /offers NTLM, and only Basic is spoken/,
    ],
    [
      "is overloaded",
      "HTTP/1.1 504 Gateway Timeout\r\n\r\n",
      "unreachable",
      /got no answer from authz\.example\.com:443 in time \(504\)/,
    ],
  ])("that %s does not hold a call longer than its timeout", async (_how, reply, cause, words) => {
    let asked = "";
    const url = await rawService((socket) =>
      socket.on("data", (chunk) => {
        asked += chunk;
        if (reply !== "") socket.write(reply);
      }),
    );
    const options = { ...by(url, PASSWORD), timeout: 500 };
    expect(await caller("https://authz.example.com", options).failure()).toMatchObject({
      cause,
      detail: expect.stringMatching(words),
    });
    expect(asked).toMatch(/^CONNECT authz\.example\.com:443 HTTP\/1\.1\r\nHost: authz\.example\.com:443\r\n/);
    expect(asked).toContain(Buffer.from(`${USER}:${PASSWORD}`).toString("base64"));
  });

  it("that speaks TLS is spoken to so", async () => {
    const { plain, secure } = await nginx();
    const proxy = tls.createServer(
      { cert: readFileSync(server.cert), key: readFileSync(server.key) },
      (socket) => {
        socket.on("error", () => {});
        socket.once("data", (head) => {
          const [, host, port] = /(?:CONNECT |http:\/\/)([^:]+):(\d+)/.exec(head.toString("latin1")) ?? [];
          const onward = net.connect(Number(port), host, () => {
            if (head.subarray(0, 7).toString() === "CONNECT") socket.write("HTTP/1.1 200 OK\r\n\r\n");
            else onward.write(head);
            socket.pipe(onward).pipe(socket);
          });
          onward.on("error", () => socket.destroy());
        });
      },
    );
    proxy.listen(0, "127.0.0.1");
    await once(proxy, "listening");
    onTestFinished(() => void proxy.close());
    const { port } = proxy.address() as { port: number };
    const settings = { url: `https://localhost:${port}`, ca };
    const options: Partial<UpstreamOptions> = {
      tls: { ca },
      proxy: (target) =>
        proxyFor({ http: settings, https: settings, exempt: [], fromEnvironment: false }, target),
    };
    for (const url of [plain, secure]) {
      const { answer } = await caller(url, options).call();
      expect(answer).toMatchObject({ body: expect.stringMatching(/^POST \/?/) });
    }
  });
});
