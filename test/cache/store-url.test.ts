import { describe, expect, it } from "vitest";
import { parseStoreUrl } from "../../src/cache/store-url.ts";

const resolve = (path: string) => (path.startsWith("/") ? path : `/etc/pfxbridge/${path}`);
const parse = (text: string) => parseStoreUrl(text, resolve);

describe("cache.store", () => {
  it.each<[string, object]>([
    ["memory", { kind: "memory" }],
    ["lmdb:/var/lib/x.lmdb", { kind: "lmdb", path: "/var/lib/x.lmdb" }],
    ["lmdb:cache.lmdb", { kind: "lmdb", path: "/etc/pfxbridge/cache.lmdb" }],
    [
      "redis://cache",
      { mode: "single", tls: false, nodes: [{ host: "cache", port: 6379 }], db: 0, prefix: "pfxbridge:" },
    ],
    ["valkey://[::1]:7000/2", { mode: "single", nodes: [{ host: "::1", port: 7000 }], db: 2 }],
    ["rediss://me:p%40ss@cache?prefix=mx:", { tls: true, username: "me", password: "p@ss", prefix: "mx:" }],
    ["rediss://cache?ca=ca.pem", { tls: true, ca: "/etc/pfxbridge/ca.pem" }],
    ["redis://:word@cache", { password: "word" }],
    [
      "redis+sentinel://:pw@a,b:1/main/3?sentinel_password=s",
      {
        mode: "sentinel",
        nodes: [
          { host: "a", port: 26379 },
          { host: "b", port: 1 },
        ],
        name: "main",
        db: 3,
        password: "pw",
        sentinelPassword: "s",
      },
    ],
    ["rediss+cluster://a:1,b:2,c:3", { mode: "cluster", tls: true, nodes: { length: 3 } }],
  ])("%s", (text, expected) => {
    expect(parse(text)).toMatchObject(expected);
  });

  it.each<[string, RegExp]>([
    ["", /expected memory, lmdb:PATH/],
    ["Memory", /expected memory/],
    ["lmdb:", /path of a file/],
    ["lmdb:/var/lib/", /path of a file/],
    ["lmdb:///var/lib/x", /lmdb:\/var\/lib\/x/],
    ["http://cache", /expected memory/],
    ["redis://", /host is missing/],
    ["redis://cache:0", /"cache:0" is no HOST:PORT/],
    ["redis://cache:70000", /no HOST:PORT/],
    ["redis://a,b", /redis\+sentinel/],
    ["redis://a/x", /number of a database/],
    ["redis://u:%zz@a", /%25/],
    ["redis://a?prefx=x", /unknown parameter "prefx"/],
    ["redis://a?ca=ca.pem", /rediss:\/\//],
    ["redis+sentinel://a,b", /master's name/],
    ["redis+cluster://a/1", /database 0 only/],
  ])("refuses %s", (text, problem) => {
    expect(parse(text)).toEqual({ problem: expect.stringMatching(problem) });
  });

  it("does not repeat a password", () => {
    expect(JSON.stringify(parse("redis://u:hunter2@a:x"))).not.toContain("hunter2");
  });
});
