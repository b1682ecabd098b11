/** Decisions found in log files, rotated and compressed ones as well. */
import { utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, it, onTestFinished } from "vitest";
import { findInLogs, withRotated } from "../../src/explain/from-log.ts";
import { temporaryFolder } from "../support/temporary.ts";

const line = (n: number, more: object = {}) =>
  `${JSON.stringify({
    level: "info",
    time: new Date(Date.UTC(2026, 0, 1, 0, 0, n)).toISOString(),
    request_id: `1f3a9c${String(n).padStart(2, "0")}-0000-4000-8000-000000000000`,
    listener: "x",
    service: "corp",
    action: "REJECT no",
    source: "upstream",
    rule: 2,
    attempts: 1,
    ms: 1,
    sender: `${n}@example.net`,
    recipient: "b@example.org",
    queue_id: "",
    msg: "decision",
    ...more,
  })}\n`;

async function folder(): Promise<string> {
  const { path, remove } = await temporaryFolder();
  onTestFinished(remove);
  return path;
}

it("takes the file and what was rotated of it, newest first, and nothing else", async () => {
  const path = await folder();
  const names = ["log", "log.1", "log.2.gz", "log-20260101.gz", "log.old", "logs", "other"];
  for (const [n, name] of names.entries()) {
    await writeFile(join(path, name), "");
    await utimes(join(path, name), 1000 - n, 1000 - n);
  }
  const found = await withRotated(join(path, "log"));
  expect(found.map((file) => file.slice(path.length + 1))).toEqual([
    "log",
    "log.1",
    "log.2.gz",
    "log-20260101.gz",
  ]);
  expect(await withRotated(join(path, "nowhere", "log"))).toEqual([join(path, "nowhere", "log")]);
});

it("finds one by the beginning of its request_id, in a compressed file, and reads no further", async () => {
  const path = await folder();
  const files = ["log", "log.1.gz", "log.2"].map((name) => join(path, name));
  await writeFile(files[0]!, `${line(9)}no json\n${line(8)}`);
  await writeFile(files[1]!, gzipSync(line(1, { reference: "mx1-1f3a9c01" }) + line(2)));
  await writeFile(files[2]!, line(1));
  const { decisions, looked } = await findInLogs(files, { id: "1f3a9c01", limit: 20 });
  expect(decisions).toMatchObject([
    { reference: "mx1-1f3a9c01", file: files[1], rule: 2, attributes: { sender: "1@example.net" } },
  ]);
  expect(looked).toEqual([`${files[0]} (3 lines)`, `${files[1]} (2 lines)`]);
});

it("lists the last ones about an address, newest first, and takes no text for a pattern", async () => {
  const path = await folder();
  const file = join(path, "log");
  await writeFile(file, Array.from({ length: 50 }, (_, n) => line(n)).join(""));
  const { decisions } = await findInLogs([file], { recipient: "B@example.org", limit: 3 });
  expect(decisions.map(({ attributes }) => attributes.sender)).toEqual([
    "49@example.net",
    "48@example.net",
    "47@example.net",
  ]);
  expect((await findInLogs([file], { sender: ".*", limit: 3 })).decisions).toEqual([]);
});

it("says of a file that cannot be read what is wrong, and goes on with the next", async () => {
  const path = await folder();
  const file = join(path, "log.1");
  await writeFile(file, line(1));
  const { decisions, looked } = await findInLogs([join(path, "log"), file], { id: "1f3a9c01", limit: 20 });
  expect(decisions).toHaveLength(1);
  expect(looked[0]).toMatch(/cannot be read: there is no such file/);
});
