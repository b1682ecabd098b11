/**
 * Somebody restores a copy of LMDB's file, cuts it, replaces it or removes it while bridges use it: they go on, with a file
 * that is sound, say what they found, and bring back nothing that was forgotten.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, readdirSync, renameSync, truncateSync, unlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findDamage } from "../../src/cache/stores/lmdb-check.ts";
import { until } from "../cache/stores/entries.ts";
import { type TemporaryFolder, temporaryFolder } from "../support/temporary.ts";

let folder: TemporaryFolder;
let path: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  folder = await temporaryFolder();
  path = join(folder.path, "cache.lmdb");
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await folder.remove();
});

/** A process that works with the store all the time, and ends well when it is told to. */
function user() {
  const built = resolve("dist/src/cache/stores/lmdb.js");
  const program = `
    import { createHash } from "node:crypto";
    const { LmdbStore } = await import(${JSON.stringify(built)});
    const say = (_, message) => console.log("said: " + message);
    const log = { debug() {}, info() {}, warn: say, error: say };
    const options = { maxEntries: 100_000, keep: 1e9, log, forgotten: ${JSON.stringify(`${path}.forgotten`)} };
    const store = new LmdbStore(${JSON.stringify(path)}, options);
    const keyOf = (n) => createHash("sha256").update(String(n)).digest("base64url");
    const remembered = (text) => ({
      service: "corp", storedAt: Date.now(), freshUntil: Date.now() + 1e6, staleUntil: Date.now() + 1e7,
      reply: { status: 200, headers: new Map(), body: Buffer.from(text) },
      asked: { attributes: new Map(), listener: "", recipients: [] },
    });
    const heard = [];
    store.onRevocation(({ attributes }) => heard.push(attributes.sender));
    let isEnding = false;
    // In the very moment of a look nothing can be done: it looks at nothing while harm is done.
    let isPaused = false;
    process.on("message", async (message) => {
      isPaused = message === "pause";
      if (message === "revoke") await store.revoke({ at: Date.now(), attributes: { sender: "x" } });
      process.send(message);
    });
    process.on("SIGTERM", () => (isEnding = true));
    for (let n = 0; n < 3000; n++) store.set(keyOf(n), remembered("x".repeat(400)));
    while (store.waiting > 0) await new Promise((done) => setTimeout(done, 5));
    console.log("filled");
    let wrong = 0;
    for (let round = 0; !isEnding; round++) {
      while (isPaused) await new Promise((done) => setTimeout(done, 1));
      for (let i = 0; i < 50; i++) {
        const n = (round * 50 + i) % 3000;
        const found = store.get(keyOf(n));
        if (found !== undefined && found.reply.body.toString() !== "x".repeat(400)) wrong++;
        if (found === undefined && i < 5) store.set(keyOf(n), remembered("x".repeat(400)));
      }
      await new Promise((done) => setTimeout(done, 2));
    }
    store.set("last", remembered("last"));
    while (store.waiting > 0) await new Promise((done) => setTimeout(done, 5));
    const last = store.get("last") !== undefined;
    await store.close();
    process.disconnect();
    console.log(JSON.stringify({ wrong, last, heard: [...new Set(heard)] }));`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  children.push(child);
  const state = { output: "" };
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (data) => (state.output += data));
  const ended = new Promise<unknown>((done) => child.once("exit", (code, signal) => done(signal ?? code)));
  const tell = async (what: "pause" | "go on" | "revoke") => {
    const told = once(child, "message");
    child.send(what);
    await told;
  };
  return { child, state, ended, tell };
}

const later = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds));

describe.each([
  ["one bridge", 1],
  ["two", 2],
])("the file under %s", (_, count) => {
  it.each<[string, (copy: string) => void, string]>([
    ["is cut to nothing", () => truncateSync(path, 0), "it was cut"],
    ["is cut in the middle", () => truncateSync(path, 300_000), "it was cut"],
    ["is copied over with an old copy", (copy) => copyFileSync(copy, path), "written over"],
    ["is copied over by cp", (copy) => void execFileSync("cp", [copy, path]), "written over"],
    ["is written over with something else", () => writeFileSync(path, "x".repeat(5_000_000)), "written over"],
    ["is replaced by an old copy", (copy) => renameSync(copy, path), "another file was put in its place"],
    ["is removed", () => unlinkSync(path), "it was removed"],
  ])("%s", { timeout: 30_000 }, async (_, harm, said) => {
    const users = Array.from({ length: count }, user);
    const all = (text: string) => users.every(({ state }) => state.output.includes(text));
    await until(() => all("filled"), "filling");
    const copy = join(folder.path, "copy");
    copyFileSync(path, copy);
    await users[0]?.tell("revoke");
    await later(400);
    for (const { tell } of users) await tell("pause");
    harm(copy);
    for (const { tell } of users) await tell("go on");
    await until(() => all("is not the file any more that was opened"), "that it is noticed").catch(() => {});
    await later(600);
    for (const { child } of users) child.kill("SIGTERM");
    expect(await Promise.all(users.map(({ ended }) => ended))).toEqual(users.map(() => 0));
    for (const { state } of users) {
      expect(state.output).toContain("is not the file any more that was opened");
      expect(state.output).toMatch(/\{"wrong":0,"last":true,"heard":\["x"\]\}/);
    }
    expect(users.some(({ state }) => state.output.includes(said))).toBe(true);
    expect(findDamage(path)).toBeNull();
    expect(readdirSync(`${path}.forgotten`)).toHaveLength(1);
  });
});
