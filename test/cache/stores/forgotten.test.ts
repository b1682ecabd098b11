import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Revocation } from "../../../src/cache/store.ts";
import { Forgotten } from "../../../src/cache/stores/forgotten.ts";
import { MemoryStore } from "../../../src/cache/stores/memory.ts";
import { HOUR, options, recorder, until } from "./entries.ts";

let parent: string;
let folder: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "pfxbridge-forgotten-"));
  folder = join(parent, "forgotten");
});
afterEach(() => rmSync(parent, { recursive: true }));

const revocation = (sender: string, at = Date.now()): Revocation => ({ at, attributes: { sender } });
const openFolder = (secret?: string, log = recorder()) =>
  new Forgotten(folder, { keep: HOUR, log, ...(secret !== undefined && { secret }) });

describe("what was to be forgotten, on this host's disk", () => {
  it("is there for the next process, once, in files for their owner alone", async () => {
    const kept = revocation("a");
    await Promise.all([openFolder().add(kept), openFolder().add(kept)]);
    await openFolder().add(kept);
    expect(openFolder().load()).toEqual([kept]);
    expect(readdirSync(folder)).toHaveLength(1);
  });

  it("is passed over with a warning where it is damaged or not signed, and the rest is used", async () => {
    const kept = revocation("a");
    await openFolder("s").add(kept);
    await openFolder().add(revocation("unsigned"));
    writeFileSync(join(folder, "x".repeat(43)), "garbage");
    writeFileSync(join(folder, "something else"), "garbage");
    const log = recorder();
    expect(openFolder("s", log).load()).toEqual([kept]);
    expect(log.lines).toMatchObject([{ level: "warn", fields: { files: 2 } }]);
  });

  it("is over when no entry from before can live any more", async () => {
    await openFolder().add(revocation("a", Date.now() - HOUR - 1));
    expect(openFolder().load()).toEqual([]);
    expect(readdirSync(folder)).toEqual([]);
  });

  it("that cannot be kept is an error that names the folder", async () => {
    writeFileSync(folder, "");
    await expect(openFolder().add(revocation("a"))).rejects.toThrow(`${folder} cannot be written`);
  });

  it("is bounded: what has become one with others is kept no longer", async () => {
    const store = new MemoryStore(options(recorder(), { forgotten: folder }));
    const first = Date.now();
    // Most of them are heard of, as from a file that is shared: here it is the folder itself.
    const { encodeRevocation } = await import("../../../src/cache/stores/revocation-codec.ts");
    const { createHash } = await import("node:crypto");
    await store.revoke(revocation("first", first));
    for (let n = 0; n < 10_000; n++) {
      const text = encodeRevocation(revocation(`${n}`, first + n + 1));
      writeFileSync(join(folder, createHash("sha256").update(text).digest("base64url")), text);
    }
    const log = recorder();
    const next = new MemoryStore(options(log, { forgotten: folder }));
    await until(() => readdirSync(folder).length === 5001, "5,001 files");
    const heard: Revocation[] = [];
    next.onRevocation((one) => heard.push(one));
    expect(heard.filter(({ attributes }) => Object.keys(attributes).length === 0)).toHaveLength(1);
    expect(readFileSync(join(folder, readdirSync(folder)[0]!), "utf8")).toMatch(/^- \{"at":/);
  });
});

describe("a store in memory in place of another one", () => {
  it.each([
    ["lmdb", undefined, /would come back with it: this host has no folder/],
    ["redis", "folder", /other hosts will be told/],
  ] as const)("does not acknowledge what %s would not know", async (kind, place, message) => {
    const own = place === undefined ? {} : { forgotten: folder };
    const store = new MemoryStore(options(recorder(), own), undefined, kind);
    await expect(store.revoke(revocation("a"))).rejects.toThrow(message);
  });
});
