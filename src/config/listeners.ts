/** `listen`: where Postfix finds the bridge. */
import { isLoopback } from "../model/loopback.ts";
import { parseEndpoint } from "../postfix/endpoint.ts";
import type { ListenerConfig } from "./config.ts";
import type { Report } from "./report.ts";
import type { RawListener } from "./schema.ts";

const SOCKET_FILE_KEYS = ["mode", "owner", "group"] as const;

export function readListeners(raw: readonly RawListener[], report: Report): readonly ListenerConfig[] {
  const listeners: ListenerConfig[] = [];
  const places = new Set<string>();
  for (const [index, entry] of raw.entries()) {
    const {
      endpoint: text,
      name = text,
      mode,
      owner,
      group,
      strangers = false,
    } = typeof entry === "string" ? { endpoint: entry } : entry;
    const path = typeof entry === "string" ? ["listen", index] : ["listen", index, "endpoint"];
    const endpoint = parseEndpoint(text);
    if ("problem" in endpoint) {
      report.error(path, endpoint.problem);
      continue;
    }
    if (endpoint.kind === "inet" && typeof entry !== "string") {
      for (const key of SOCKET_FILE_KEYS.filter((key) => entry[key] !== undefined)) {
        report.error(["listen", index, key], `"${key}" is of use only for a unix: socket`, { key: true });
      }
    }
    const place = JSON.stringify(endpoint);
    const anyPort = endpoint.kind === "inet" && endpoint.port === 0;
    if (places.has(place) && !anyPort) report.error(path, "this endpoint stands in the list twice");
    places.add(place);
    if (endpoint.kind === "inet" && !isLoopback(endpoint.host) && !strangers) {
      report.warn(
        path,
        `others than this machine can reach this endpoint, and the protocol knows no password: whoever does learns who may send; listen on inet:127.0.0.1:${endpoint.port} or a unix: socket, or keep strangers off with a firewall and say so: { endpoint: "${text}", strangers: true }`,
      );
    }
    listeners.push({
      endpoint,
      name,
      ...(mode !== undefined && { mode: Number.parseInt(mode, 8) }),
      ...(owner !== undefined && { owner }),
      ...(group !== undefined && { group }),
      ...(strangers && { strangers }),
    });
  }
  return listeners;
}
