/**
 * A small client of the policy protocol: asks a policy service, this or another, as Postfix would
 * (SMTPD_POLICY_README), and judges the reply as Postfix would.
 *
 * One question, one connection. Whatever goes wrong is a problem in words: nobody listening, closed without
 * a reply, no reply in time, a reply that Postfix would not understand.
 */
import { isUtf8 } from "node:buffer";
import { connect } from "node:net";
import { type Endpoint, formatEndpoint } from "./endpoint.ts";

export interface PolicyReply {
  /** What the service wants Postfix to do, as it was sent. */
  readonly action: string;
  /** The whole reply, its empty line included. */
  readonly raw: string;
}

/** Postfix reads no more of a reply either. */
const LONGEST_REPLY = 64 * 1024;

/**
 * Asks once. `request=smtpd_access_policy` is put first where the attributes name no request.
 *
 * @param options.timeout milliseconds, from connecting to the end of the reply
 * @example
 * await askPolicyService(endpoint, [["sender", "a@example.net"]], { timeout: 5000 }); // { action: "DUNNO", … }
 */
export function askPolicyService(
  endpoint: Endpoint,
  attributes: Iterable<readonly [name: string, value: string]>,
  options: { readonly timeout: number },
): Promise<PolicyReply | { readonly problem: string }> {
  const request = formatRequest([...attributes]);
  if (typeof request !== "string") return Promise.resolve(request);
  const where = formatEndpoint(endpoint);

  return new Promise((resolve) => {
    const socket =
      endpoint.kind === "unix"
        ? connect(endpoint.path)
        : connect({ host: endpoint.host, port: endpoint.port });
    let received: Buffer = Buffer.alloc(0);
    const done = (result: PolicyReply | { readonly problem: string }) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(result);
    };
    const timer = setTimeout(() => {
      const what = socket.connecting ? "took no connection" : "did not answer";
      done({ problem: `${where} ${what} within ${options.timeout / 1000} s` });
    }, options.timeout);

    socket.on("connect", () => socket.write(request));
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.includes("\n\n")) done(parseReply(received, where));
      else if (received.includes("\n\r\n")) {
        done({ problem: `${where} ends its lines with CR LF, which Postfix does not understand` });
      } else if (received.length > LONGEST_REPLY) {
        done({ problem: `${where} sent more than ${LONGEST_REPLY} bytes without an empty line` });
      }
    });
    socket.on("end", () => done(endedEarly(received, where)));
    socket.on("error", (error: NodeJS.ErrnoException) => done({ problem: connectionProblem(error, where) }));
  });
}

function formatRequest(attributes: (readonly [string, string])[]): string | { readonly problem: string } {
  for (const [name, value] of attributes) {
    if (name === "" || /[=\n\0]/.test(name)) {
      return { problem: `an attribute name must not be empty, nor hold "=", a line break or NUL` };
    }
    if (/[\n\0]/.test(value)) return { problem: `the value of ${name} must not hold a line break or NUL` };
  }
  const type = attributes.some(([name]) => name === "request") ? "" : "request=smtpd_access_policy\n";
  return `${type}${attributes.map(([name, value]) => `${name}=${value}\n`).join("")}\n`;
}

function parseReply(received: Buffer, where: string): PolicyReply | { readonly problem: string } {
  const raw = received.toString();
  const end = raw.indexOf("\n\n");
  if (!isUtf8(received)) return { problem: `${where} sent a reply that is not valid UTF-8: ${shown(raw)}` };
  if (end + 2 < raw.length)
    return { problem: `${where} sent more after the end of its reply: ${shown(raw)}` };
  const lines = raw.slice(0, end).split("\n");
  const action = lines.find((line) => line.startsWith("action="))?.slice("action=".length);
  if (action === undefined || lines.some((line) => !line.includes("="))) {
    return { problem: `${where} sent no line "action=...": ${shown(raw)}` };
  }
  return { action, raw };
}

function endedEarly(received: Buffer, where: string): { readonly problem: string } {
  if (received.length === 0) {
    return {
      problem: `${where} closed the connection without a reply; Postfix would ask once more, then apply smtpd_policy_service_default_action`,
    };
  }
  return {
    problem: `${where} closed the connection before the empty line that ends a reply: ${shown(received.toString())}`,
  };
}

function connectionProblem(error: NodeJS.ErrnoException, where: string): string {
  switch (error.code) {
    case "ECONNREFUSED":
      return `nobody listens on ${where} (connection refused)`;
    case "ENOENT":
      return `there is no socket ${where}; is the service running?`;
    case "EACCES":
      return `no rights to connect to ${where}; ask as the user that Postfix runs as`;
    case "ECONNRESET":
    case "EPIPE":
      return `${where} closed the connection without a reply (reset)`;
    default:
      return `cannot connect to ${where}: ${error.message}`;
  }
}

/** The beginning of a reply, fit for a terminal. */
function shown(raw: string): string {
  return JSON.stringify(raw.slice(0, 200)).replace(/[^\x20-\x7e]/g, "?");
}
