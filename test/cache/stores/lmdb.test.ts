import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { encode } from "../../../src/cache/codec.ts";
import { openStore } from "../../../src/cache/open-store.ts";
import { LmdbStore } from "../../../src/cache/stores/lmdb.ts";
import { findDamage } from "../../../src/cache/stores/lmdb-check.ts";
import { openDatabases } from "../../../src/cache/stores/lmdb-file.ts";
import { type TemporaryFolder, temporaryFolder } from "../../support/temporary.ts";
import { bodyOf, HOUR, keyOf, options, recorder, remembered, until } from "./entries.ts";

let folder: TemporaryFolder;
let path: string;
const open: LmdbStore[] = [];
const children: ChildProcess[] = [];

beforeEach(async () => {
  folder = await temporaryFolder();
  path = join(folder.path, "cache.lmdb");
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await Promise.all(open.splice(0).map((store) => store.close()));
  await folder.remove();
});

function openLmdb(change: Parameters<typeof options>[1] = {}, log = recorder()): LmdbStore {
  const store = new LmdbStore(path, options(log, change));
  open.push(store);
  return store;
}

async function filled(count: number): Promise<void> {
  const store = new LmdbStore(path, options(recorder(), { maxEntries: 1_000_000 }));
  for (let n = 0; n < count; n++) {
    store.set(keyOf(n), remembered(`${n}`));
    // More than that must not wait for the disk.
    if (n % 5000 === 4999) await until(() => store.waiting === 0);
  }
  await store.close();
}

/**
 * Another process that works with the store at `path`, as `script` says: `store`, `keyOf`, `remembered` are there.
 *
 * @param maxFileSize that its files can have, in KiB
 */
function otherProcess(
  script: string,
  maxFileSize = "unlimited",
): { child: ChildProcess; output: () => string } {
  const built = resolve("dist/src/cache/stores/lmdb.js");
  const program = `
    import { createHash } from "node:crypto";
    const { LmdbStore } = await import(${JSON.stringify(built)});
    const log = { debug() {}, info() {}, warn: (_, message) => console.log(message), error: console.error };
    const store = new LmdbStore(${JSON.stringify(path)}, { maxEntries: 100_000, keep: 1e9, log });
    const keyOf = (n) => createHash("sha256").update(String(n)).digest("base64url");
    const remembered = (text) => ({
      service: "corp", storedAt: Date.now(), freshUntil: Date.now() + 1e6, staleUntil: Date.now() + 1e7,
      reply: { status: 200, headers: new Map(), body: Buffer.from(text) },
      asked: { attributes: new Map(), listener: "", recipients: [] },
    });
    ${script}`;
  let output = "";
  const limited = `ulimit -f ${maxFileSize}; exec "$0" "$@"`;
  const child = spawn("bash", ["-c", limited, process.execPath, "--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stderr?.on("data", (chunk) => {
    output += chunk;
  });
  children.push(child);
  child.stdout?.on("data", (chunk) => {
    output += chunk;
  });
  return { child, output: () => output };
}

/** As long as the test may take: how fast a disk is says nothing. */
const ended = async (child: ChildProcess) => {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
};

describe("the store on disk", () => {
  it("gives back what it was given at once, and after it was opened again", async () => {
    const store = openLmdb();
    store.set(keyOf("a"), remembered("one"));
    store.set("a key of another form", remembered("two"));
    expect(bodyOf(store.get(keyOf("a")))).toBe("one");
    await store.close();
    const again = openLmdb();
    expect(bodyOf(again.get(keyOf("a")))).toBe("one");
    expect(bodyOf(again.get("a key of another form"))).toBe("two");
    expect(await again.count()).toBe(2);
    again.delete(keyOf("a"));
    expect(again.get(keyOf("a"))).toBeUndefined();
    await again.close();
    expect(openLmdb().get(keyOf("a"))).toBeUndefined();
  });

  it("keeps the last of what was written to a key, also where the one before was just being written", async () => {
    const store = openLmdb();
    for (let round = 0; round < 20; round++) {
      const key = keyOf(round);
      store.set(key, remembered("old"));
      // The transaction begins; how far it gets until the next write differs from round to round.
      for (let turn = 0; turn < round % 5; turn++) await new Promise(setImmediate);
      store.set(key, remembered("new"));
      await until(() => store.waiting === 0);
      expect(bodyOf(store.get(key)), `round ${round}`).toBe("new");
      store.set(key, remembered("old"));
      await Promise.resolve();
      store.delete(key);
      await until(() => store.waiting === 0);
      expect(store.get(key), `round ${round}`).toBeUndefined();
    }
  });

  it("gives all entries, also those that are not written yet", async () => {
    const store = openLmdb();
    store.set(keyOf("a"), remembered("old"));
    store.set(keyOf("b"), remembered("b"));
    await until(() => store.waiting === 0);
    store.set(keyOf("a"), remembered("a"));
    store.delete(keyOf("b"));
    store.set(keyOf("c"), remembered("c"));
    const bodies: (string | undefined)[] = [];
    for await (const [, entry] of store.entries()) bodies.push(bodyOf(entry));
    expect(bodies.sort()).toEqual(["a", "c"]);
  });

  it("gives all entries of many", async () => {
    await filled(1234);
    const bodies = new Set<string | undefined>();
    for await (const [key, entry] of openLmdb({ maxEntries: 10_000 }).entries()) {
      expect(key).toBe(keyOf(bodyOf(entry) ?? ""));
      bodies.add(bodyOf(entry));
    }
    expect(bodies.size).toBe(1234);
  });

  it("can be read by its owner only, also where the file was there", async () => {
    await writeFile(path, "", { mode: 0o644 });
    openLmdb();
    for (const name of ["cache.lmdb", "cache.lmdb-lock"]) {
      expect((await stat(join(folder.path, name))).mode & 0o777).toBe(0o600);
    }
  });

  it("deletes entries past their end", async () => {
    const store = openLmdb();
    const now = Date.now();
    for (let n = 0; n < 600; n++) {
      store.set(keyOf(n), remembered("x", { freshUntil: now, staleUntil: now + 500 }));
    }
    store.set(keyOf("lives"), remembered("x"));
    // Written anew, it has another end than it was sorted by first.
    store.set(keyOf(1), remembered("x"));
    await until(async () => (await store.count()) === 2, "the end of 600 entries");
    expect(store.get(keyOf("lives"))).toBeDefined();
    expect(store.get(keyOf(1))).toBeDefined();
  });

  it("keeps no more entries than it may: those that end first go", async () => {
    const store = openLmdb({ maxEntries: 100 });
    const now = Date.now();
    for (let n = 0; n < 1000; n++) {
      store.set(keyOf(n), remembered("x", { freshUntil: now, staleUntil: now + HOUR + n * 1000 }));
    }
    await until(async () => (await store.count()) === 100, "the end of 900 entries");
    expect(store.get(keyOf(899))).toBeUndefined();
    expect(store.get(keyOf(900))).toBeDefined();
  });

  it("does not use an entry that is not signed, says so once, and does not give it away", async () => {
    await filled(2);
    const log = recorder();
    const store = openLmdb({ secret: "s" }, log);
    expect(store.get(keyOf(0))).toBeUndefined();
    expect(store.get(keyOf(1))).toBeUndefined();
    for await (const _ of store.entries()) expect.unreachable();
    expect(log.at("warn")).toHaveLength(1);
  });

  it("does not use what is no entry", async () => {
    await filled(1);
    const { root, entries } = openDatabases(path);
    await entries.put(Buffer.from("garbage"), Buffer.from("garbage"));
    await entries.put(Buffer.from("elsewhere"), encode("another key", remembered("x"), "s"));
    await root.close();
    const store = openLmdb({ secret: "s" });
    expect(store.get("garbage")).toBeUndefined();
    expect(store.get("elsewhere")).toBeUndefined();
  });

  it("gives back the memory of what it has read, and misses nothing meanwhile", async () => {
    await filled(60_000);
    const store = openLmdb({ maxEntries: 100_000 });
    const mapped = async () => Number((await readFile("/proc/self/statm", "latin1")).split(" ")[2]) * 4096;
    const before = await mapped();
    let most = 0;
    for (let n = 0; n < 60_000; n++) {
      expect(store.get(keyOf(n)) !== undefined, `entry ${n}`).toBe(true);
      if (n % 100 === 0) {
        store.set(keyOf(`new ${n}`), remembered("new"));
        most = Math.max(most, (await mapped()) - before);
        await new Promise(setImmediate);
      }
    }
    expect(most).toBeLessThan(100 * 1024 * 1024);
    for (let n = 0; n < 60_000; n += 100) expect(store.get(keyOf(`new ${n}`))).toBeDefined();
  });
});

describe("a store on disk that several processes share", () => {
  it("shows to one what another writes, and its revocations within a second", async () => {
    const store = openLmdb();
    const heard: unknown[] = [];
    store.onRevocation((revocation) => heard.push(revocation.attributes));
    const { child } = otherProcess(`
      store.set(keyOf("other"), remembered("from the other"));
      await store.revoke({ at: Date.now(), attributes: { sender: "x" } });
      await store.close();`);
    await ended(child);
    await new Promise((done) => setTimeout(done, 1000));
    expect(bodyOf(store.get(keyOf("other")))).toBe("from the other");
    expect(heard).toEqual([{ sender: "x" }]);
  });

  it("tells revocations to those who open it later, once", async () => {
    const first = openLmdb();
    await first.revoke({ at: Date.now(), attributes: { sender: "a" } });
    await first.revoke({ at: Date.now(), service: "corp", attributes: {} });
    await first.close();
    const heard: unknown[] = [];
    openLmdb().onRevocation(({ service }) => heard.push(service));
    expect(heard).toEqual([undefined, "corp"]);
  });

  it("survives the killing of one that writes, with what had been written, and again", async () => {
    for (let round = 0; round < 3; round++) {
      const { child, output } = otherProcess(`
        for (let n = 0; ; n++) {
          store.set(keyOf(n), remembered("x".repeat(300)));
          if (n % 200 === 199) {
            while (store.waiting > 0) await new Promise((done) => setTimeout(done, 1));
            console.log(n);
          }
        }`);
      const written = () => Number(output().trim().split("\n").pop());
      await until(() => written() >= 2000, "writing");
      child.kill("SIGKILL");
      await ended(child);
      const log = recorder();
      const store = openLmdb({ maxEntries: 100_000 }, log);
      for (let n = 0; n <= written(); n++) expect(store.get(keyOf(n)), `entry ${n}`).toBeDefined();
      store.set(keyOf("after"), remembered("after"));
      await store.close();
      expect(log.lines).toEqual([]);
    }
  });
});

it("that cannot grow any more still answers, says so once, and can be closed", async () => {
  const { child, output } = otherProcess(
    `
    for (let round = 0; round < 5; round++) {
      for (let n = 0; n < 2000; n++) store.set(keyOf(round * 2000 + n), remembered("x".repeat(500)));
      await new Promise((done) => setTimeout(done, 200));
    }
    console.log(store.get(keyOf(1)) !== undefined, store.waiting);
    await store.close();
    console.log("closed");`,
    "3000",
  );
  await ended(child);
  expect([child.exitCode, child.signalCode]).toEqual([0, null]);
  // Whether it is a decision or an old one that was to be deleted.
  expect(output().match(/^(old )?decisions could not be .*/gm)).toHaveLength(1);
  expect(output()).toMatch(/^true 0\nclosed$/m);
  // Nothing is wrong with what there is.
  expect(findDamage(path)).toBeNull();
  expect(openLmdb({ maxEntries: 100_000 }).get(keyOf(1))).toBeDefined();
});

it("can be closed right after a write, again and again: the thread that writes has ended by then", async () => {
  const others = ["a", "b", "c"].map((name) =>
    otherProcess(`
      const options = { maxEntries: 100_000, keep: 1e9, log };
      await store.close();
      for (let round = 0; round < 100; round++) {
        const store = new LmdbStore(${JSON.stringify(path)} + "-${name}" + (round % 5), options);
        for (let n = 0; n < [2, 5, 20, 300, 1200][round % 5]; n++) store.set(keyOf(round + " " + n), remembered("x"));
        if (round % 3 === 0) await store.revoke({ at: Date.now(), attributes: { sender: "x" } });
        await store.close();
      }`),
  );
  await Promise.all(others.map(({ child }) => ended(child)));
  expect(others.map(({ child }) => [child.exitCode, child.signalCode])).toEqual(others.map(() => [0, null]));
}, 120_000);

describe("a damaged file", () => {
  const zeros = (from: number, length: number) => async (file: string) => {
    const bytes = await readFile(file);
    await writeFile(file, bytes.fill(0, from, Math.min(from + length, bytes.length)));
  };
  const random = (from: number, length: number) => async (file: string) => {
    const bytes = await readFile(file);
    for (let at = from; at < Math.min(from + length, bytes.length); at++) bytes[at] = (at * 7919 + 13) >> 3;
    await writeFile(file, bytes);
  };

  it.each<[string, (file: string) => Promise<void>]>([
    ["cut off in the first page", (file) => truncate(file, 1000)],
    ["cut off after the first page", (file) => truncate(file, 4096)],
    ["cut off after its meta pages", (file) => truncate(file, 8192)],
    ["cut off in the middle", async (file) => truncate(file, Math.floor((await stat(file)).size / 2))],
    ["cut off at its end", async (file) => truncate(file, Math.floor((await stat(file)).size * 0.9))],
    ["all zeros", zeros(0, 1e9)],
    ["zeros at its beginning", zeros(0, 4096)],
    ["zeros in its second page", zeros(4096, 4096)],
    ["zeros behind its meta pages", zeros(8192, 1e9)],
    ["random", random(0, 1e9)],
    ["random behind its meta pages", random(8192, 1e9)],
    ["text", (file) => writeFile(file, "not a database\n".repeat(5000))],
    ["short text", (file) => writeFile(file, "x")],
  ])("is moved aside, and the store begins anew: %s", async (_, damage) => {
    await filled(3000);
    await damage(path);
    const log = recorder();
    const store = openLmdb({}, log);
    expect(store.get(keyOf(1))).toBeUndefined();
    store.set(keyOf(1), remembered("anew"));
    await store.close();
    expect(bodyOf(openLmdb().get(keyOf(1)))).toBe("anew");
    expect(log.at("error")).toHaveLength(1);
    expect((await readdir(folder.path)).filter((name) => /\.corrupt-\d{8}T\d{6}Z$/.test(name))).toHaveLength(
      1,
    );
  });

  it("is recognized wherever one page that is in use was overwritten, or it does no harm", async () => {
    await filled(2000);
    const sound = await readFile(path);
    expect(findDamage(path)).toBeNull();
    const found: boolean[] = [];
    for (let page = 2; page < sound.length / 4096; page += 7) {
      const bytes = Buffer.from(sound);
      for (let at = 0; at < 4096; at++) bytes[page * 4096 + at] = (at * 31 + page) & 0xff;
      await writeFile(path, bytes);
      found.push(findDamage(path) !== null);
      const unfound = found.filter((one) => !one).length;
      if (!found[found.length - 1] && unfound <= 4) {
        // Then it was a free one.
        const { child } = otherProcess(`
          for (let n = 0; n < 2000; n++) if (n % 500 === 0 && !store.get(keyOf(n))) process.exit(3);
          await store.close();`);
        await ended(child);
        expect([child.exitCode, child.signalCode], `page ${page}`).toEqual([0, null]);
      }
    }
    expect(found).toContain(true);
  });

  it.each<[string, () => Promise<string>]>([
    ["a directory", async () => folder.path],
    [
      "below a file",
      async () => {
        await writeFile(join(folder.path, "file"), "");
        return join(folder.path, "file", "cache.lmdb");
      },
    ],
  ])("that can never be one makes memory take its place, with an error line: %s", async (_, place) => {
    const log = recorder();
    const store = await openStore({ kind: "lmdb", path: await place() }, options(log));
    store.set("a", remembered("one"));
    expect(bodyOf(await store.get("a"))).toBe("one");
    expect(log.at("error")).toHaveLength(1);
    await store.close();
  });

  it("is none that another process makes grow while it is looked at", async () => {
    await filled(100);
    const { child, output } = otherProcess(`
      for (let n = 0; n < 300; n++) {
        store.set(keyOf(n), remembered("x".repeat(30_000)));
        while (store.waiting > 0) await new Promise((done) => setTimeout(done, 1));
      }
      await store.close();`);
    const found = new Set<string | null>();
    while (child.exitCode === null && child.signalCode === null) {
      for (let look = 0; look < 50; look++) found.add(findDamage(path));
      await new Promise((done) => setImmediate(done));
    }
    expect([...found]).toEqual([null]);
    expect([child.exitCode, output()]).toEqual([0, ""]);
  }, 60_000);

  it("need not exist, nor its folder", async () => {
    path = join(folder.path, "a", "b", "cache.lmdb");
    const log = recorder();
    openLmdb({}, log);
    expect(existsSync(path)).toBe(true);
    expect((await stat(join(folder.path, "a"))).mode & 0o777).toBe(0o700);
    expect(log.lines).toEqual([]);
    await mkdir(join(folder.path, "c"));
  });
});
