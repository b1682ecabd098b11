import { expect, it } from "vitest";
import { GATE, permitting, service } from "../commands/services.ts";
import { open } from "./bridge.ts";

const ROUTES = [
  { when: 'sender == "no@example.net"', action: "REJECT 5.7.1 no" },
  { when: 'sender == "later@example.net"', action: "451 4.7.1 later" },
  { action: "DUNNO" },
];
const MESSAGES = 2000;

const instance = (n: number) => `${(4711 + (n % 7)).toString(16)}.65f${n.toString(16)}.${n % 1000}.0`;

it("logs a part of the decisions with a verb, message by message, and says which part", async () => {
  const { ask, lines } = await open({ routes: ROUTES, log: { sample: { DUNNO: 0.1 } } });
  for (let n = 0; n < MESSAGES; n++) {
    for (const recipient of ["a@example.org", "b@example.org"])
      await ask({ instance: instance(n), recipient });
  }
  const logged = new Map<unknown, number>();
  for (const line of lines) {
    expect(line.sample).toBe(0.1);
    logged.set(line.instance, (logged.get(line.instance) ?? 0) + 1);
  }
  expect([...logged.values()].every((count) => count === 2)).toBe(true);
  expect(logged.size / MESSAGES).toBeGreaterThan(0.07);
  expect(logged.size / MESSAGES).toBeLessThan(0.13);
});

it("logs every decision whose verb is not named, without a word about parts", async () => {
  const { ask, lines } = await open({ routes: ROUTES, log: { sample: { DUNNO: 0, "451": 0 } } });
  for (const sender of ["no", "later", "yes"]) await ask({ sender: `${sender}@example.net` });
  expect(lines.map(({ action }) => action)).toEqual(["REJECT 5.7.1 no"]);
  expect(lines[0]).not.toHaveProperty("sample");
});

it.each([
  ["by its verb not", { DEFER_IF_PERMIT: 0, upstream: 0 }, 1],
  ["where its source is named", { default: 0 }, 0],
])("leaves out what went wrong %s", async (_name, sample, count) => {
  const { url } = await service(() => ({ status: 503 }));
  const corp = { url, mapping: "rest", on_failure: "DEFER_IF_PERMIT 4.7.1 later", retry: { attempts: 1 } };
  const { ask, lines } = await open({ services: { corp }, log: { sample } });
  expect(await ask()).toBe("DEFER_IF_PERMIT 4.7.1 later");
  expect(lines.filter(({ msg }) => msg === "decision")).toHaveLength(count);
});

it("takes the smaller part where both verb and source are named", async () => {
  const { url } = await permitting();
  const corp = { url, mapping: "./gate.yaml", cache: {} };
  const { ask, lines } = await open(
    { services: { corp }, log: { sample: { cache: 0 } } },
    { "gate.yaml": GATE },
  );
  await ask();
  await ask();
  expect(lines.map(({ source }) => source)).toEqual(["upstream"]);
});
