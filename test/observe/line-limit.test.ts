import { describe, expect, it } from "vitest";
import { ATOMIC_WRITE, withinLimit } from "../../src/observe/line-limit.ts";

const write = (fields: object) => `${JSON.stringify(fields)}\n`;
const limited = (fields: object) => withinLimit(write(fields), ATOMIC_WRITE, write);

describe("a line of a log that several processes write", () => {
  it("stays as it is when it fits", () => {
    const fields = { level: "info", sender: "a@example.net", msg: "decision" };
    expect(limited(fields)).toBe(write(fields));
    const full = { text: "x".repeat(ATOMIC_WRITE - write({ text: "" }).length) };
    expect(limited(full)).toBe(write(full));
  });

  it.each([
    ["one long text", { sender: "x".repeat(10_000) }],
    ["bytes that are more than characters", { sender: "ü".repeat(3000) }],
    ["many texts", { list: Array.from({ length: 30 }, () => "x".repeat(1000)) }],
    ["more than can be shortened", { list: Array.from({ length: 3000 }, () => "x") }],
    [
      "a message that is long itself",
      { msg: "€".repeat(20_000), list: Array.from({ length: 3000 }, () => "x") },
    ],
    ["half a character at the cut", { sender: `${"x".repeat(1023)}${"😀".repeat(2000)}` }],
  ])("is shortened until it fits, and says so: %s", (_, fields) => {
    const line = limited({ level: "info", msg: "decision", ...fields });
    expect(Buffer.byteLength(line)).toBeLessThanOrEqual(ATOMIC_WRITE);
    expect(line.endsWith("\n")).toBe(true);
    expect(JSON.parse(line)).toMatchObject({ level: "info", shortened: true });
  });
});
