/**
 * Asks each service once, as the bridge would: credentials, mapping and rules together. Nothing remembered answers, and nothing
 * is tried again.
 */
import { Bridge } from "../bridge/bridge.ts";
import { OfflineSwitch } from "../bridge/offline.ts";
import type { Config, ServiceConfig } from "../config/config.ts";
import type { Trace } from "../decision/decide.ts";
import { policyRequest } from "../model/request.ts";
import type { ServiceLog } from "../observe/log.ts";
import { visible } from "../text/visible.ts";
import { amiss, type Finding, well } from "./finding.ts";

/** Where the mapping has no example: addresses that are for documentation (RFC 2606, RFC 5737). */
const HARMLESS = {
  request: "smtpd_access_policy",
  protocol_state: "RCPT",
  protocol_name: "ESMTP",
  client_address: "192.0.2.1",
  client_name: "client.example.net",
  helo_name: "client.example.net",
  sender: "doctor@example.net",
  recipient: "postmaster@example.org",
};

/** What it is going to be asked about, in words. */
export function questionAbout({ mapping }: ServiceConfig): string {
  const [example] = mapping.examples;
  return example === undefined
    ? `${HARMLESS.sender} to ${HARMLESS.recipient}`
    : `the mapping's example "${visible(example.definition.name).slice(0, 100)}"`;
}

export async function checkQuestion(
  service: ServiceConfig,
  config: Config,
  log: ServiceLog,
): Promise<Finding> {
  const about = `service ${service.name}`;
  const { cache: _, batch: __, ...plain } = service;
  const once = { ...plain, warm: [], retry: { ...service.retry, attempts: 1 } };
  const bridge = await Bridge.open(
    {
      ...config,
      services: new Map([[service.name, once]]),
      routes: [{ number: 1, when: null, target: { service: service.name, onFailure: service.onFailure } }],
    },
    log,
    { offline: new OfflineSwitch(false) },
  );
  try {
    const begun = performance.now();
    const { action, source, cause, detail, status } = await bridge.explain(requestFor(service), SILENT);
    const ms = Math.round(performance.now() - begun);
    if (source === "upstream") return well(about, `asked, it answered ${visible(String(action))} (${ms} ms)`);
    const reply = status === undefined ? "" : `, status ${status}`;
    const what = visible(config.mask(detail ?? "no answer"));
    return amiss(about, `asked, it gave no answer (${cause}${reply}): ${what}`);
  } finally {
    await bridge.close();
  }
}

function requestFor({ mapping }: ServiceConfig) {
  const [example] = mapping.examples;
  const given = Object.entries(example?.definition.request ?? HARMLESS);
  const attributes = new Map(
    given.flatMap(([name, value]) => (Array.isArray(value) ? [] : [[name, String(value)] as const])),
  );
  const recipients = given.find(([name]) => name === "recipients")?.[1];
  return policyRequest(attributes, {
    listener: "doctor",
    ...(Array.isArray(recipients) && { recipients: recipients.map(String) }),
  });
}

const SILENT: Trace = {
  alone: true,
  onShared: () => {},
  onRoute: () => {},
  onRendered: () => {},
  onRemembered: () => {},
  onAttempt: () => {},
  onReply: () => {},
  onFailure: () => {},
};
