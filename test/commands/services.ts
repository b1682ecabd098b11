/** Authorization services on loopback that are stopped when the test is over, and mappings that ask them. */
import type { Socket } from "node:net";
import { onTestFinished } from "vitest";
import { type Answering, AuthorizationService } from "../support/service.ts";
import { listening } from "./raw-server.ts";

/** Asks for a permission in JSON: `{ allowed, reason }`. */
export const GATE = {
  request: { method: "POST", path: "/check", json: { sender: "${sender}", recipient: "${recipient}" } },
  response: [
    { when: "body.allowed == true", action: "DUNNO" },
    { when: "body.allowed == false", action: 'REJECT 5.7.1 ${first(body.?reason, "no")}' },
  ],
};

export const ANY_PORT = ["inet:127.0.0.1:0"];

export async function service(answering: Answering): Promise<AuthorizationService> {
  const started = await AuthorizationService.start(answering);
  onTestFinished(() => started.stop());
  return started;
}

/** Permits everything. */
export const permitting = () => service(() => ({ body: { allowed: true } }));

/** Answers when `release` is called; until then, `waiting` calls are in flight. */
export async function heldService() {
  let open: () => void = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const held = await service(async () => {
    await opened;
    return { body: { allowed: true } };
  });
  return { url: held.url, release: () => open(), waiting: () => held.calls.length };
}

/** A server that speaks for itself, byte by byte. */
export async function rawService(onConnection: (socket: Socket) => void): Promise<string> {
  const server = await listening(onConnection);
  onTestFinished(() => server.close());
  return server.url;
}

/** Never answers; its connections are accepted. */
export const silentService = () => rawService(() => {});
