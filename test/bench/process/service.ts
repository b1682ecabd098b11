/**
 * Authorization services in plain Node.
 *
 *     service.js permit          permits everybody at once: where there is no nginx
 *     service.js silent          takes connections and calls, and never replies
 *     service.js hostile         permits, but for one reply in 50, which costs as much as the limits allow
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

/** A filling as often as it fits into `size` bytes. */
const filled = (size: number, begin: string, filling: string, end: string): string =>
  begin + filling.repeat(Math.floor((size - begin.length - end.length) / filling.length)) + end;
const KIB = 1024;
const declarations = (count: number) => Array.from({ length: count }, (_, n) => `xmlns:p${n}="u"`).join(" ");
const items = (count: number) =>
  JSON.stringify({ items: Array.from({ length: count }, (_, n) => `item${n}`) });

/** The costliest of what the limits of values and tags let pass. */
const HOSTILE: readonly (readonly [type: string, body: string])[] = [
  ["application/json", items(2_000)],
  ["application/json", items(18_000)],
  ["application/json", filled(256 * KIB, '{"constructor":[0', ',{"abcdefg":1234}', "]}")],
  ["application/json", filled(256 * KIB, '{"n":9007199254740993,"a":[0', ',"abcdefg"', "]}")],
  [
    "application/json",
    JSON.stringify(Array.from({ length: 10_000 }, (_, n) => ({ [`k${n}`]: 1, x: "abcd" }))),
  ],
  ["text/xml", filled(64 * KIB, "<items>", "<item>abcdefghijkl</item>", "</items>")],
  ["text/xml", filled(64 * KIB, "<r>", '<a b="abcdefgh" c="abcdefgh" d="abcdefgh"/>', "</r>")],
  ["text/xml", filled(64 * KIB, `<r ${declarations(1_800)}>`, '<a xmlns:z="abcdefghijk"/>', "</r>")],
  ["text/plain", filled(1024 * KIB, "", "a\r\n", "")],
];
let calls = 0;

function disturb(response: ServerResponse): void {
  calls += 1;
  const [type, body] = calls % 50 === 0 ? (HOSTILE[(calls / 50) % HOSTILE.length] ?? []) : [];
  if (type === undefined || body === undefined) permit(response);
  else response.writeHead(200, { "content-type": type }).end(body);
}

const server = createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
  request.resume();
  if (behaviour === "permit") permit(response);
  if (behaviour === "hostile") disturb(response);
  if (behaviour !== "throttled") return;
  const now = performance.now();
  next = Math.max(next, now) + interval;
  setTimeout(permit, next - now, response);
});
server.listen({ host: "127.0.0.1", port: 0, backlog: 1024 }, () =>
  announce((server.address() as AddressInfo).port),
);
