/** The text that `pfxbridge init` writes: a commented configuration, and the lines of main.cf that go with it. */

/** What the service is to Postfix: it may refuse what would pass, or grant what would be refused. */
export type Role = "gate" | "grant";

/** What Postfix gets while the service cannot answer. */
export type Outage = "closed" | "open" | "postfix";

export interface Choices {
  readonly name: string;
  readonly url: string;
  readonly mapping: string;
  /** Of the mapping, by name: what it cannot do without, and what was asked for. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** What the mapping takes as `secret.NAME`, and the file that holds it. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly role: Role;
  /** The mapping has a parameter that says what a permit is. */
  readonly hasPermit: boolean;
  readonly outage: Outage;
  /** How long a reply answers without a call; absent: nothing is remembered. */
  readonly remember?: string;
  /** How long it answers beyond that while the service cannot. */
  readonly stale?: string;
  readonly listen: string;
}

const ON_FAILURE = { closed: "fail-closed", open: "fail-open", postfix: "postfix-default" };

const MEANS: Record<Role, Record<Outage, string>> = {
  gate: {
    closed: "450: mail waits, and comes again",
    open: "mail passes unchecked",
    postfix: "what smtpd_policy_service_default_action in main.cf says, 451 by default",
  },
  grant: {
    closed: "450: mail waits, and comes again",
    open: "DUNNO, and reject_unauth_destination follows: relayed mail bounces (554)",
    postfix: "what smtpd_policy_service_default_action in main.cf says, 451 by default",
  },
};

/** pfxbridge.yaml. */
export function configurationOf(choices: Choices): string {
  const { name, url, mapping, role, outage, listen } = choices;
  return [
    "# pfxbridge.yaml: what pfxbridge listens on, whom it asks, what an outage means. Every key: man pfxbridge.yaml",
    "#",
    "#   pfxbridge check    every mistake, with line and column",
    "#   pfxbridge try      one decision, step by step",
    "#   pfxbridge doctor   what is amiss around it: the service, its certificate, main.cf",
    "",
    `listen: [${scalar(listen)}]`,
    "",
    "services:",
    `  ${scalar(name)}:`,
    `    url: ${scalar(url)}`,
    ...mappingLines(choices).map((line) => `    ${line}`),
    ...secretLines(choices).map((line) => `    ${line}`),
    `    # In an outage, Postfix gets: ${MEANS[role][outage]}.`,
    `    on_failure: ${ON_FAILURE[outage]}`,
    ...cacheLines(choices).map((line) => `    ${line}`),
    "    # How the bridge shows who it is; secrets belong in files of their own, 0640 and of its group.",
    "    # auth: { bearer: { file: /etc/pfxbridge/token } }",
    ...(mapping === "authzen"
      ? ["    # discover: authzen    # the service says itself where it is asked"]
      : []),
    "",
    "# Lets `pfxbridge status`, `reload`, `offline` and `forget` reach the running bridge; its folder must be there.",
    "# control: unix:/run/pfxbridge/control",
    "# For monitoring: /healthz, /readyz, /metrics, /status.",
    "# admin: inet:127.0.0.1:9997",
    "",
    "log:",
    "  level: info",
    "  # file: /var/log/pfxbridge/pfxbridge.log    # by default standard output, or the journal",
    "",
  ].join("\n");
}

/** What goes into main.cf, and why there. */
export function mainCfOf({ role, listen }: Pick<Choices, "role" | "listen">): string[] {
  const service = `check_policy_service { ${postfixEndpoint(listen)}, timeout=10s }`;
  return role === "gate"
    ? ["smtpd_recipient_restrictions =", "    reject_unauth_destination", `    ${service}`]
    : ["smtpd_relay_restrictions =", `    ${service}`, "    reject_unauth_destination"];
}

function mappingLines(choices: Choices): string[] {
  const { mapping, parameters, role, hasPermit } = choices;
  const set = Object.entries(role === "grant" && hasPermit ? { ...parameters, permit: "OK" } : parameters);
  const how =
    "# How it is asked, and what its reply means: `pfxbridge mappings` lists those that are shipped.";
  const what =
    role === "gate"
      ? "# A gate: it may refuse what Postfix would take."
      : hasPermit
        ? "# A grant: who is permitted may relay to anywhere."
        : "# A grant: the mapping itself must say OK for who may relay to anywhere.";
  if (set.length === 0) return [how, what, `mapping: ${scalar(mapping)}`];
  const values = set.map(([name, value]) => `${scalar(name)}: ${scalar(value)}`).join(", ");
  return [how, what, `mapping: { use: ${scalar(mapping)}, with: { ${values} } }`];
}

function secretLines({ secrets }: Choices): string[] {
  const files = Object.entries(secrets).map(([name, file]) => `${scalar(name)}: { file: ${scalar(file)} }`);
  return files.length === 0 ? [] : [`secrets: { ${files.join(", ")} }`];
}

function cacheLines({ remember, stale }: Choices): string[] {
  if (remember === undefined && stale === undefined) {
    return [
      "# What was decided before can still hold in an outage, also across a restart (store: lmdb).",
      "# cache: { store: lmdb, ttl: 1m, stale_if_error: 24h }",
    ];
  }
  return [
    "# Remembered in memory; store: lmdb keeps it across a restart.",
    "cache:",
    "  # store: lmdb",
    `  ttl: ${scalar(remember ?? "0s")}    # so long a reply answers without a call`,
    `  stale_if_error: ${scalar(stale ?? "24h")}    # and so much longer while the service cannot answer`,
  ];
}

/** In quotes, where YAML, also between brackets, would read it as anything but this text. */
function scalar(value: unknown): string {
  const isPlain = typeof value === "string" && /^(?:\.?\/)?[A-Za-z][\w./:@-]*[\w/]$/.test(value);
  const isWord = typeof value === "string" && /^(?:true|false|null|yes|no|on|off)$/i.test(value);
  const isDuration = typeof value === "string" && /^\d+(?:ms|s|m|h|d)$/.test(value);
  return (isPlain && !isWord) || isDuration ? String(value) : JSON.stringify(value);
}

/** As Postfix names it: a socket in its own folder by its place there, since smtpd(8) may be in a chroot. */
function postfixEndpoint(listen: string): string {
  return listen.replace(/^unix:\/var\/spool\/postfix\//, "unix:");
}
