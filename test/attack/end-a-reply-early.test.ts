/** Somebody on the way to the service, or the service itself, ends a reply early, or sends one more than was asked for. */
import type { Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { Program, Site } from "../commands/program.ts";
import { ANY_PORT, GATE, rawService, service } from "../commands/services.ts";

const head = (more = "") => `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n${more}\r\n`;
const sized = (body: string) => head(`Content-Length: ${body.length}\r\n`) + body;
const [PERMIT, DENY] = ['{"allowed":true}', '{"allowed":false}'];

async function bridgeTo(url: string, more: object = {}): Promise<Program> {
  const site = await Site.create({
    "gate.yaml": GATE,
    "pfxbridge.yaml": {
      listen: ANY_PORT,
      services: { corp: { url, mapping: "./gate.yaml", retry: { attempts: 1 }, ...more } },
    },
  });
  return Program.serve(site);
}

describe("a permit", () => {
  const ends: readonly (readonly [string, string, "reset" | "end", RegExp])[] = [
    ["without a length, and a reset", head() + PERMIT, "reset", /^DEFER/],
    [
      "without a length, that says it closes, and a reset",
      head("Connection: close\r\n") + PERMIT,
      "reset",
      /^DEFER/,
    ],
    ["shorter than its length", head("Content-Length: 999\r\n") + PERMIT, "end", /^DEFER/],
    [
      "in a chunk without the last",
      `${head("Transfer-Encoding: chunked\r\n")}10\r\n${PERMIT}\r\n`,
      "end",
      /^DEFER/,
    ],
    // HTTP/1.0 has no other way to say where a reply ends (RFC 9112 §8).
    ["without a length, and an end", head("Connection: close\r\n") + PERMIT, "end", /^DUNNO/],
  ];
  it.each(ends)("%s", async (_, bytes, how, expected) => {
    const url = await rawService((socket) => {
      socket.once("data", () => {
        socket.write(bytes);
        setTimeout(() => (how === "reset" ? socket.resetAndDestroy() : socket.end()), 50);
      });
    });
    const bridge = await bridgeTo(url);
    expect(await bridge.ask({ sender: "a@example.net" })).toMatch(expected);
  });
});

describe("a permit that nobody asked for", () => {
  const answering = (extra: (socket: Socket) => void) =>
    rawService((socket) => {
      socket.on("data", () => {
        socket.write(sized(DENY));
        extra(socket);
      });
    });

  it.each([
    ["in one piece with a denial", 0, {}],
    ["a moment after a denial", 30, {}],
    ["in one piece with a denial, with pipelining", 0, { pipelining: 4 }],
    ["a moment after a denial, with pipelining", 30, { pipelining: 4 }],
  ] as const)("answers no later question: %s", async (_, pause, more) => {
    const url = await answering((socket) => {
      if (pause === 0) socket.write(sized(PERMIT));
      else setTimeout(() => socket.write(sized(PERMIT)), pause);
    });
    const bridge = await bridgeTo(url, more);
    const client = await bridge.connect();
    for (let n = 0; n < 5; n++) {
      expect(await client.ask({ request: "smtpd_access_policy", sender: `${n}@example.net` })).toMatch(
        /^REJECT/,
      );
      await new Promise((resolve) => setTimeout(resolve, 2 * pause));
    }
  });
});

describe("a batch", () => {
  it("with more or fewer decisions than were asked for decides nothing", async () => {
    for (const count of [-1, 1]) {
      const pdp = await service(({ url, json }) => {
        const evaluations = json?.evaluations;
        if (!url.endsWith("/evaluations") || !Array.isArray(evaluations))
          return { body: { decision: false } };
        return {
          body: {
            evaluations: Array.from({ length: evaluations.length + count }, () => ({ decision: true })),
          },
        };
      });
      const site = await Site.create({
        "pfxbridge.yaml": {
          listen: ANY_PORT,
          services: { corp: { url: pdp.url, batch: { max: 4, wait: "100ms" } } },
        },
      });
      const bridge = await Program.serve(site);
      const asked = [1, 2, 3, 4].map((n) =>
        bridge.ask({ sender: `${n}@example.net`, recipient: "b@example.org" }),
      );
      for (const action of await Promise.all(asked)) expect(action).toMatch(/^REJECT/);
      expect(pdp.calls.some(({ url }) => url.endsWith("/evaluations"))).toBe(true);
    }
  });
});
