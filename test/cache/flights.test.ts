import { describe, expect, it } from "vitest";
import { Flights } from "../../src/cache/flights.ts";
import { Deadline } from "../../src/time/deadline.ts";

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
    const deadlines = [1, 2, 3].map((seconds) => new Deadline(seconds * 1000));
    const results = deadlines.map((deadline) => flights.fly("k", "a", 0, deadline, "late", call));
    land("landed");
    expect(await Promise.all(results)).toMatchObject([
      { result: "landed", joined: null },
      { result: "landed", joined: { by: "a", deadline: deadlines[0] } },
      { result: "landed", joined: { by: "a", deadline: deadlines[0] } },
    ]);
    expect(calls).toBe(1);
  });

  it("are different calls for different keys", async () => {
    const flights = new Flights<string>();
    const fly = (key: string) => flights.fly(key, "a", 0, new Deadline(1000), "late", async () => key);
    expect((await Promise.all([fly("a"), fly("b")])).map(({ result }) => result)).toEqual(["a", "b"]);
  });

  it("are not joined by what is asked in another epoch, which others of that epoch join", async () => {
    const flights = new Flights<string>();
    const landings: ((result: string) => void)[] = [];
    const fly = (epoch: number) =>
      flights.fly(
        "k",
        "a",
        epoch,
        new Deadline(1000),
        "late",
        () => new Promise((land) => landings.push(land)),
      );
    const results = [fly(0), fly(1)];
    landings[0]?.("old");
    expect((await results[0])?.result).toBe("old");
    results.push(fly(1));
    landings[1]?.("new");
    expect((await Promise.all(results)).map(({ result }) => result)).toEqual(["old", "new", "new"]);
    expect(landings).toHaveLength(2);
  });

  it("keep nobody past the own deadline", async () => {
    const flights = new Flights<string>();
    const never = new Promise<string>(() => {});
    const long = new Deadline(10_000);
    void flights.fly("k", "a", 0, long, "late", () => never);
    const joined = await flights.fly("k", "a", 0, new Deadline(20), "late", async () => "unused");
    expect(joined).toMatchObject({ result: "late", joined: { by: "a", deadline: long } });
  });

  it("leave nothing behind when the call fails", async () => {
    const flights = new Flights<string>();
    await expect(
      flights.fly("k", "a", 0, new Deadline(1000), "late", () => Promise.reject(new Error("x"))),
    ).rejects.toThrow("x");
    expect((await flights.fly("k", "a", 0, new Deadline(1000), "late", async () => "again")).result).toBe(
      "again",
    );
  });
});
