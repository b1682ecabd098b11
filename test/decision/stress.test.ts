/** A Postfix under stress is answered sooner: `stress_deadline` (STRESS_README). */
import { describe, expect, it } from "vitest";
import { GATE, silentService } from "../commands/services.ts";
import { open } from "./bridge.ts";

const FILES = { "gate.yaml": GATE };

async function waiting(stressDeadline: object, stress: string): Promise<number> {
  const corp = {
    url: await silentService(),
    mapping: "./gate.yaml",
    timeout: "10s",
    deadline: "1500ms",
    ...stressDeadline,
    on_failure: "DEFER ${cause}",
  };
  const { ask } = await open({ services: { corp } }, FILES);
  const from = performance.now();
  expect(await ask({ stress })).toBe("DEFER timeout");
  return performance.now() - from;
}

describe("stress_deadline", () => {
  it("is the deadline of a request with stress=yes", async () => {
    const ms = await waiting({ stress_deadline: "100ms" }, "yes");
    expect(ms).toBeGreaterThanOrEqual(95);
    expect(ms).toBeLessThan(1200);
  });

  it.each(["", "no"])("is not that of one with stress=%s", async (stress) => {
    expect(await waiting({ stress_deadline: "100ms" }, stress)).toBeGreaterThanOrEqual(1450);
  });

  it("is the deadline unless it is set", async () => {
    expect(await waiting({}, "yes")).toBeGreaterThanOrEqual(1450);
  });
});
