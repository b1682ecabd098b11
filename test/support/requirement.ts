/**
 * What the end-to-end tests need of the machine. Where something is missing they are skipped, with one
 * line that says what to install; with PFXBRIDGE_E2E=required a skip is a failure instead.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { AXIS_FILES } from "./soap/axis.ts";
import { WSS4J_FILES } from "./soap/wss4j.ts";

interface Requirement {
  readonly isMet: () => boolean;
  readonly remedy: string;
}

const REQUIREMENTS = {
  root: {
    isMet: () => process.geteuid?.() === 0,
    remedy: "need root, to be another user: run the tests as root",
  },
  postfix: {
    isMet: () => process.geteuid?.() === 0 && runs("postconf", ["-d", "-h", "mail_version"]),
    remedy: "need Postfix and root to start it: apt-get install -y postfix, and run the tests as root",
  },
  php: {
    isMet: () => runs("php", ["-r", "exit(extension_loaded('soap') ? 0 : 1);"]),
    remedy: "need PHP with SOAP: apt-get install -y php-cli php-soap",
  },
  spyne: {
    isMet: () => runs("/usr/bin/python3", ["-c", "import spyne, lxml"]),
    remedy: "need Spyne: apt-get install -y python3-spyne python3-lxml",
  },
  soapLite: {
    isMet: () => runs("/usr/bin/perl", ["-MSOAP::Lite", "-e", "1"]),
    remedy: "need SOAP::Lite: apt-get install -y libsoap-lite-perl",
  },
  axis: {
    isMet: () => AXIS_FILES.every((file) => existsSync(file)) && runs("java", ["-version"]),
    remedy: "need Apache Axis: apt-get install -y libaxis-java libecj-java default-jre-headless",
  },
  wss4j: {
    isMet: () =>
      [...AXIS_FILES, ...WSS4J_FILES].every((file) => existsSync(file)) && runs("java", ["-version"]),
    remedy:
      "need Apache WSS4J: apt-get install -y libwss4j-java libaxis-java libecj-java default-jre-headless",
  },
  prism: {
    isMet: () => process.env.PFXBRIDGE_PRISM !== undefined,
    remedy:
      "need Prism: npm install --prefix FOLDER @stoplight/prism-cli@5.14, and PFXBRIDGE_PRISM=FOLDER/node_modules/.bin/prism",
  },
  redis: {
    isMet: () => runs("redis-server", ["--version"]) && runs("redis-cli", ["--version"]),
    remedy: "need Redis: apt-get install -y redis-server",
  },
  squid: {
    isMet: () => runs("squid", ["-v"]),
    remedy: "need squid: apt-get install -y squid",
  },
  tinyproxy: {
    isMet: () => runs("tinyproxy", ["-v"]),
    remedy: "need tinyproxy: apt-get install -y tinyproxy",
  },
  nginx: {
    isMet: () => runs("nginx", ["-v"]),
    remedy: "need nginx: apt-get install -y nginx",
  },
  buildah: {
    isMet: () => process.geteuid?.() === 0 && runs("buildah", ["--version"]),
    remedy: "need buildah, and root to run it: apt-get install -y buildah, and run the tests as root",
  },
  strace: {
    isMet: () => runs("strace", ["-o", "/dev/null", "true"]),
    remedy: "need strace: apt-get install -y strace",
  },
  rsyslog: {
    isMet: () => runs("rsyslogd", ["-v"]) && existsSync(rsyslogModule("lmnsd_gtls")),
    remedy: "need rsyslog with TLS: apt-get install -y rsyslog rsyslog-gnutls",
  },
  prometheus: {
    isMet: () => runs("prometheus", ["--version"]) && runs("promtool", ["--version"]),
    remedy: "need Prometheus: apt-get install -y --no-install-recommends prometheus",
  },
  systemd: {
    isMet: () => runs("systemd-analyze", ["--version"]) && runs("systemd-socket-activate", ["--version"]),
    remedy: "need systemd's own tools: apt-get install -y systemd",
  },
  zsh: {
    isMet: () => runs("zsh", ["--version"]),
    remedy: "need zsh: apt-get install -y zsh",
  },
  debhelper: {
    isMet: () =>
      process.geteuid?.() === 0 &&
      ["dh", "lintian", "dpkg-buildpackage"].every((tool) => runs("which", [tool])),
    remedy:
      "need root, debhelper and lintian: apt-get install -y debhelper dpkg-dev lintian, and run the tests as root",
  },
} satisfies Record<string, Requirement>;

function rsyslogModule(name: string): string {
  const folders = ["x86_64-linux-gnu", "aarch64-linux-gnu"].map((machine) => `/usr/lib/${machine}/rsyslog`);
  return folders.map((folder) => `${folder}/${name}.so`).find((file) => existsSync(file)) ?? "";
}

/**
 * Whether the tests called `tests` must be skipped, for want of what they need.
 *
 *     describe.skipIf(isMissing("php", "SOAP tests"))("…", () => { … });
 */
export function isMissing(name: keyof typeof REQUIREMENTS, tests: string): boolean {
  const { isMet, remedy } = REQUIREMENTS[name];
  if (isMet()) return false;
  const line = `${tests} ${remedy}`;
  if (process.env.PFXBRIDGE_E2E === "required") throw new Error(line);
  console.warn(`skipped: ${line}`);
  return true;
}

function runs(command: string, parameters: readonly string[]): boolean {
  return spawnSync(command, parameters, { stdio: "ignore", timeout: 10_000 }).status === 0;
}
