/** Every decision ends within its deadline, whoever keeps it waiting. */
import { describe, expect, it } from "vitest";
import { GATE, permitting, rawService, service, silentService } from "../commands/services.ts";
import { open } from "./bridge.ts";

const DEADLINE = 500;
/** What a busy machine may add to the 50 ms. */
const MARGIN = 700;

const never = "new Promise(() => {})";
const module = (toRequest: string, toAction: string) =>
  `export const toRequest = () => ${toRequest};\nexport const toAction = () => ${toAction};`;
const CALL = '({ path: "/check", body: "{}" })';

const WAITS: readonly [string, () => Promise<string>, string][] = [
  ["a service that says nothing", silentService, "gate.yaml"],
  [
    "a service that fails at once, again and again",
    async () => (await service(() => ({ status: 503 }))).url,
    "gate.yaml",
  ],
  [
    "a reply that trickles",
    () =>
      rawService((socket) => {
        socket.write("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n");
        const timer = setInterval(() => socket.write(" "), 20);
        socket.on("close", () => clearInterval(timer));
      }),
    "gate.yaml",
  ],
  ["a module that never makes its call", async () => (await permitting()).url, "render.mjs"],
  ["a module that never reads the reply", async () => (await permitting()).url, "interpret.mjs"],
];

const FILES = {
  "gate.yaml": GATE,
  "render.mjs": module(never, '"DUNNO"'),
  "interpret.mjs": module(CALL, never),
};

describe("ends with the deadline, kept waiting by", () => {
  it.each(WAITS)("%s", async (_name, start, mapping) => {
    const url = await start();
    const { ask, lines } = await open(
      {
        services: {
          corp: {
            url,
            mapping: `./${mapping}`,
            timeout: "10s",
            deadline: `${DEADLINE}ms`,
            retry: { attempts: 20, backoff: "200ms", max_backoff: "5s" },
            on_failure: "DEFER ${cause}",
          },
        },
      },
      FILES,
    );
    const from = performance.now();
    expect(await ask()).toMatch(/^DEFER (timeout|http_5xx)$/);
    expect(performance.now() - from).toBeLessThan(DEADLINE + 50 + MARGIN);
    expect(lines.filter(({ msg }) => msg === "decision")).toHaveLength(1);
  });

  it("the slots of max_in_flight, all taken", async () => {
    const corp = {
      url: await silentService(),
      mapping: "./gate.yaml",
      timeout: "400ms",
      deadline: `${DEADLINE}ms`,
    };
    const { ask } = await open(
      {
        services: {
          corp: { ...corp, max_in_flight: 2, retry: { attempts: 1 }, on_failure: "DEFER ${cause}" },
        },
      },
      FILES,
    );
    const from = performance.now();
    const actions = await Promise.all(Array.from({ length: 20 }, () => ask()));
    expect(performance.now() - from).toBeLessThan(DEADLINE + 50 + MARGIN);
    expect(actions.filter((action) => action === "DEFER timeout").length).toBeGreaterThanOrEqual(2);
    expect(actions).toContain("DEFER overload");
  });
});

describe("identical calls that are one", () => {
  it("cost nobody the time of another: whoever has more left asks again", async () => {
    const { url } = await service(async () => {
      await new Promise((resolve) => setTimeout(resolve, 600));
      return { body: { allowed: true } };
    });
    const corp = {
      url,
      mapping: "./gate.yaml",
      timeout: "10s",
      deadline: "3s",
      cache: {},
      on_failure: "DEFER ${cause}",
    };
    const { ask } = await open({ services: { corp } }, FILES);
    const almostOver = ask({}, -2800);
    expect(await Promise.all([almostOver, ask()])).toEqual(["DEFER timeout", "DUNNO"]);
  });
});

describe("what a module does wrongly is its decision's failure only", () => {
  it.each([
    [
      "throws in toRequest",
      module("{ throw new Error('no') }", '"DUNNO"').replace("=> {", "=> {"),
      "mapping_error",
    ],
    ["gives no call", module("null", '"DUNNO"'), "mapping_error"],
    ["rejects in toAction", module(CALL, "Promise.reject(new Error('no'))"), "bad_reply"],
    ["gives an action that no reply may choose", module(CALL, '"OK"'), "bad_reply"],
    ["gives no text", module(CALL, "42"), "bad_reply"],
  ])("%s", async (_name, source, cause) => {
    const { url } = await permitting();
    const corp = { url, mapping: "./own.mjs", on_failure: "DEFER ${cause}" };
    const { ask } = await open({ services: { corp } }, { "own.mjs": source });
    expect(await ask()).toBe(`DEFER ${cause}`);
    expect(await ask()).toBe(`DEFER ${cause}`);
  });
});
