import dgram from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { Resolver } from "../../../src/upstream/transport/resolver.ts";

/** What a name server says of a type: an address, that there is none, that the name does not exist, or nothing at all. */
type Answer = string | "none" | "unknown" | null;

/** A name server of a sort: it answers every question for an A record as `four` says, for AAAA as `six` does. */
async function nameServer(
  four: () => Answer,
  six: () => Answer = () => (four() === null ? null : "none"),
): Promise<{ server: string; questions: () => number }> {
  const socket = dgram.createSocket("udp4");
  let questions = 0;
  socket.on("message", (query, sender) => {
    questions++;
    const question = query.subarray(12, query.indexOf(0, 12) + 5);
    const isA = question.readUInt16BE(question.length - 4) === 1;
    const answer = isA ? four() : six();
    if (answer === null) return;
    const found = answer !== "none" && answer !== "unknown";
    // RFC 1035 §4.1: the header with one question and perhaps one answer, whose name points at the question's.
    const code = answer === "unknown" ? 0x83 : 0x80;
    const header = Buffer.from([query[0]!, query[1]!, 0x81, code, 0, 1, 0, found ? 1 : 0, 0, 0, 0, 0]);
    const parts = [header, question];
    if (found) {
      const data = isA
        ? Buffer.from(answer.split(".").map(Number))
        : Buffer.concat([Buffer.alloc(15), Buffer.from([Number(answer.slice(2))])]);
      parts.push(Buffer.from([0xc0, 12, 0, isA ? 1 : 28, 0, 1, 0, 0, 0, 60, 0, data.length]), data);
    }
    socket.send(Buffer.concat(parts), sender.port, sender.address);
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

  it("is used with what is answered while the other family is not, and the rest comes later", async () => {
    const { server } = await nameServer(
      () => "192.0.2.8",
      () => null,
    );
    const resolver = new Resolver({ servers: [server] });
    const started = performance.now();
    expect(await resolver.resolve("authz.example.com")).toEqual(["192.0.2.8"]);
    // Less than the name server's own time limit by far.
    expect(performance.now() - started).toBeLessThan(900);
    const all: (readonly string[])[] = [];
    const other = await nameServer(
      () => null,
      () => "::1",
    );
    const six = new Resolver({ servers: [other.server] });
    expect(await six.resolve("authz.example.com", (addresses) => all.push(addresses))).toEqual(["::1"]);
    await expect.poll(() => all, { timeout: 8000 }).toEqual([["::1"]]);
  }, 10_000);

  it("has the addresses of both families where both are answered", async () => {
    const { server } = await nameServer(
      () => "192.0.2.8",
      () => "::7",
    );
    const found = await new Resolver({ servers: [server] }).resolve("authz.example.com");
    expect(found).toEqual(["192.0.2.8", "::7"]);
  });

  it("is known as before while a refresh is not answered, however long nobody asked", async () => {
    let address: Answer = "192.0.2.8";
    const { server } = await nameServer(() => address);
    let now = 0;
    const resolver = new Resolver({ servers: [server], now: () => now });
    await resolver.resolve("authz.example.com");
    address = null;
    now += 1_800_000;
    const started = performance.now();
    expect(await resolver.resolve("authz.example.com")).toEqual(["192.0.2.8"]);
    expect(performance.now() - started).toBeLessThan(900);
  });

  it.each<[string, Answer]>([
    ["no such address", "none"],
    ["no such name", "unknown"],
  ])(
    "is forgotten when the name server says that there is %s",
    async (_, answer) => {
      let [four, six]: [Answer, Answer] = ["192.0.2.8", "::7"];
      const { server } = await nameServer(
        () => four,
        () => six,
      );
      let now = 0;
      const resolver = new Resolver({ servers: [server], now: () => now });
      expect(await resolver.resolve("authz.invented.example")).toEqual(["192.0.2.8", "::7"]);

      // Of one family: the other's is left.
      four = answer === "unknown" ? "none" : answer;
      now += 400_000;
      expect(await resolver.resolve("authz.invented.example")).toEqual(["::7"]);

      // Of both, whether somebody waits for the answer or is served meanwhile.
      [four, six] = [answer, answer];
      now += 20_000;
      await resolver.resolve("authz.invented.example");
      await expect
        .poll(() => resolver.resolve("authz.invented.example").catch(({ code }) => code), { timeout: 8000 })
        .toMatch(/^E(?:NOTFOUND|NODATA)$/);
    },
    20_000,
  );
});
