/** Controls that do as a test says and remember what they were asked, for tests of what comes before them. */
import type { Controls } from "../../src/control/controls.ts";

export interface FakeControls extends Controls {
  readonly asked: unknown[][];
}

export function fakeControls(own: Partial<Controls> = {}): FakeControls {
  const asked: unknown[][] = [];
  const note =
    <T>(name: string, result: T) =>
    async (...parameters: unknown[]) => {
      asked.push([name, ...parameters]);
      return result;
    };
  const status = {
    version: "1.2.3",
    pid: 1,
    started: "2026-01-01T00:00:00.000Z",
    uptime_s: 1,
    config: "/etc/pfxbridge/pfxbridge.yaml",
    listeners: [],
    services: [],
    store_complaint: null,
    decisions: {},
    reload: null,
  };
  return {
    asked,
    mask: (text) => text.replaceAll("hunter2", "***"),
    status: note("status", status),
    decisions: note("decisions", { decisions: [], kept: 0, since: null, cursor: "" }),
    offline: note("offline", { services: [] }),
    online: note("online", { services: [] }),
    reload: note("reload", { loaded: true, at: "2026-01-01T00:00:00.000Z", problems: [] }),
    forget: note("forget", { met: 0, complete: true }),
    exportCache: async function* () {
      yield '{"key":"a"}';
    },
    loadCache: async (lines) => {
      let loaded = 0;
      for await (const _ of lines) loaded++;
      return { loaded, refused: 0, reasons: {} };
    },
    ...own,
  };
}
