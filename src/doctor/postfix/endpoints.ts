/**
 * Which listener of the bridge a `check_policy_service` leads to. Postfix names a socket relative to its queue directory,
 * or to the jail that this is to a chrooted smtpd; the bridge names it absolutely.
 */
import { join } from "node:path";
import type { ListenerConfig } from "../../config/config.ts";
import { isLoopback } from "../../model/loopback.ts";
import { type Endpoint, formatEndpoint, parseEndpoint } from "../../postfix/endpoint.ts";
import { amiss, type Finding, note } from "../finding.ts";
import type { PolicyUse } from "./restrictions.ts";

const ANY_ADDRESS = ["0.0.0.0", "::"];

/** A use that leads to the bridge, and where. */
export interface OwnUse extends PolicyUse {
  readonly listener: ListenerConfig;
}

/** The uses that lead to a listener, and findings about the others. */
export function ownUses(
  uses: readonly PolicyUse[],
  listeners: readonly ListenerConfig[],
): { readonly own: readonly OwnUse[]; readonly findings: readonly Finding[] } {
  const own: OwnUse[] = [];
  const strangers: PolicyUse[] = [];
  for (const use of uses) {
    const endpoint = seenFromOutside(use);
    const listener = listeners.find((each) => endpoint !== undefined && leadsTo(endpoint, each.endpoint));
    if (listener === undefined) strangers.push(use);
    else own.push({ ...use, listener });
  }
  const listening = listeners.map(({ endpoint }) => formatEndpoint(endpoint)).join(", ");
  const findings = strangers.map((use) => aboutStranger(use, listeners, listening, own.length === 0));
  if (uses.length === 0) {
    findings.push(
      amiss(
        "Postfix",
        "no list of restrictions has a check_policy_service: nobody asks the bridge",
        `put one into main.cf, as in smtpd_recipient_restrictions = reject_unauth_destination, check_policy_service ${inMainCf(listeners[0]?.endpoint)}; README, "Postfix", says where`,
      ),
    );
  }
  return { own, findings };
}

function aboutStranger(
  use: PolicyUse,
  listeners: readonly ListenerConfig[],
  listening: string,
  isNobodyOwn: boolean,
): Finding {
  const jailed = jailMistake(use, listeners);
  if (jailed !== undefined) return jailed;
  const said = `check_policy_service ${use.endpoint} does not lead to this bridge, which listens on ${listening}`;
  if (!isNobodyOwn) return note(use.place, `${said}: another policy service, or a slip`);
  return amiss(use.place, said, `write ${inMainCf(listeners[0]?.endpoint)} there, or change listen`);
}

/** A path that would be right outside of the jail, or a socket that lies outside of it. */
function jailMistake(use: PolicyUse, listeners: readonly ListenerConfig[]): Finding | undefined {
  const path = pathOf(use.endpoint);
  if (!use.smtpd.chroot || path === undefined || !path.startsWith("/")) return undefined;
  const queue = use.smtpd.value("queue_directory");
  const meant = listeners.find(({ endpoint }) => endpoint.kind === "unix" && endpoint.path === path);
  if (meant === undefined) return undefined;
  const message = `smtpd runs in a chroot jail (${queue}), where ${path} would be ${join(queue, path)}`;
  return path.startsWith(`${queue}/`)
    ? amiss(use.place, message, `write unix:${path.slice(queue.length + 1)} there`)
    : amiss(
        use.place,
        message,
        `let the bridge listen on unix:${queue}/private/pfxbridge, and write unix:private/pfxbridge there`,
      );
}

/** As the bridge would name it. */
function seenFromOutside(use: PolicyUse): Endpoint | undefined {
  const queue = use.smtpd.value("queue_directory");
  const path = pathOf(use.endpoint);
  if (path !== undefined) {
    const outside = path.startsWith("/") && !use.smtpd.chroot ? path : join(queue, path);
    return { kind: "unix", path: outside };
  }
  const endpoint = parseEndpoint(use.endpoint);
  return "problem" in endpoint ? undefined : endpoint;
}

function pathOf(endpoint: string): string | undefined {
  return /^(?:unix|local):(.*)$/s.exec(endpoint)?.[1];
}

function leadsTo(asked: Endpoint, listening: Endpoint): boolean {
  if (asked.kind === "unix" || listening.kind === "unix") {
    return asked.kind === listening.kind && formatEndpoint(asked) === formatEndpoint(listening);
  }
  if (asked.port !== listening.port) return false;
  if (ANY_ADDRESS.includes(listening.host)) return true;
  if (asked.host === "localhost" || listening.host === "localhost") {
    return isLoopback(asked.host) && isLoopback(listening.host);
  }
  return asked.host === listening.host;
}

function inMainCf(endpoint: Endpoint | undefined): string {
  if (endpoint === undefined) return "inet:127.0.0.1:9998";
  const text = formatEndpoint(endpoint);
  return text.replace(/^unix:\/var\/spool\/postfix\//, "unix:");
}
