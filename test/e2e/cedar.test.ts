/** Cedar decides by the policies of the guide, asked by the mapping cedar. */
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ask } from "../support/ask.ts";
import { blocks } from "../support/blocks.ts";
import { type Bridge, startBridge } from "../support/bridge.ts";
import { startCedar } from "../support/cedar.ts";
import type { AuthorizationService } from "../support/service.ts";
import { freePort } from "../support/temporary.ts";

const GUIDE = await readFile(new URL("../../mappings/README.md", import.meta.url), "utf8");
const FROM_THE_GUIDE = blocks(GUIDE, "cedar")[0]?.text ?? "";
const OTHERS = `
@id("ceo")
permit (principal == User::"ceo@example.org", action == Action::"rcpt", resource);

@id("archived") @obligation("archive")
permit (principal, action == Action::"mail", resource == MailServer::"postfix");

@id("slipshod")
forbid (principal, action == Action::"helo", resource) when { context.sender_domain == "spam.example" };
@id("greeting")
permit (principal, action == Action::"helo", resource);
`;

let cedar: AuthorizationService;
let bridge: Bridge;
let port: number;

beforeAll(async () => {
  cedar = await startCedar(FROM_THE_GUIDE + OTHERS);
  port = await freePort();
  bridge = await startBridge({
    config: {
      listen: [`inet:127.0.0.1:${port}`],
      services: {
        cedar: {
          url: cedar.url,
          mapping: "cedar",
          on_failure: { bad_reply: "DEFER bad reply", http_4xx: "DEFER not understood" },
        },
      },
    },
  });
});

afterAll(async () => {
  await bridge?.stop();
  await cedar?.stop();
});

const own = { client_address: "192.0.2.7" };
const foreign = { client_address: "198.51.100.9" };
const mail = { sender: "alice@example.net", recipient: "bob@example.org" };
const login = { sasl_method: "PLAIN", sasl_username: "carol", sender: "carol@example.org" };
const server = { recipient: "", sender: "" };

it.each([
  ["a stranger in the own network", { ...own, ...mail }, "DUNNO"],
  ["a bounce from the own network", { ...own, ...mail, sender: "" }, "DUNNO"],
  [
    "a user from anywhere to anywhere",
    { ...foreign, ...mail, ...login, recipient: "d@example.com" },
    "DUNNO",
  ],
  ["a user over IPv6", { ...mail, ...login, client_address: "2001:db8::1" }, "DUNNO"],
  ["a stranger from elsewhere", { ...foreign, ...mail }, "REJECT 5.7.1 Not authorized"],
  ["mail to another domain", { ...own, ...mail, recipient: "d@example.com" }, "REJECT 5.7.1 Not authorized"],
  [
    "a stranger in the own domain's name",
    { ...own, ...mail, sender: "c@example.org" },
    "REJECT 5.7.1 Not authorized",
  ],
  ["a client without an address", { ...mail, client_address: "" }, "REJECT 5.7.1 Not authorized"],
  ["a user whom a policy names", { ...foreign, ...mail, sasl_username: "ceo@example.org" }, "DUNNO"],
  [
    "a stranger who claims that name",
    { ...foreign, ...mail, sender: "ceo@example.org" },
    "REJECT 5.7.1 Not authorized",
  ],
  ["a permit with an obligation", { ...own, ...server, protocol_state: "MAIL" }, "DEFER bad reply"],
  ["a permit without a policy that failed", { ...own, ...server, protocol_state: "HELO" }, "DEFER bad reply"],
])("%s", async (_name, attributes, action) => {
  expect(await ask(port, attributes)).toBe(action);
});

it.each([
  ['x" || User::"ceo@example.org'],
  ['x", action, resource); permit (principal == User::"ceo@example.org'],
  ['ceo@example.org"'],
  ["back\\slash@example.net"],
  ["*"],
  ['::"*'],
  ["ünïcode@exämple.net"],
])("names the sender %s and nobody else", async (sender) => {
  expect(await ask(port, { ...foreign, ...mail, sender })).toBe("REJECT 5.7.1 Not authorized");
  expect(cedar.calls.at(-1)?.json).toMatchObject({
    principal: `Sender::${JSON.stringify(sender.toLowerCase())}`,
  });
});
