import { expect, it } from "vitest";
import { readLines } from "../../src/control/body.ts";

async function* chunks(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function linesOf(text: string, size: number): Promise<readonly [lines: string[], tooLong: number]> {
  let tooLong = 0;
  const lines: string[] = [];
  for await (const line of readLines(chunks(Buffer.from(text), size), () => tooLong++)) lines.push(line);
  return [lines, tooLong];
}

it.each([1, 2, 3, 7, 1000])("gives the same lines in chunks of %i bytes", async (size) => {
  expect(await linesOf('{"a":"ä€😀"}\n\n \r\nb\nlast', size)).toEqual([['{"a":"ä€😀"}', "b", "last"], 0]);
});

it.each([
  ["in the middle", (long: string) => `a\n${long}\nb\n`, ["a", "b"]],
  ["at the end", (long: string) => `a\n${long}`, ["a"]],
  ["alone", (long: string) => long, []],
])("leaves out a line that is too long, %s, and counts it once", async (_, text, expected) => {
  const long = "x".repeat(5_000_000);
  expect(await linesOf(text(long), 64 * 1024)).toEqual([expected, 1]);
  expect(await linesOf(text(long), 10_000_000)).toEqual([expected, 1]);
});

it("looks through what has come once, though it comes byte by byte", async () => {
  const text = `${"x".repeat(1_000_000)}\n`;
  const begin = performance.now();
  expect(await linesOf(text, 1)).toEqual([[text.trim()], 0]);
  // To look again at all of it with each byte takes minutes.
  expect(performance.now() - begin).toBeLessThan(10_000);
});
