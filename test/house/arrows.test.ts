/** Which way imports lead: the drawing in src/README.md, "The house", is the rule. A part of `npm run check`. */
import { readdirSync, readFileSync } from "node:fs";
import { join, posix, relative, resolve } from "node:path";
import { expect, it } from "vitest";

const SRC = resolve(import.meta.dirname, "../../src");

/** From the roof to the ground. */
const ROOMS = drawnRooms();

function drawnRooms(): string[] {
  const page = readFileSync(join(SRC, "README.md"), "utf8");
  const drawing = page.split("## The house")[1]!.split("\n## ")[0]!;
  return [...drawing.matchAll(/^ {4}([\w-]+)\/ /gm)].map(([, room]) => room!);
}

/** The room of a file; empty for one beside the rooms, such as main.ts. */
function roomOf(path: string): string {
  return path.includes("/") ? path.slice(0, path.indexOf("/")) : "";
}

function importsOf(path: string): string[] {
  const text = readFileSync(join(SRC, path), "utf8");
  return [...text.matchAll(/(?:from|import|import\()\s*"(\.{1,2}\/[^"]+\.ts)"/g)].map(([, to]) =>
    posix.normalize(posix.join(posix.dirname(path), to!)),
  );
}

const FILES = readdirSync(SRC, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
  .map((entry) => relative(SRC, join(entry.parentPath, entry.name)));

it("every folder of src has its floor in src/README.md, and every floor its folder", () => {
  const folders = readdirSync(SRC, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(folders.map(({ name }) => name).sort()).toEqual([...ROOMS].sort());
});

it("an import leads down, never up", () => {
  const up = FILES.filter((path) => roomOf(path) !== "").flatMap((path) =>
    importsOf(path)
      .filter((to) => leadsUp(roomOf(path), to))
      .map((to) => `src/${path} imports src/${to}`),
  );
  expect(up, "rooms from the roof to the ground: src/README.md").toEqual([]);
});

function leadsUp(room: string, to: string): boolean {
  // A file beside the rooms that imports none of them may be used by all.
  if (roomOf(to) === "") return importsOf(to).some((next) => roomOf(next) !== "");
  return ROOMS.indexOf(roomOf(to)) < ROOMS.indexOf(room);
}

it("sees what it is to see", () => {
  expect(FILES.length).toBeGreaterThan(200);
  expect(FILES.flatMap(importsOf).length).toBeGreaterThan(800);
  expect(leadsUp("model", "time/timer.ts")).toBe(true);
  expect(leadsUp("time", "model/request.ts")).toBe(false);
  expect(leadsUp("commands", "main.ts")).toBe(true);
});
