import { describe, expect, it } from "vitest";
import { Flights } from "../../src/cache/flights.ts";
import { Deadline } from "../../src/upstream/deadline.ts";

describe("identical calls in flight", () => {
  it("are one call, and each gets its result", async () => {
    const flights = new Flights<string>();
    let calls = 0;
    let land: (result: string) => void = () => {};
    const call = () => {
      calls++;
      return new Promise<string>((resolve) => {
        land = resolve;
      });
    };
    const results = [1, 2, 3].map(() => flights.fly("k", new Deadline(1000), "late", call));
    land("landed");
    expect(await Promise.all(results)).toEqual([
      { result: "landed", joined: false },
      { result: "landed", joined: true },
      { result: "landed", joined: true },
    ]);
    expect(calls).toBe(1);
  });

  it("are different calls for different keys", async () => {
    const flights = new Flights<string>();
    const fly = (key: string) => flights.fly(key, new Deadline(1000), "late", async () => key);
    expect((await Promise.all([fly("a"), fly("b")])).map(({ result }) => result)).toEqual(["a", "b"]);
  });

  it("keep nobody past the own deadline", async () => {
    const flights = new Flights<string>();
    const never = new Promise<string>(() => {});
    void flights.fly("k", new Deadline(10_000), "late", () => never);
    const joined = await flights.fly("k", new Deadline(20), "late", async () => "unused");
    expect(joined).toEqual({ result: "late", joined: true });
  });

  it("leave nothing behind when the call fails", async () => {
    const flights = new Flights<string>();
    await expect(
      flights.fly("k", new Deadline(1000), "late", () => Promise.reject(new Error("x"))),
    ).rejects.toThrow("x");
    expect((await flights.fly("k", new Deadline(1000), "late", async () => "again")).result).toBe("again");
  });
});
