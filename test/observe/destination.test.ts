import { spawnSync } from "node:child_process";
import { closeSync, constants, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Destination, type DestinationOptions } from "../../src/observe/destination.ts";
import { openWithoutBlocking } from "../../src/observe/standard-streams.ts";
import { type TemporaryFolder, temporaryFolder } from "../support/temporary.ts";

/** What a pipe holds, in bytes. */
const PIPE = 64 * 1024;
const MOST = 100_000;

let folder: TemporaryFolder;
let pipe: string;
beforeEach(async () => {
  folder = await temporaryFolder();
  pipe = namedPipe("pipe");
});
afterEach(() => folder.remove());

function namedPipe(name: string): string {
  const path = join(folder.path, name);
  expect(spawnSync("mkfifo", [path]).status).toBe(0);
  return path;
}

function open(path: string, more: Partial<DestinationOptions> = {}): Destination {
  const gap = (dropped: number) => Buffer.from(`dropped ${dropped}\n`);
  return new Destination(
    { fd: openWithoutBlocking(path), own: true },
    { most: MOST, piece: 4096, gap, ...more },
  );
}

/** Lines of a thousand bytes, numbered. */
function writeLines(destination: Destination, from: number, to: number): void {
  for (let number = from; number < to; number++) destination.write(line(number));
}

function line(number: number): Buffer {
  return Buffer.from(`${String(number).padEnd(999, ".")}\n`);
}

/** Reads until there is nothing for a moment, or what ends `last` has come. */
async function read(fd: number, last: string): Promise<string[]> {
  const piece = Buffer.alloc(PIPE);
  let text = "";
  const limit = performance.now() + 10_000;
  while (!text.endsWith(last) && performance.now() < limit) {
    try {
      text += piece.toString("utf8", 0, readSync(fd, piece));
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  return text.split("\n").slice(0, -1);
}

function reader(path: string): number {
  return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
}

const numbers = (lines: readonly string[]) =>
  lines.map((text) => (text.startsWith("dropped") ? text : Number.parseInt(text, 10)));
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => from + n);

describe("a place that takes nothing", () => {
  it("gets what waited when it takes lines again: all, whole and in order", async () => {
    const fd = reader(pipe);
    const destination = open(pipe, { most: 1_000_000 });
    writeLines(destination, 0, 90);
    await new Promise((resolve) => setTimeout(resolve, 50));
    writeLines(destination, 90, 110);
    const got = read(fd, line(199).toString());
    await new Promise((resolve) => setTimeout(resolve, 50));
    writeLines(destination, 110, 200);
    expect(numbers(await got)).toEqual(range(0, 200));
    await destination.end(1000);
    closeSync(fd);
  });

  it("may be a named pipe that nobody reads yet", async () => {
    const destination = open(pipe, { most: 1_000_000 });
    writeLines(destination, 0, 90);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const fd = reader(pipe);
    writeLines(destination, 90, 100);
    expect(numbers(await read(fd, line(99).toString()))).toEqual(range(0, 100));
    await destination.end(1000);
    closeSync(fd);
  });

  it("costs the lines beyond the limit, which are counted, once", async () => {
    const fd = reader(pipe);
    const destination = open(pipe);
    writeLines(destination, 0, 1000);
    await new Promise((resolve) => setTimeout(resolve, 50));
    writeLines(destination, 1000, 2000);
    const lines = numbers(await read(fd, "00\n").catch(() => []));
    const kept = lines.filter((each) => typeof each === "number");
    // One gap for each time that it was full, and each as large as it says.
    let next = 0;
    for (const each of lines) {
      if (typeof each === "string") next += Number(each.replace("dropped ", ""));
      else expect(each).toBe(next++);
    }
    expect(next).toBe(2000);
    expect(lines.length - kept.length).toBeLessThanOrEqual(2);
    // What waits, what the pipe holds, and one piece between them.
    expect(kept.length).toBeGreaterThan(MOST / 1000);
    expect(kept.length).toBeLessThanOrEqual((MOST + PIPE + 4096) / 1000);
    writeLines(destination, 2000, 2010);
    expect(numbers(await read(fd, line(2009).toString()))).toEqual(range(2000, 2010));
    await destination.end(1000);
    closeSync(fd);
  });

  it("gets no more than the time that it is given at the end", async () => {
    const destination = open(pipe);
    writeLines(destination, 0, 150);
    const begun = performance.now();
    const next = open(pipe);
    next.follow(destination);
    await next.end(200);
    expect(performance.now() - begun).toBeGreaterThan(150);
    // Less than the one before it may take.
    expect(performance.now() - begun).toBeLessThan(1500);
  });

  it("and never will, for its reader has gone, is not waited for", async () => {
    const fd = reader(pipe);
    const writing = openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
    closeSync(fd);
    const options = { most: MOST, piece: 4096, gap: () => Buffer.alloc(0) };
    const destination = new Destination({ fd: writing, own: true }, options);
    writeLines(destination, 0, 3);
    const begun = performance.now();
    await destination.end(20_000);
    expect(performance.now() - begun).toBeLessThan(10_000);
  });
});

describe("one destination after another", () => {
  it("begins when the one before has written what it had", async () => {
    const fd = reader(pipe);
    const former = open(pipe);
    writeLines(former, 0, 100);
    const next = open(pipe);
    next.follow(former);
    writeLines(next, 100, 120);
    expect(numbers(await read(fd, line(119).toString()))).toEqual(range(0, 120));
    await next.end(1000);
    closeSync(fd);
  });

  it("takes over what the one before could not write, with its gap, through any number of them", async () => {
    const stuck = open(pipe, { most: 80_000 });
    writeLines(stuck, 0, 1000);
    const other = namedPipe("other");
    const [second, third] = [open(other), open(other)];
    second.follow(stuck);
    writeLines(second, 1000, 1001);
    third.follow(second);
    writeLines(third, 1001, 1002);
    const fd = reader(other);
    const lines = numbers(await read(fd, line(1001).toString()));
    const inPipe = lines[0] as number;
    expect(inPipe).toBeGreaterThanOrEqual(0);
    const gap = lines.findIndex((each) => typeof each === "string");
    expect(lines.slice(0, gap)).toEqual(range(inPipe, inPipe + gap));
    expect(lines.slice(gap)).toEqual([`dropped ${1000 - inPipe - gap}`, 1000, 1001]);
    await third.end(1000);
    closeSync(fd);
  });
});

it.skipIf(process.geteuid?.() !== 0)(
  "a full disk gets what waited when there is room, and two that write to one file leave each other's lines whole",
  async () => {
    const disk = join(folder.path, "disk");
    const mounted = spawnSync("sh", ["-c", `mkdir ${disk} && mount -t tmpfs -o size=64k tmpfs ${disk}`]);
    if (mounted.status !== 0) return;
    try {
      const { readFile, truncate } = await import("node:fs/promises");
      const file = join(disk, "log");
      const [one, two] = [open(file, { shared: true }), open(file, { shared: true })];
      writeLines(one, 0, 50);
      writeLines(two, 100, 150);
      await new Promise((resolve) => setTimeout(resolve, 100));
      const before = await readFile(file, "utf8");
      await truncate(file, 0);
      await Promise.all([one.end(5000), two.end(5000)]);
      const lines = `${before}${await readFile(file, "utf8")}`.split("\n");
      const whole = numbers(lines.filter((text) => text.length === 999)) as number[];
      expect(whole.filter((number) => number < 100)).toEqual(range(0, 50));
      expect(whole.filter((number) => number >= 100)).toEqual(range(100, 150));
    } finally {
      spawnSync("umount", [disk]);
    }
  },
);
