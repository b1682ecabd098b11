/** `log.syslog`: where it is, and what stands before each line there. */
import { createSecureContext } from "node:tls";
import { isLoopback } from "../model/loopback.ts";
import type { SyslogPlace, SyslogTarget, SyslogTls } from "../observe/syslog/target.ts";
import { openUnixDatagrams } from "../observe/unix-datagrams.ts";
import { readTrusted } from "../source/trusted.ts";
import { messageOf } from "../upstream/transport/errors.ts";
import type { Report } from "./report.ts";
import type { RawSyslog } from "./schema.ts";
import { Secret } from "./secret.ts";

const PATH = ["log", "syslog"];
const LOCAL = "/dev/log";
const PORTS = { udp: 514, tcp: 601, tls: 6514 } as const;
const MOST_PEM = 1024 * 1024;
const EXPECTED =
  "expected local, unix:PATH, udp://HOST, tcp://HOST or tls://HOST, with :PORT where it is another than 514, 601 or 6514";

/** Undefined, and a problem in the report, where it cannot be used. */
export async function readSyslog(raw: RawSyslog, report: Report): Promise<SyslogTarget | undefined> {
  const table = typeof raw === "string" ? undefined : raw;
  const path = table === undefined ? PATH : [...PATH, "to"];
  const to = typeof raw === "string" ? raw : raw.to;
  const place = readPlace(to, table?.tls, path, report);
  if (place === undefined) return undefined;
  if (place.kind === "unix") await checkUnix(path, report);
  else if (place.kind !== "tls" && !isLoopback(place.host)) {
    report.warn(
      path,
      `${place.kind}:// carries senders and recipients in the clear, and anybody on the way can add lines; tls:// does neither`,
    );
  }
  return {
    place,
    facility: table?.facility ?? "mail",
    appName: table?.app_name ?? "pfxbridge",
    header: table?.header ?? (place.kind === "unix" ? "bsd" : "rfc5424"),
  };
}

type RawSyslogTls = Extract<RawSyslog, object>["tls"];

function readPlace(to: string, tls: RawSyslogTls, path: string[], report: Report): SyslogPlace | undefined {
  const isTls = to.startsWith("tls://");
  if (tls !== undefined && !isTls) {
    report.error([...PATH, "tls"], '"tls" is of use only where "to" is tls://HOST', { key: true });
    return undefined;
  }
  if (to === "local") return { kind: "unix", path: LOCAL };
  if (to.startsWith("unix:")) return { kind: "unix", path: report.resolve(to.slice("unix:".length)) };
  const match = /^(udp|tcp|tls):\/\/(\[[0-9a-fA-F:.]+\]|[\w.-]+)(?::(\d{1,5}))?\/?$/.exec(to);
  const port = match?.[3] === undefined ? undefined : Number(match[3]);
  if (match === null || port === 0 || (port ?? 0) > 65535) {
    report.error(path, EXPECTED);
    return undefined;
  }
  const kind = match[1] as keyof typeof PORTS;
  const at = { host: match[2]!.replace(/[[\]]/g, ""), port: port ?? PORTS[kind] };
  return kind === "tls" ? { kind, ...at, tls: readTls(tls ?? {}, report) } : { kind, ...at };
}

/** Read now, with root's rights at the start, and again with each reload. */
function readTls(raw: NonNullable<RawSyslogTls>, report: Report): SyslogTls {
  const path = [...PATH, "tls"];
  if ((raw.cert === undefined) !== (raw.key === undefined)) {
    report.error(path, '"cert" and "key" are of use only together', { key: true });
  }
  const read = (name: "ca" | "cert" | "key"): string | undefined => {
    if (raw[name] === undefined) return undefined;
    const file = readTrusted(report.resolve(raw[name]), MOST_PEM, undefined, report.owner);
    if ("text" in file) {
      if (name === "key") report.warnIfPublic([...path, name], report.resolve(raw[name]));
      return file.text;
    }
    report.error([...path, name], file.problem);
    return undefined;
  };
  const [ca, cert, key] = [read("ca"), read("cert"), read("key")];
  if (ca !== undefined && !ca.includes("-----BEGIN")) report.error([...path, "ca"], "no certificate in PEM");
  try {
    createSecureContext({
      ...(ca !== undefined && { ca }),
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
    });
  } catch (error) {
    report.error(path, `these files cannot be used for TLS (${messageOf(error)}); all are PEM`, {
      key: true,
    });
  }
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key: new Secret(key) }),
    ...(raw.server_name !== undefined && { serverName: raw.server_name }),
  };
}

/** What sends there may have been left out when it was installed. */
async function checkUnix(path: string[], report: Report): Promise<void> {
  const socket = await openUnixDatagrams(() => {});
  if ("problem" in socket) report.error(path, `${socket.problem}, or use udp://127.0.0.1`);
  else socket.close();
}
