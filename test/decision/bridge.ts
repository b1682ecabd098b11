/** The decision pipeline in the test's own process: a configuration brought to life, with a log that is kept. */

import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { stringify } from "yaml";
import { Bridge, type BridgeOptions } from "../../src/bridge/bridge.ts";
import { loadConfig } from "../../src/config/load.ts";
import { policyRequest } from "../../src/model/request.ts";
import type { LineLog } from "../../src/observe/log.ts";
import { writeYaml } from "../support/bridge.ts";
import { temporaryFolder } from "../support/temporary.ts";

export interface Opened {
  /** One decision: the action, or null for a closed connection. Its deadline may begin `later`, in milliseconds. */
  ask(attributes?: Readonly<Record<string, string>>, later?: number): Promise<string | null>;
  /** What was logged, with level and message. */
  readonly lines: Readonly<Record<string, unknown>>[];
}

/** Opens a configuration with files beside it; an object becomes YAML. Closed when the test is over. */
export async function open(
  config: object,
  files: Readonly<Record<string, unknown>> = {},
  options: BridgeOptions = {},
): Promise<Opened> {
  const { path, remove } = await temporaryFolder();
  for (const [name, content] of Object.entries({ ...files, "pfxbridge.yaml": stringify(config) })) {
    await writeYaml(join(path, name), content);
    await chmod(join(path, name), 0o600);
  }
  const lines: Record<string, unknown>[] = [];
  const bridge = await Bridge.open(
    await loadConfig(join(path, "pfxbridge.yaml")),
    keepingLog(lines),
    options,
  );
  onTestFinished(async () => {
    await bridge.close();
    await remove();
  });
  return {
    ask: async (attributes = {}, later = 0) => {
      const sent = { sender: "a@example.net", recipient: "b@example.org", ...attributes };
      const startedAt = performance.now() + later;
      return bridge.answer(policyRequest(new Map(Object.entries(sent)), { listener: "test", startedAt }));
    },
    lines,
  };
}

function keepingLog(lines: Record<string, unknown>[]): LineLog {
  const keep = (level: string) => (fields: object, msg: string) => void lines.push({ level, msg, ...fields });
  return {
    debug: keep("debug"),
    info: keep("info"),
    warn: keep("warn"),
    error: keep("error"),
    isLevelEnabled: () => true,
    line: (level, members) => void lines.push({ level, ...JSON.parse(`{${members}}`) }),
  };
}
