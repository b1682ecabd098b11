/** `control`: where the running bridge takes commands (`pfxbridge status`, `offline`, `forget` …), and from whom. */

import { join, parse } from "node:path";
import { z } from "zod";
import { isLoopback } from "../model/loopback.ts";
import { type Endpoint, formatEndpoint, parseEndpoint } from "../postfix/endpoint.ts";
import { ProblemError } from "../source/problem.ts";
import type { ControlConfig, ListenerConfig } from "./config.ts";
import { Masker } from "./masker.ts";
import { readToken, refuseSocketFileKeys } from "./own-endpoint.ts";
import { Report } from "./report.ts";
import { configSchema, type RawControl } from "./schema.ts";
import { readConfigFile } from "./source.ts";
import { stateFolder } from "./state-folder.ts";

const EMPTIED = /^\/(?:var\/)?run\//;
/** Of the control socket: its owner alone. */
const DEFAULT_MODE = 0o600;

export function readControl(
  raw: RawControl,
  listeners: readonly ListenerConfig[],
  report: Report,
  masker: Masker,
): ControlConfig | undefined {
  const { endpoint: text, mode, owner, group, token, state } = typeof raw === "string" ? only(raw) : raw;
  const path = typeof raw === "string" ? ["control"] : ["control", "endpoint"];
  const endpoint = parseEndpoint(text);
  if ("problem" in endpoint) {
    report.error(path, endpoint.problem);
    return undefined;
  }
  if (listeners.some((listener) => formatEndpoint(listener.endpoint) === formatEndpoint(endpoint))) {
    report.error(path, "this endpoint stands under listen as well; Postfix and commands need one each");
  }
  if (endpoint.kind === "inet") {
    refuseSocketFileKeys(raw, "control", report);
    checkNetwork(endpoint, raw, path, report);
  }
  const secret = token === undefined ? undefined : readToken(token, ["control", "token"], report, masker);
  const places = state === undefined ? defaultState(endpoint, report.file) : { state: report.resolve(state) };
  return {
    endpoint,
    mode: mode === undefined ? DEFAULT_MODE : Number.parseInt(mode, 8),
    ...(owner !== undefined && { owner }),
    ...(group !== undefined && { group }),
    ...(secret && { token: secret }),
    ...places,
  };
}

/**
 * Only what a command needs to find the running bridge: the rest of the file may be in need of repair meanwhile.
 *
 * @returns undefined where the file has no `control`
 * @throws ProblemError
 */
export function loadControl(file: string): ControlConfig | undefined {
  const schema = z.looseObject({ control: configSchema.shape.control, user: configSchema.shape.user });
  const { document, raw, owner } = readConfigFile(file, schema);
  const { control } = raw;
  if (control === undefined) return undefined;
  const report = new Report(document, owner);
  const config = readControl(control, [], report, new Masker());
  if (report.failed) throw new ProblemError(report.problems.filter(({ severity }) => severity === "error"));
  return config;
}

function only(endpoint: string): Exclude<RawControl, string> {
  return { endpoint };
}

function checkNetwork(
  endpoint: Endpoint & { kind: "inet" },
  raw: RawControl,
  path: string[],
  report: Report,
) {
  if (typeof raw === "string" || raw.token === undefined) {
    report.error(
      path,
      "on this machine anybody can connect to an inet: endpoint, so it needs a token: " +
        "control: { endpoint: …, token: { file: PATH } }; or use a unix: socket",
    );
  }
  if (!isLoopback(endpoint.host)) {
    report.warn(path, "the token crosses the network in the clear; better use 127.0.0.1, or ssh to the host");
  }
}

/** Beside the socket, but not under /run, which is emptied when the machine, or a unit, starts. Each configuration has its own. */
function defaultState(endpoint: Endpoint, config: string): Pick<ControlConfig, "state" | "formerState"> {
  const beside = endpoint.kind === "unix" ? `${endpoint.path}.state.json` : undefined;
  if (beside !== undefined && !EMPTIED.test(beside)) return { state: beside };
  const state = join(stateFolder(), `${parse(config).name}.state.json`);
  return { state, ...(beside !== undefined && { formerState: beside }) };
}
