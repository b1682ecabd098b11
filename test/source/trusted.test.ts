import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { changeableByOthers } from "../../src/files/hands.ts";
import { fileProblem, readTrusted } from "../../src/source/trusted.ts";

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pfxbridge-permissions-"));
  mkdirSync(join(folder, "etc"));
  file = join(folder, "etc", "pfxbridge.yaml");
  writeFileSync(file, "content");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("a file that decides what the bridge does", () => {
  it.each([
    ["is read when only its owner can write it", 0o644, 0o755, true, undefined],
    [
      "is refused to root when its group can write it",
      0o664,
      0o755,
      true,
      /group or others can write .*; chmod go-w/,
    ],
    [
      "is refused to root when others can write it",
      0o646,
      0o755,
      true,
      /group or others can write .*; chmod go-w/,
    ],
    [
      "is refused to root when others can replace it",
      0o644,
      0o777,
      true,
      /group or others can write the folder of/,
    ],
    ["is read where the sticky bit keeps others from replacing it", 0o644, 0o1777, true, undefined],
    ["is left to ordinary users' own care", 0o666, 0o777, false, undefined],
  ])("%s", (_, mode, folderMode, root, problem) => {
    chmodSync(file, mode);
    chmodSync(join(folder, "etc"), folderMode);
    const content = readTrusted(file, 100, root);
    if (problem === undefined) {
      expect(content).toEqual({ text: "content" });
      expect(fileProblem(file, root)).toBeUndefined();
    } else {
      expect(content).toEqual({ problem: expect.stringMatching(problem) });
      expect(fileProblem(file, root)).toMatch(problem);
    }
  });

  it("is refused to root when a group of others can replace it", () => {
    chmodSync(join(folder, "etc"), 0o775);
    // What root makes is of root's group.
    if (process.geteuid?.() === 0) chownSync(join(folder, "etc"), 0, 1);
    expect(fileProblem(file, true)).toMatch(/group or others can write the folder of/);
  });

  it("is refused to root when it was replaced after it was opened", () => {
    // What somebody opened in a folder with the sticky bit may have been his own, with root's put in its place at once.
    const opened = statSync(file);
    renameSync(file, `${file}.first`);
    writeFileSync(file, "content");
    expect(changeableByOthers(file, undefined, statSync(file))).toBeUndefined();
    expect(changeableByOthers(file, undefined, opened)).toMatch(/was replaced while it was read/);
  });

  it("has a largest size", () => {
    expect(readTrusted(file, 7)).toEqual({ text: "content" });
    expect(readTrusted(file, 6)).toEqual({ problem: `${file} is larger than 6 bytes` });
  });

  it("is no pipe that keeps the reader waiting", () => {
    const pipe = join(folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    expect(readTrusted(pipe, 100)).toEqual({ problem: `${pipe} is no file` });
  });
});
