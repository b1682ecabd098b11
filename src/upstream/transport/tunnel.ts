/**
 * A tunnel through a proxy (CONNECT, RFC 9110 §9.3.6): the proxy is asked for a connection to host and port, and says yes
 * with a 2xx; what comes after its header is the service's. The name is the proxy's to look up.
 */
import type { Socket } from "node:net";
import { ProxyError } from "./carrier.ts";
import { type HttpProxy, proxyFailure, refusalOf } from "./proxy.ts";

/** Bytes of the header of its reply. */
const LONGEST_HEADER = 16 * 1024;

/**
 * Asks for it on a socket that leads to the proxy.
 *
 * @param target host and port, an IPv6 address in brackets
 * @param done called once, with what went wrong or null; the socket is then left as it is
 */
export function openTunnel(
  socket: Socket,
  proxy: HttpProxy,
  target: string,
  done: (error: Error | null) => void,
): void {
  let read = Buffer.alloc(0);

  const finish = (error: Error | null) => {
    socket.off("readable", onReadable).off("end", onEnd).off("close", onEnd).off("error", onError);
    socket.on("error", () => {});
    done(error);
  };
  const onError = (error: Error) => finish(proxyFailure(proxy, error));
  const onEnd = () =>
    finish(new ProxyError(`the proxy ${proxy.url} closed the connection when it was asked for ${target}`));
  const onReadable = () => {
    for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null) {
      read = Buffer.concat([read, chunk]);
      const end = read.indexOf("\r\n\r\n");
      if (end === -1) {
        if (read.length > LONGEST_HEADER) return finish(noProxy(proxy));
        continue;
      }
      const problem = problemIn(read.toString("latin1", 0, end), proxy, target);
      const rest = read.subarray(end + 4);
      finish(problem);
      if (problem === null && rest.length > 0) socket.unshift(rest);
      return;
    }
  };

  socket.on("readable", onReadable).on("end", onEnd).on("close", onEnd).on("error", onError);
  const authorization = proxy.authorization();
  const credentials = authorization === undefined ? "" : `Proxy-Authorization: ${authorization}\r\n`;
  socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${credentials}\r\n`, "latin1");
}

function problemIn(head: string, proxy: HttpProxy, target: string): ProxyError | null {
  const [first = "", ...fields] = head.split("\r\n");
  const status = Number(/^HTTP\/1\.[01] ([1-5]\d\d)(?: |$)/.exec(first)?.[1] ?? 0);
  if (status === 0) return noProxy(proxy);
  if (status >= 200 && status < 300) return null;
  return refusalOf(proxy, target, status, (name) => {
    const values = fields
      .filter((field) => field.toLowerCase().startsWith(`${name}:`))
      .map((field) => field.slice(name.length + 1).trim());
    return values.length === 0 ? undefined : values.join(", ");
  });
}

function noProxy(proxy: HttpProxy): ProxyError {
  return new ProxyError(`what answers at ${proxy.url} is no HTTP proxy; check the url of proxy`);
}
