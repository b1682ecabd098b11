import { expect, it } from "vitest";
import { Activity } from "../../src/bridge/activity.ts";
import { OfflineSwitch } from "../../src/bridge/offline.ts";
import { type Running, serviceStatus } from "../../src/bridge/service-status.ts";
import { parseOnFailure } from "../../src/config/on-failure.ts";
import type { Service } from "../../src/decision/service.ts";
import type { CircuitState } from "../../src/upstream/limits/circuit.ts";

/** How a service stands whose circuits are in these states; it answered, or failed, last at these times. */
function status(states: readonly CircuitState[], answeredAt: number | null, failedAt: number | null) {
  const circuits = states.map((state, n) => ({ url: `http://${n}`, state, openSince: 1, lastFailure: "" }));
  const service = {
    name: "corp",
    mapping: { name: "authzen" },
    upstream: { report: { circuits, inFlight: 0, waiting: 0, limit: 256 } },
    cache: null,
    credentials: { token: null },
    ...parseOnFailure("DEFER ${cause}"),
  } as unknown as Service;
  const activity = new Activity();
  activity.of("corp").answeredAt = answeredAt;
  if (failedAt !== null) {
    activity.of("corp").failure = { at: failedAt, cause: "http_5xx", detail: "status 500" };
  }
  const running: Running = { offline: new OfflineSwitch(false), activity, mask: (text) => text };
  return serviceStatus(service, running);
}

it.each([
  ["all circuits open", ["open", "half-open"], 1, 2, "circuits", "DEFER circuit_open"],
  ["one of two open, and the other answers", ["open", "closed"], 2, 1, "some_circuits", undefined],
  ["one of two open, and the other fails", ["open", "closed"], 1, 2, "failing", "DEFER http_5xx"],
  ["the last call failed", ["closed"], 1, 2, "failing", "DEFER http_5xx"],
  ["the last call was answered", ["closed"], 2, 1, null, undefined],
  ["nothing was asked yet", ["closed"], null, null, null, undefined],
] as const)(
  "says what is wrong and what is answered: %s",
  async (_, states, answered, failed, trouble, action) => {
    const shown = await status(states, answered, failed);
    expect([shown.trouble, shown.default_action]).toEqual([trouble, action]);
  },
);
