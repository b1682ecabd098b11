import dgram from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { Resolver } from "../../src/upstream/resolver.ts";

/** A name server of a sort: it answers every question for an A record with `address`; null keeps silent. */
async function nameServer(
  address: () => string | null,
): Promise<{ server: string; questions: () => number }> {
  const socket = dgram.createSocket("udp4");
  let questions = 0;
  socket.on("message", (query, sender) => {
    questions++;
    const answer = address();
    if (answer === null) return;
    const question = query.subarray(12, query.indexOf(0, 12) + 5);
    const isA = question.readUInt16BE(question.length - 4) === 1;
    // RFC 1035 §4.1: the header with one question and perhaps one answer, whose name points at the question's.
    const header = Buffer.from([query[0]!, query[1]!, 0x81, 0x80, 0, 1, 0, isA ? 1 : 0, 0, 0, 0, 0]);
    const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...answer.split(".").map(Number)]);
    socket.send(
      Buffer.concat(isA ? [header, question, record] : [header, question]),
      sender.port,
      sender.address,
    );
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  onTestFinished(() => {
    socket.close();
  });
  return { server: `127.0.0.1:${socket.address().port}`, questions: () => questions };
}

describe("a service's name", () => {
  it("is looked up in the hosts file first", async () => {
    const directory = mkdtempSync(join(tmpdir(), "pfxbridge-hosts-"));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const hostsFile = join(directory, "hosts");
    writeFileSync(
      hostsFile,
      "# a comment\n192.0.2.7  other Authz.Example.com # here\n2001:db8::7 authz.example.com\n",
    );
    const resolver = new Resolver({ hostsFile, servers: ["127.0.0.1:1"] });
    expect(await resolver.resolve("authz.example.com")).toEqual(["192.0.2.7", "2001:db8::7"]);
  });

  it("is then asked of the name servers, once for all who wait", async () => {
    const { server, questions } = await nameServer(() => "192.0.2.8");
    const resolver = new Resolver({ servers: [server] });
    const all = await Promise.all(Array.from({ length: 50 }, () => resolver.resolve("authz.example.com")));
    expect(all.every(([address]) => address === "192.0.2.8")).toBe(true);
    // One for A, one for AAAA.
    expect(questions()).toBe(2);
  });

  it("is known for a while", async () => {
    const { server, questions } = await nameServer(() => "192.0.2.8");
    const resolver = new Resolver({ servers: [server] });
    await resolver.resolve("authz.example.com");
    await resolver.resolve("authz.example.com");
    expect(questions()).toBe(2);
  });

  it.each([
    ["authz.invalid", "ENOTFOUND"],
    ["invalid", "ENOTFOUND"],
  ])("that cannot be is not asked for: %s", async (name, code) => {
    const { server, questions } = await nameServer(() => "192.0.2.8");
    await expect(new Resolver({ servers: [server] }).resolve(name)).rejects.toMatchObject({ code });
    expect(questions()).toBe(0);
  });

  it("localhost is this machine, hosts file or not", async () => {
    const resolver = new Resolver({ hostsFile: "/nonexistent", servers: ["127.0.0.1:1"] });
    expect(await resolver.resolve("localhost")).toEqual(["127.0.0.1", "::1"]);
  });

  it("comes in both forms that net.connect may ask for", async () => {
    const { server } = await nameServer(() => "192.0.2.8");
    const resolver = new Resolver({ servers: [server] });
    const looked = (options: object) =>
      new Promise((resolve) => resolver.lookup("authz.example.com", options, (...result) => resolve(result)));
    expect(await looked({ all: true })).toEqual([null, [{ address: "192.0.2.8", family: 4 }]]);
    expect(await looked({})).toEqual([null, "192.0.2.8", 4]);
  });

  it("takes nobody's thread while the name servers are silent", async () => {
    const { server } = await nameServer(() => null);
    const lookups = Array.from({ length: 20 }, (_, i) =>
      new Resolver({ servers: [server] }).resolve(`authz${i}.example.com`).catch(({ code }) => code),
    );
    const { server: other } = await nameServer(() => "192.0.2.9");
    const started = performance.now();
    expect(await new Resolver({ servers: [other] }).resolve("authz.example.com")).toEqual(["192.0.2.9"]);
    await readFile("/etc/hosts");
    expect(performance.now() - started).toBeLessThan(800);
    expect(new Set(await Promise.all(lookups))).toEqual(new Set(["ETIMEOUT"]));
  });

  it("stays known when the name servers fail later, and follows a change", async () => {
    let address: string | null = "192.0.2.8";
    const { server } = await nameServer(() => address);
    let now = 0;
    const resolver = new Resolver({ servers: [server], now: () => now });
    expect(await resolver.resolve("authz.example.com")).toEqual(["192.0.2.8"]);

    address = "192.0.2.9";
    now += 60_000;
    // The old one once more, while the new one is fetched.
    expect(await resolver.resolve("authz.example.com")).toEqual(["192.0.2.8"]);
    await expect.poll(() => resolver.resolve("authz.example.com")).toEqual(["192.0.2.9"]);

    address = null;
    now += 1_800_000;
    expect(await resolver.resolve("authz.example.com")).toEqual(["192.0.2.9"]);
    now += 1_800_001;
    await expect(resolver.resolve("authz.example.com")).rejects.toMatchObject({ code: "ETIMEOUT" });
  });
});
