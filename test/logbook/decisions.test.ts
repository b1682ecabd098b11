import { appendFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as zlib from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DecisionRecord } from "../../src/logbook/decision-record.ts";
import { readDecisions, remarks } from "../../src/logbook/decisions.ts";
import { progressLine } from "../../src/logbook/progress.ts";
import { temporaryFolder } from "../support/temporary.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let number = 0;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

function line(id: number, more: object = {}): string {
  const time = new Date(Date.UTC(2026, 0, 2, 3, 4, 5) + id * 10).toISOString();
  const members = { level: "info", time, request_id: `id-${id}`, action: "DUNNO", source: "upstream" };
  return JSON.stringify({ ...members, sender: "a@example.net", ...more, msg: "decision" });
}

async function file(contents: string | Buffer): Promise<string> {
  const path = join(folder.path, `log-${number++}`);
  await writeFile(path, contents);
  return path;
}

async function read(...files: string[]) {
  const records: DecisionRecord[] = [];
  const counts = await readDecisions(files, (record) => void records.push(record));
  return { records, counts, ids: records.map(({ requestId }) => requestId) };
}

describe("a log of decisions", () => {
  it("is read line by line, other lines passed over", async () => {
    const other = '{"level":"info","msg":"started"}';
    const { ids, counts } = await read(await file(`${other}\n${line(1)}\n\n${line(2)}\n`));
    expect(ids).toEqual(["id-1", "id-2"]);
    expect(counts).toMatchObject({ decisions: 2, other: 1, noJson: 0 });
    expect(remarks(counts)).toEqual([]);
  });

  it("may lack the end of its last line, which is passed over unless it is whole", async () => {
    const { ids } = await read(await file(`${line(1)}\n${line(2)}`));
    expect(ids).toEqual(["id-1", "id-2"]);
    const cut = await read(await file(`${line(1)}\n${line(2).slice(0, -10)}`));
    expect(cut.ids).toEqual(["id-1"]);
  });

  it("comes compressed, whatever its name", async () => {
    const plain = `${line(1)}\n${line(2)}\n`;
    const zstd = (zlib as { zstdCompressSync?: (text: string) => Buffer }).zstdCompressSync;
    for (const packed of [zlib.gzipSync(plain), ...(zstd ? [zstd(plain)] : [])]) {
      expect((await read(await file(packed))).ids).toEqual(["id-1", "id-2"]);
    }
  });

  it("in several files is one, also of members of gzip that were put behind each other", async () => {
    const first = await file(zlib.gzipSync(`${line(1)}\n`));
    await appendFile(first, zlib.gzipSync(`${line(2)}\n`));
    expect((await read(first, await file(`${line(3)}\n`))).ids).toEqual(["id-1", "id-2", "id-3"]);
  });

  it("is cut into lines wherever its pieces end", async () => {
    const lines = Array.from({ length: 2000 }, (_, id) => line(id, { detail: "ü".repeat(id % 300) }));
    const { ids, records } = await read(await file(lines.join("\n")));
    expect(ids).toHaveLength(2000);
    expect(records.at(-1)!.detail).toBe("ü".repeat(1999 % 300));
  });

  it("keeps its priorities as journald and syslog write them", async () => {
    expect((await read(await file(`<6>${line(1)}\n`))).ids).toEqual(["id-1"]);
  });

  it("whose clock went back says how often", async () => {
    const { counts } = await read(await file([line(500), line(1), line(501)].join("\n")));
    expect(counts.backwards).toBe(1);
    expect(remarks(counts).join()).toContain("the clock was set back");
  });

  it("with a line without an end takes no memory for it", async () => {
    const { ids, counts } = await read(await file(`${line(1)}\n${"x".repeat(5_000_000)}\n${line(2)}\n`));
    expect(ids).toEqual(["id-1", "id-2"]);
    expect(counts.tooLong).toBe(1);
  });

  it("gives the whole request where it was logged, and says where it was not", async () => {
    const request = { sender: "a@example.net", helo_name: "x" };
    const { records } = await read(
      await file(
        [
          line(1, { request, recipients: ["b@example.org"] }),
          line(2),
          line(3, { request, shortened: true }),
        ].join("\n"),
      ),
    );
    expect(records.map(({ isWhole }) => isWhole)).toEqual([true, false, false]);
    expect(records[0]!.attributes.get("helo_name")).toBe("x");
    expect(records[0]!.recipients).toEqual(["b@example.org"]);
    expect([...records[1]!.attributes]).toEqual([["sender", "a@example.net"]]);
  });
});

describe("what is no log of decisions says so:", () => {
  const cases: readonly [name: string, contents: string | Buffer, said: string][] = [
    ["an empty file", "", "is empty"],
    ["a mail log", "Nov 25 17:00:00 mx postfix/smtpd[1]: connect from x\n", "is no log of decisions in JSON"],
    ["a log of level warn", '{"level":"warn","msg":"started"}\n', "log.level info"],
    ["one of another version", '{"msg":"decision","verdict":"OK"}\n', "another version"],
    ["numbers in place of texts", line(1, { action: 7 }), "another version"],
    ["damaged gzip", Buffer.concat([zlib.gzipSync("").subarray(0, 10), Buffer.alloc(50, 0xff)]), "damaged"],
    ["gzip that ends in the middle", zlib.gzipSync(line(1)).subarray(0, 40), "ends in the middle"],
  ];
  it.each(cases)("%s", async (_, contents, said) => {
    const path = await file(contents);
    await expect(read(path)).rejects.toThrow(said);
    await expect(read(path)).rejects.toThrow(path);
  });

  it("a file that is not there, and a folder", async () => {
    const path = join(folder.path, "missing");
    await expect(read(path)).rejects.toThrow(`${path} cannot be read: there is no such file`);
    await mkdir(path);
    await expect(read(path)).rejects.toThrow("it is a folder");
  });
});

it("a progress line says how far it is, how fast, and how long it takes", () => {
  expect(progressLine({ read: 5e8, total: 1e9 }, 1e6, 4000)).toBe(
    "[##########          ] 50 %, 1000000 decisions, 125 MB/s, 4 s left",
  );
  expect(progressLine({ read: 1e9, total: 5e11 }, 1, 1000)).toContain("9 min left");
  expect(progressLine({ read: 2e6, total: undefined }, 3, 1000)).toBe("2 MB, 3 decisions, 2 MB/s");
  expect(progressLine({ read: 0, total: 0 }, 0, 0)).toBe("0 MB, 0 decisions, 0 MB/s");
});
