/**
 * A private Postfix: Debian's package, run with a configuration, queue and log of its own under a
 * temporary folder, on ports of 127.0.0.1 that the test chooses. Nothing in /etc/postfix is used for
 * more than reading Postfix's own file lists, and nothing leaves the machine: every accepted message is
 * delivered by virtual(8) into one maildir, whatever its domain, where the test can read it.
 *
 * Needs root (see requirement.ts). Errors carry the tail of Postfix's log.
 */
import { execFile } from "node:child_process";
import { chmod, chown, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { vi } from "vitest";
import { freePort, temporaryFolder } from "./temporary.ts";

const run = promisify(execFile);

/** The domain that this Postfix is the final destination for; all others would be relayed. */
const LOCAL_DOMAIN = "example.org";

/** Parameters of main.cf. */
type Parameters = Readonly<Record<string, string>>;

export interface PostfixOptions {
  /** The smtpd services: a name of the test's choosing, and what differs from main.cf for it. */
  readonly smtpd: Readonly<Record<string, Parameters>>;
  /** Further lines of master.cf. */
  readonly master?: readonly string[];
}

export interface Postfix {
  /** The folder relative to which Postfix resolves `unix:private/NAME`. */
  readonly queueDirectory: string;
  /** The port of the smtpd service of that name. */
  port(name: string): number;
  /** The text of each message delivered so far, header lines that were prepended included. */
  messages(): Promise<string[]>;
  /** The message that holds `text`, as soon as it is delivered. */
  delivered(text: string): Promise<string>;
  log(): Promise<string>;
  stop(): Promise<void>;
}

export async function startPostfix(options: PostfixOptions): Promise<Postfix> {
  const folder = await temporaryFolder(0o755);
  const place = (name: string) => join(folder.path, name);
  const logFile = place("mail.log");
  const inbox = place("mail/inbox/new");
  const postfixUser = await userIds("postfix");
  const mailUser = await userIds("nobody");

  const ports = new Map<string, number>();
  for (const name of Object.keys(options.smtpd)) ports.set(name, await freePort());

  await mkdir(place("etc"));
  await mkdir(place("queue"));
  await mkdir(place("data"), { mode: 0o700 });
  await chown(place("data"), postfixUser.uid, postfixUser.gid);
  await mkdir(place("mail"));
  await chown(place("mail"), mailUser.uid, mailUser.gid);
  await writeFile(place("etc/main.cf"), mainCf(folder.path, mailUser));
  await writeFile(place("etc/master.cf"), masterCf(options, ports));
  await chmod(place("etc/main.cf"), 0o644);

  const log = () => readFile(logFile, "utf8").catch(() => "");
  const control = async (command: string) => {
    try {
      await run("postfix", ["-c", place("etc"), command], { timeout: 30_000 });
    } catch (error) {
      throw new Error(`postfix ${command} failed: ${String(error)}\n${(await log()).slice(-2000)}`);
    }
  };
  const messages = async () => {
    const files = await readdir(inbox).catch(() => []);
    return Promise.all(files.map((file) => readFile(join(inbox, file), "utf8")));
  };

  await control("start");
  return {
    queueDirectory: place("queue"),
    port: (name) => {
      const port = ports.get(name);
      if (port === undefined) throw new Error(`no smtpd service is called ${name}`);
      return port;
    },
    messages,
    delivered: (text) =>
      vi.waitFor(
        async () => {
          const message = (await messages()).find((candidate) => candidate.includes(text));
          if (message === undefined) {
            throw new Error(`no message with "${text}" was delivered\n${(await log()).slice(-2000)}`);
          }
          return message;
        },
        { timeout: 10_000, interval: 50 },
      ),
    log,
    stop: async () => {
      await control("stop");
      await folder.remove();
    },
  };
}

/** User and group id of a user of this machine. */
export async function userIds(user: string): Promise<{ uid: number; gid: number }> {
  const [uid, gid] = await Promise.all(["-u", "-g"].map((flag) => run("id", [flag, user])));
  return { uid: Number(uid?.stdout), gid: Number(gid?.stdout) };
}

function mainCf(folder: string, mailUser: { uid: number; gid: number }): string {
  const parameters: Parameters = {
    compatibility_level: "3.6",
    queue_directory: `${folder}/queue`,
    data_directory: `${folder}/data`,
    mail_owner: "postfix",
    setgid_group: "postdrop",
    maillog_file: `${folder}/mail.log`,
    maillog_file_prefixes: folder,
    myhostname: `mail.${LOCAL_DOMAIN}`,
    inet_interfaces: "127.0.0.1",
    inet_protocols: "ipv4",
    // Every client is a stranger, so that only the policy service can let it relay.
    mynetworks: "",
    mydestination: "",
    alias_maps: "",
    local_recipient_maps: "",
    smtpd_reject_unlisted_recipient: "no",
    smtpd_relay_restrictions: "reject_unauth_destination",
    // No look-up leaves the machine, and no delivery either.
    smtpd_peername_lookup: "no",
    disable_dns_lookups: "yes",
    smtp_host_lookup: "native",
    default_transport: "virtual",
    virtual_mailbox_domains: LOCAL_DOMAIN,
    virtual_mailbox_base: `${folder}/mail`,
    virtual_mailbox_maps: "static:inbox/",
    virtual_minimum_uid: "1",
    virtual_uid_maps: `static:${mailUser.uid}`,
    virtual_gid_maps: `static:${mailUser.gid}`,
    fast_flush_domains: LOCAL_DOMAIN,
    smtpd_error_sleep_time: "0",
    smtpd_soft_error_limit: "1000",
    smtpd_hard_error_limit: "1000",
    smtpd_client_connection_count_limit: "0",
  };
  return Object.entries(parameters)
    .map(([name, value]) => `${name} = ${value}\n`)
    .join("");
}

const DAEMONS = [
  "cleanup unix n - n - 0 cleanup",
  "qmgr unix n - n 300 1 qmgr",
  "rewrite unix - - n - - trivial-rewrite",
  "bounce unix - - n - 0 bounce",
  "defer unix - - n - 0 bounce",
  "trace unix - - n - 0 bounce",
  "flush unix n - n 1000? 0 flush",
  "proxymap unix - - n - - proxymap",
  "error unix - - n - - error",
  "retry unix - - n - - error",
  "virtual unix - n n - - virtual",
  "anvil unix - - n - 1 anvil",
  "postlog unix-dgram n - n - 1 postlogd",
];

function masterCf(options: PostfixOptions, ports: ReadonlyMap<string, number>): string {
  const smtpd = Object.entries(options.smtpd).map(([name, parameters]) => {
    const overrides = Object.entries(parameters).map(([key, value]) => `  -o { ${key} = ${value} }`);
    return [`127.0.0.1:${ports.get(name)} inet n - n - - smtpd`, ...overrides].join("\n");
  });
  return `${[...DAEMONS, ...smtpd, ...(options.master ?? [])].join("\n")}\n`;
}
