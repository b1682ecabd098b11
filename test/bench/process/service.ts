/**
 * Authorization services in plain Node.
 *
 *     service.js permit          permits everybody at once: where there is no nginx
 *     service.js silent          takes connections and calls, and never replies
 *     service.js throttled 500   permits 500 a second at most, the others wait in line
 */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { PERMIT } from "../permit.ts";
import { announce } from "./jobs.ts";

const [behaviour, rate] = process.argv.slice(2);
const interval = 1000 / Number(rate);
/** When the next call is replied to, by performance.now(). */
let next = 0;

function permit(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "application/json", "content-length": PERMIT.length });
  response.end(PERMIT);
}

const server = createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
  request.resume();
  if (behaviour === "permit") permit(response);
  if (behaviour !== "throttled") return;
  const now = performance.now();
  next = Math.max(next, now) + interval;
  setTimeout(permit, next - now, response);
});
server.listen({ host: "127.0.0.1", port: 0, backlog: 1024 }, () =>
  announce((server.address() as AddressInfo).port),
);
