/** `pfxbridge doctor` as it is run: services, certificates, the clock of Redis, its exit status and JSON. */
import { once } from "node:events";
import { createServer as createHttp } from "node:http";
import { createServer as createHttps } from "node:https";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type Ended, run, Site } from "../commands/program.ts";
import { GATE, permitting, service } from "../commands/services.ts";
import { startRedis } from "../support/redis.ts";
import { isMissing } from "../support/requirement.ts";
import { freePort, temporaryFolder } from "../support/temporary.ts";
import { contentsOf, type KeyPair, TestAuthority } from "../upstream/certificates.ts";

const MAIN = [
  "compatibility_level = 3.6",
  "smtpd_recipient_restrictions = reject_unauth_destination, check_policy_service { inet:127.0.0.1:9998, timeout=10s }",
  "",
].join("\n");

async function doctor(corp: Readonly<Record<string, unknown>>, args: readonly string[] = []): Promise<Ended> {
  const site = await Site.create({
    "pfxbridge.yaml": { services: { corp: { mapping: "./gate.yaml", ...corp } } },
    "gate.yaml": GATE,
    "main.cf": MAIN,
    "master.cf": "smtp inet n - n - - smtpd\n",
  });
  return run(["doctor", "-c", site.config, "--postfix", site.folder, ...args]);
}

describe.skipIf(isMissing("postfix", "tests of the doctor"))("the doctor", () => {
  it("asks each service once, after saying so, and ends with 0 where nothing is amiss", async () => {
    const { url, calls } = await permitting();
    const { status, stdout, stderr } = await doctor({ url, auth: { bearer: "hunter22-secret" } });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(
      /\nservice corp: asked once, about doctor@example\.net to postmaster@example\.org\n/,
    );
    expect(stdout).toMatch(/\n {2}✓ asked, it answered DUNNO \(\d+ ms\)\n/);
    expect(stdout).toMatch(/\nNothing is amiss\.\n$/);
    expect(stdout).not.toContain("hunter22");
    expect(calls.length).toBe(1);
  });

  it("asks nothing with --no-call", async () => {
    const { url, calls } = await permitting();
    const { status, stdout } = await doctor({ url }, ["--no-call"]);
    expect(status).toBe(0);
    expect(stdout).toContain("\nservice corp\n");
    expect(calls.length).toBe(0);
  });

  it("says what a service that refuses its credentials says, once, and ends with 1", async () => {
    const refusing = await service(() => ({ status: 401, body: {} }));
    const { status, stdout } = await doctor({ url: refusing.url, auth: { bearer: "hunter22-secret" } });
    expect(status).toBe(1);
    expect(stdout).toMatch(/\n {2}✗ asked, it gave no answer \(http_4xx, status 401\): .*auth/);
    expect(stdout).toMatch(/\n1 thing is amiss\.\n$/);
    expect(refusing.calls.length).toBe(1);
  });

  it("says all of it as JSON", async () => {
    const { status, stdout } = await doctor({ url: `http://127.0.0.1:${await freePort()}` }, ["--json"]);
    expect(status).toBe(1);
    const { amiss, findings } = JSON.parse(stdout);
    expect(amiss).toBe(2);
    expect(findings).toContainEqual({
      level: "amiss",
      about: "service corp",
      message: expect.stringContaining("it refused the connection"),
    });
  });

  it("says that a name does not exist", async () => {
    const { stdout } = await doctor({ url: "https://no-such-host.invalid" }, ["--no-call"]);
    expect(stdout).toMatch(
      /✗ https:\/\/no-such-host\.invalid: .*(no-such-host\.invalid does not exist|could not be resolved)/,
    );
  });

  describe("of a certificate", () => {
    let authority: TestAuthority;
    beforeAll(() => {
      authority = new TestAuthority();
    });
    afterAll(() => authority.remove());

    async function secured(pair: KeyPair): Promise<string> {
      const server = createHttps(contentsOf(pair), (_, response) => response.end());
      await listening(server);
      return `https://localhost:${(server.address() as { port: number }).port}`;
    }

    it("says its name, and the days that it has left", async () => {
      const url = await secured(authority.issue("good", "DNS:localhost"));
      const { stdout } = await doctor({ url, tls: { ca: authority.certificate } }, ["--no-call"]);
      expect(stdout).toMatch(/✓ https:\/\/localhost:\d+ speaks TLSv1\.3\n/);
      expect(stdout).toContain("✓ its certificate is for localhost\n");
      expect(stdout).toMatch(
        /! its certificate ends in 1 days, 20\d\d-\d\d-\d\d\n {6}mend: have it renewed there\n/,
      );
      expect(stdout).not.toContain("✗");
    });

    it("says that it is for another name, and mends by server_name", async () => {
      const url = await secured(authority.issue("other", "DNS:other.example"));
      const ca = authority.certificate;
      const { status, stdout } = await doctor({ url, tls: { ca } }, ["--no-call"]);
      expect(status).toBe(1);
      expect(stdout).toMatch(
        /✗ its certificate is not for localhost, but for DNS:other\.example\n {6}mend: .*tls\.server_name/,
      );
      const mended = await doctor({ url, tls: { ca, server_name: "other.example" } }, ["--no-call"]);
      expect(mended.status).toBe(0);
    });

    it("says that it has ended", async () => {
      const url = await secured(authority.issue("old", "DNS:localhost", "expired"));
      const { status, stdout } = await doctor({ url, tls: { ca: authority.certificate } }, ["--no-call"]);
      expect(status).toBe(1);
      expect(stdout).toMatch(/✗ its certificate ended 20\d\d-\d\d-\d\d\n {6}mend: have it renewed there\n/);
    });

    it("says that nobody here trusts its authority", async () => {
      const url = await secured(authority.issue("unknown", "DNS:localhost"));
      const { status, stdout } = await doctor({ url }, ["--no-call"]);
      expect(status).toBe(1);
      expect(stdout).toMatch(/✗ .*not signed by an authority that is trusted here; set tls\.ca/);
    });
  });

  it("connects to a socket file, and says that there is none", async () => {
    const { path, remove } = await temporaryFolder();
    onTestFinished(remove);
    const file = `${path}/opa.sock`;
    const gone = await doctor({ url: `unix:${file}` }, ["--no-call"]);
    expect(gone.status).toBe(1);
    expect(gone.stdout).toContain(`✗ unix:${file}: there is no such socket file`);
    const server = createHttp((_, response) => response.end());
    server.listen(file);
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const { stdout, status } = await doctor({ url: `unix:${file}` }, ["--no-call"]);
    expect(stdout).toContain(`✓ the socket ${file} takes connections\n`);
    expect(status).toBe(0);
  });

  it("goes by the proxy, and looks at the certificate behind it", async () => {
    const authority = new TestAuthority();
    onTestFinished(() => authority.remove());
    const old = createHttps(contentsOf(authority.issue("old", "DNS:localhost", "expired")), (_, response) =>
      response.end(),
    );
    await listening(old);
    const { port } = old.address() as { port: number };
    let isRefusing = false;
    const proxy = createHttp();
    proxy.on("connect", (_request, client: Socket) => {
      if (isRefusing) return client.end("HTTP/1.1 403 Forbidden\r\n\r\n");
      const server = connect(port, "127.0.0.1", () => client.write("HTTP/1.1 200 OK\r\n\r\n"));
      client.on("error", () => server.destroy());
      server.on("error", () => client.destroy());
      return client.pipe(server).pipe(client);
    });
    await listening(proxy);
    const by = `http://127.0.0.1:${(proxy.address() as { port: number }).port}`;
    const service = { url: `https://localhost:${port}`, proxy: by, tls: { ca: authority.certificate } };
    const { status, stdout } = await doctor(service, ["--no-call"]);
    expect(status).toBe(1);
    expect(stdout).toContain(`✓ the proxy ${by} connects to https://localhost:${port}\n`);
    expect(stdout).toMatch(/✗ its certificate ended 20\d\d-\d\d-\d\d\n/);
    isRefusing = true;
    expect((await doctor(service, ["--no-call"])).stdout).toMatch(/✗ https:\/\/localhost:\d+: .*proxy.*403/);
  });

  describe("of Redis' clock", () => {
    const remembering = async (store: string) => doctor({ url: (await permitting()).url, cache: { store } });

    it.skipIf(isMissing("redis", "tests of Redis' clock"))("says that it agrees", async () => {
      const redis = await startRedis();
      onTestFinished(() => redis.stop());
      const { status, stdout } = await remembering(`redis://127.0.0.1:${redis.port}`);
      expect(stdout).toMatch(/\nstores\n {2}✓ the clock of Redis at 127\.0\.0\.1:\d+ agrees \(0\.\d s\)\n/);
      expect(status).toBe(0);
    });

    it("says that it is ahead", async () => {
      const port = await redisAhead(90);
      const { status, stdout } = await remembering(`redis://127.0.0.1:${port}`);
      expect(stdout).toMatch(
        /✗ the clock of Redis at .* is (8\d|90)\.\d s ahead.*\n {6}mend: set both clocks/,
      );
      expect(status).toBe(1);
    });

    it("says that it cannot be asked", async () => {
      const { stdout } = await remembering(`redis://:hunter22-secret@127.0.0.1:${await freePort()}`);
      expect(stdout).toMatch(/✗ Redis at 127\.0\.0\.1:\d+ cannot be asked: .*\n {6}mend: /);
      expect(stdout).not.toContain("hunter22");
    });
  });
});

/** What answers as Redis does, from a host whose clock is so many seconds ahead. */
async function redisAhead(seconds: number): Promise<number> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (data) => {
      for (const command of String(data).split(/(?=\*\d+\r\n)/)) {
        const now = String(Math.floor(Date.now() / 1000) + seconds);
        const info = "redis_version:7.0.0\r\nloading:0\r\n";
        if (/\r\ntime\r\n/i.test(command)) socket.write(`*2\r\n$${now.length}\r\n${now}\r\n$1\r\n0\r\n`);
        else if (/\r\ninfo\r\n/i.test(command)) socket.write(`$${info.length}\r\n${info}\r\n`);
        else socket.write("+OK\r\n");
      }
    });
  });
  await listening(server);
  return (server.address() as { port: number }).port;
}

async function listening(server: Server): Promise<void> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
}
