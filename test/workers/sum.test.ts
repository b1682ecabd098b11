import { describe, expect, it } from "vitest";
import type { CircuitStatus, EngineStatus, ServiceStatus } from "../../src/bridge/status.ts";
import { sumOf } from "../../src/workers/sum.ts";

const at = (second: number) => `2026-03-01T12:00:0${second}.000Z`;
const closed: CircuitStatus = { url: "http://a", state: "closed", open_since: null, last_failure: null };
const open = (second: number): CircuitStatus => ({
  url: "http://a",
  state: "open",
  open_since: at(second),
  last_failure: "refused",
});
const up: ServiceStatus = {
  name: "corp",
  mode: "online",
  offline: null,
  mapping: "authzen",
  trouble: null,
  circuits: [closed],
  in_flight: 1,
  waiting: 2,
  max_in_flight: 128,
  answered: at(3),
  failure: null,
  cache: { store: "memory", entries: 10, hits: 1, stale: 2, misses: 3 },
};

function part(service: Partial<ServiceStatus> = {}, more: Partial<EngineStatus> = {}): EngineStatus {
  const decisions = { upstream: 5, cache: 1 };
  return { listeners: [], services: [{ ...up, ...service }], store_complaint: null, decisions, ...more };
}

const ofService = (...parts: Partial<ServiceStatus>[]) =>
  sumOf(
    parts.map((own) => part(own)),
    [],
  ).services[0];

describe("counts", () => {
  it("are added up", () => {
    expect(sumOf([part(), part()], []).decisions).toEqual({ upstream: 10, cache: 2 });
    expect(ofService({}, {})).toMatchObject({
      in_flight: 2,
      waiting: 4,
      max_in_flight: 256,
      cache: { entries: 20, hits: 2, stale: 4, misses: 6 },
    });
  });

  it("are added up by listener; one that is gone stays while it has connections", () => {
    const listener = (endpoint: string, connections: number) => ({
      endpoint,
      name: endpoint,
      connections,
      requests: 7,
      accepted: 3,
      refused: 1,
      malformed: 0,
    });
    const bound = [
      { endpoint: "a", name: "a", connections: 0, requests: 0, accepted: 0, refused: 2, malformed: 0 },
    ];
    const parts = [
      part({}, { listeners: [listener("old", 1), listener("a", 2)] }),
      part({}, { listeners: [listener("a", 3), listener("older", 0)] }),
    ];
    expect(sumOf(parts, bound).listeners).toEqual([
      { endpoint: "a", name: "a", connections: 5, requests: 14, accepted: 6, refused: 4, malformed: 0 },
      { endpoint: "old", name: "old", connections: 1, requests: 7, accepted: 3, refused: 1, malformed: 0 },
    ]);
  });

  it("of what is in a shared store are what each worker sees", () => {
    const cache = { store: "lmdb", entries: 10, hits: 1, stale: 0, misses: 0 };
    const late = { ...cache, entries: null };
    expect(ofService({ cache }, { cache }, { cache: late })?.cache).toMatchObject({ entries: 10, hits: 3 });
  });
});

describe("of what differs", () => {
  it("the worst circuit is shown, since when, and with how many workers see it so", () => {
    const [shown] = ofService({}, { circuits: [open(5)] }, { circuits: [open(2)] })?.circuits ?? [];
    expect(shown).toMatchObject({ state: "open", open_since: at(2), workers: 2, of_workers: 3 });
  });

  it.each([
    ["circuits", ["circuits", "circuits"]],
    ["some_circuits", ["circuits", null]],
    ["failing", ["failing", null]],
    [null, [null, null]],
  ] as const)("trouble is %s where workers say %j", (trouble, said) => {
    expect(ofService(...said.map((own) => ({ trouble: own })))?.trouble).toBe(trouble);
  });

  it("the latest answer and the latest failure are shown", () => {
    const failure = (second: number) => ({ at: at(second), cause: "timeout", detail: "late" }) as const;
    const sum = ofService({ answered: at(1), failure: failure(8) }, { answered: at(2), failure: failure(4) });
    expect(sum).toMatchObject({ answered: at(2), failure: failure(8) });
  });
});

it("without an answer of any worker there is nothing to add up", () => {
  expect(sumOf([], [])).toEqual({ listeners: [], services: [], store_complaint: null, decisions: {} });
});

it("adds up tokens, of which each worker has one of its own", () => {
  const token = (until: string | null, failure: string | null) => ({
    from: "https://login.example/token",
    until,
    there: until !== null,
    fetched: 2,
    failed: 1,
    failure: failure === null ? null : { at: failure, cause: "timeout" as const, detail: failure },
  });
  const late = "2026-03-01T10:00:00.000Z";
  const early = "2026-03-01T09:00:00.000Z";
  const services = [token(late, null), token(early, early), token(null, late)];
  expect(ofService(...services.map((each) => ({ token: each })))?.token).toEqual({
    ...token(early, late),
    fetched: 6,
    failed: 3,
  });
  expect(ofService({}, {})).not.toHaveProperty("token");
});
