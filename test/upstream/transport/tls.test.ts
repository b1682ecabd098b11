import { copyFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TLSSocket } from "node:tls";
import { afterAll, describe, expect, it } from "vitest";
import { contentsOf, TestAuthority } from "../certificates.ts";
import { caller, httpService, httpsService, rawService } from "../harness.ts";

const authority = new TestAuthority();
const stranger = new TestAuthority();
afterAll(() => {
  authority.remove();
  stranger.remove();
});
const ca = authority.certificate;
const valid = authority.issue("server", "DNS:localhost,IP:127.0.0.1");

describe("TLS", () => {
  it.each([
    ["by name", "localhost", {}],
    ["by address", "127.0.0.1", {}],
  ])("verifies the service's certificate: %s", async (_name, host, tls) => {
    const port = await httpsService(contentsOf(valid), (_request, response) => response.end("yes"));
    const { call } = caller(`https://${host}:${port}`, { tls: { ca, ...tls } });
    expect((await call()).answer).toMatchObject({ body: "yes" });
  });

  it("asks for, and verifies, the name that server_name says", async () => {
    let asked: unknown;
    const pair = authority.issue("other", "DNS:authz.example.com");
    const port = await httpsService(contentsOf(pair), (request, response) => {
      asked = (request.socket as TLSSocket).servername;
      response.end("yes");
    });
    const { call } = caller(`https://localhost:${port}`, { tls: { ca, serverName: "authz.example.com" } });
    expect((await call()).answer).toMatchObject({ body: "yes" });
    expect(asked).toBe("authz.example.com");
  });

  it.each([
    [
      "has expired",
      authority.issue("expired", "DNS:localhost", "expired"),
      /has expired; it must be renewed/,
    ],
    ["is for another name", authority.issue("wrong", "DNS:authz.example.com"), /tls\.server_name/],
    ["is from a stranger", stranger.issue("strange", "DNS:localhost"), /set tls\.ca/],
  ])("says what to do when the certificate %s, and sends nothing", async (_name, pair, detail) => {
    let calls = 0;
    const port = await httpsService(contentsOf(pair), (_request, response) => {
      calls++;
      response.end("yes");
    });
    expect(await caller(`https://localhost:${port}`, { tls: { ca } }).failure()).toMatchObject({
      cause: "unreachable",
      detail: expect.stringMatching(detail),
    });
    expect(calls).toBe(0);
  });

  it("trusts nobody else where an authority is set, nor an unknown one where none is", async () => {
    const port = await httpsService(contentsOf(valid), (_request, response) => response.end("yes"));
    for (const tls of [{ ca: stranger.certificate }, {}]) {
      expect(await caller(`https://localhost:${port}`, { tls }).failure()).toMatchObject({
        cause: "unreachable",
      });
    }
  });

  it("takes no reply as complete that a reset has ended", async () => {
    const url = await rawService((socket) => {
      const secured = new TLSSocket(socket, { isServer: true, ...contentsOf(valid) });
      secured.on("error", () => {});
      secured.once("data", () => {
        secured.write("HTTP/1.1 200 OK\r\n\r\nyes");
        setTimeout(() => socket.resetAndDestroy(), 50);
      });
    });
    const { port } = new URL(url);
    expect(await caller(`https://localhost:${port}`, { tls: { ca } }).failure()).toMatchObject({
      cause: "unreachable",
      detail: expect.stringMatching(/in the middle of the reply/),
    });
  });

  it("says so when the port speaks no TLS", async () => {
    const url = await httpService((_request, response) => response.end("yes"));
    expect(await caller(url.replace("http:", "https:")).failure()).toMatchObject({
      cause: "unreachable",
      detail: expect.stringMatching(/should its url begin with http:/),
    });
  });
});

describe("a client certificate", () => {
  const client = authority.issue("client", "DNS:bridge.example.com");
  const demanding = (maxVersion: "TLSv1.2" | "TLSv1.3", onCall = (answer: () => void) => answer()) =>
    httpsService(
      { ...contentsOf(valid), ca: contentsOf({ cert: ca, key: ca }).cert, requestCert: true, maxVersion },
      (request, response) => {
        const { subject } = (request.socket as TLSSocket).getPeerCertificate();
        onCall(() => response.end(subject.CN));
      },
    );

  it.each(["TLSv1.2", "TLSv1.3"] as const)("is shown to a service that demands one: %s", async (version) => {
    const url = `https://localhost:${await demanding(version)}`;
    expect((await caller(url, { tls: { ca, ...client } }).call()).answer).toMatchObject({ body: "client" });
  });

  it.each(["TLSv1.2", "TLSv1.3"] as const)("is missed by name when it is not set: %s", async (version) => {
    const url = `https://localhost:${await demanding(version)}`;
    expect(await caller(url, { tls: { ca } }).failure()).toMatchObject({
      cause: "unreachable",
      detail: expect.stringMatching(/client certificate[;,] check tls\.cert and tls\.key/),
    });
  });

  it.each([
    ["a file that is not there", { cert: "/nonexistent.pem", key: client.key }, /tls\.cert cannot be read/],
    ["a key of another certificate", { cert: client.cert, key: valid.key }, /mismatch/],
    [
      "an authority's file without one",
      { ca: client.key.replace(".key", ".ext") },
      /tls\.ca holds no certificate/,
    ],
  ])("is refused when it is loaded: %s", (_name, tls, detail) => {
    expect(() => caller("https://localhost:1", { tls })).toThrow(detail);
  });

  it("is read again when its files change; a broken one is reported and the old one kept", async () => {
    const cert = join(authority.directory, "rotated.pem");
    const key = join(authority.directory, "rotated.key");
    copyFileSync(client.cert, cert);
    copyFileSync(client.key, key);
    const url = `https://localhost:${await demanding("TLSv1.3")}`;
    const { call, certificates } = caller(url, { tls: { ca, cert, key, checkEvery: 30 } });
    expect((await call()).answer).toMatchObject({ body: "client" });

    writeFileSync(key, "broken");
    await expect.poll(() => certificates).toMatchObject([{ ok: false }]);
    expect((await call()).answer).toMatchObject({ body: "client" });

    const next = authority.issue("next", "DNS:bridge.example.com");
    renameSync(next.cert, cert);
    renameSync(next.key, key);
    await expect.poll(() => certificates.at(-1)).toMatchObject({ ok: true });
    expect((await call()).answer).toMatchObject({ body: "next" });
    expect(certificates.length).toBe(2);
  });

  it("of before is used for no further call, also by a connection that was in use when it changed", async () => {
    const cert = join(authority.directory, "changing.pem");
    const key = join(authority.directory, "changing.key");
    copyFileSync(client.cert, cert);
    copyFileSync(client.key, key);
    let [asked, answer] = [0, () => {}];
    const port = await demanding("TLSv1.3", (reply) => {
      if (++asked === 1) answer = reply;
      else reply();
    });
    const tls = { ca, cert, key, checkEvery: 30 };
    const { call, certificates } = caller(`https://localhost:${port}`, { tls, timeout: 5000 });
    const pending = call({}, 10_000);
    await expect.poll(() => asked).toBe(1);
    const next = authority.issue("changed", "DNS:bridge.example.com");
    renameSync(next.cert, cert);
    renameSync(next.key, key);
    await expect.poll(() => certificates.at(-1), { timeout: 5000 }).toMatchObject({ ok: true });
    answer();
    expect((await pending).answer).toMatchObject({ body: "client" });
    expect((await call()).answer).toMatchObject({ body: "changed" });
  });
});
