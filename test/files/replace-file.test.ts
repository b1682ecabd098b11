import { readdirSync, readFileSync, statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { replaceFile } from "../../src/files/replace-file.ts";
import { temporaryFolder } from "../support/temporary.ts";

async function inFolder(test: (folder: string, path: string) => Promise<void>): Promise<void> {
  const folder = await temporaryFolder();
  try {
    await test(folder.path, join(folder.path, "kept"));
  } finally {
    await folder.remove();
  }
}

it("makes a file that only its owner reads, and leaves nothing beside it", () =>
  inFolder(async (folder, path) => {
    await replaceFile(path, (file) => file.writeFile("whole"));
    expect(readFileSync(path, "utf8")).toBe("whole");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(["kept"]);
  }));

it("leaves what was there when the new one cannot be written to its end", () =>
  inFolder(async (folder, path) => {
    await writeFile(path, "old");
    const half = replaceFile(path, async (file) => {
      await file.writeFile("ha");
      throw new Error("no more");
    });
    await expect(half).rejects.toThrow("no more");
    expect(readFileSync(path, "utf8")).toBe("old");
    expect(readdirSync(folder)).toEqual(["kept"]);
  }));

it("lets several write at once: one of them is there as a whole", () =>
  inFolder(async (folder, path) => {
    const texts = Array.from({ length: 8 }, (_, index) => `${index}`.repeat(100_000));
    await Promise.all(texts.map((text) => replaceFile(path, (file) => file.writeFile(text))));
    expect(texts).toContain(readFileSync(path, "utf8"));
    expect(readdirSync(folder)).toEqual(["kept"]);
  }));

it("says which folder is not there", () =>
  inFolder(async (_, path) => {
    await expect(replaceFile(join(path, "x"), async () => {})).rejects.toThrow(/ENOENT/);
  }));
