/** A service on loopback and an Upstream that calls it, both closed when the test is over. */
import { once } from "node:events";
import http from "node:http";
import https from "node:https";
import net, { type AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { onTestFinished } from "vitest";
import type { UpstreamReply, UpstreamRequest } from "../../src/model/exchange.ts";
import type { Failure } from "../../src/model/failure.ts";
import { Deadline } from "../../src/time/deadline.ts";
import { anonymous } from "../../src/upstream/auth.ts";
import type { CallResult } from "../../src/upstream/call.ts";
import type { UpstreamOptions } from "../../src/upstream/options.ts";
import { Upstream } from "../../src/upstream/upstream.ts";

/** What `permitted` makes of a 2xx reply. */
export interface Answer {
  readonly body: string;
  readonly headers: ReadonlyMap<string, string>;
}

/** Much as a mapping with one rule for 2xx would. */
export function permitted({ status, headers, body }: UpstreamReply): Answer | Failure {
  if (status >= 500) return { cause: "http_5xx", status, detail: `status ${status}` };
  if (status >= 400) return { cause: "http_4xx", status, detail: `status ${status}` };
  if (status >= 300) return { cause: "bad_reply", status, detail: `status ${status}` };
  return { body: body.toString("utf8"), headers };
}

export const POST: UpstreamRequest = {
  method: "POST",
  path: "/check",
  headers: { "content-type": "application/json" },
  body: '{"sender":"a@example.org"}',
};

interface Recorded {
  readonly circuit: { readonly url: string; readonly state: string; readonly detail: string }[];
  readonly certificates: { readonly ok: boolean; readonly detail: string }[];
}

export interface Caller extends Recorded {
  readonly upstream: Upstream;
  /** One call, as nobody in particular; the deadline in milliseconds is 3000 unless given. */
  call(request?: Partial<UpstreamRequest>, deadline?: number): Promise<CallResult<Answer>>;
  /** The same as a client, whose address and accounts are given. */
  callAs(
    who: readonly [string, ...string[]],
    request?: Partial<UpstreamRequest>,
    deadline?: number,
  ): Promise<CallResult<Answer>>;
  /** The cause and detail of a call that must fail. */
  failure(deadline?: number): Promise<Failure>;
}

export function caller(urls: string | readonly string[], options: Partial<UpstreamOptions> = {}): Caller {
  const recorded: Recorded = { circuit: [], certificates: [] };
  const upstream = new Upstream(
    {
      name: "test",
      urls: [urls].flat().map((url) => new URL(url)),
      timeout: 1000,
      retry: { attempts: 1, backoff: 5, maxBackoff: 50 },
      breaker: { failureRate: 50, minimumCalls: 1000, window: 10_000, openFor: 200 },
      maxInFlight: 256,
      headers: {},
      authenticator: anonymous,
      tls: {},
      userAgent: "pfxbridge/test",
      ...options,
    },
    {
      onCircuit: (url, state, detail) => recorded.circuit.push({ url, state, detail }),
      onCertificates: (ok, detail) => recorded.certificates.push({ ok, detail }),
    },
  );
  onTestFinished(() => upstream.close());
  const call = (request: Partial<UpstreamRequest> = {}, deadline = 3000) =>
    upstream.call({
      request: { ...POST, ...request },
      id: "id-1",
      deadline: new Deadline(deadline),
      interpret: permitted,
    });
  const callAs = (
    blamed: readonly [string, ...string[]],
    request: Partial<UpstreamRequest> = {},
    deadline = 3000,
  ) =>
    upstream.call({
      request: { ...POST, ...request },
      id: "id-1",
      deadline: new Deadline(deadline),
      interpret: permitted,
      asker: { subject: blamed[0], blamed },
    });
  const failure = async (deadline?: number) => {
    const { answer } = await call({}, deadline);
    if (!("cause" in answer)) throw new Error(`an answer where a failure was expected: ${answer.body}`);
    return answer;
  };
  return { upstream, call, callAs, failure, ...recorded };
}

export async function httpService(listener: http.RequestListener): Promise<string> {
  return `http://127.0.0.1:${await listening(http.createServer(listener))}`;
}

/** @returns its port; the certificate decides by which name it can be called */
export function httpsService(options: https.ServerOptions, listener: http.RequestListener): Promise<number> {
  return listening(https.createServer(options, listener));
}

/** A server that speaks for itself, byte by byte. */
export async function rawService(onConnection: (socket: net.Socket) => void): Promise<string> {
  return `http://127.0.0.1:${await listening(net.createServer(onConnection))}`;
}

/** A URL where nobody listens. */
export async function refusingUrl(): Promise<string> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return `http://127.0.0.1:${port}`;
}

async function listening(server: net.Server): Promise<number> {
  const open = new Set<Duplex>();
  server.on("connection", (socket: Duplex) => {
    open.add(socket);
    socket.on("error", () => {}).on("close", () => open.delete(socket));
  });
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    for (const socket of open) socket.destroy();
    server.close();
    await once(server, "close");
  });
  return (server.address() as AddressInfo).port;
}
