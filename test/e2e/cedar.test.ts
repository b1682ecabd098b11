/** Cedar decides by the policies of the guide, asked by the mapping cedar. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { ask } from "../support/ask.ts";
import { type Bridge, startBridge } from "../support/bridge.ts";
import { startCedar } from "../support/cedar.ts";
import { type Case, FIRST_POLICY, FOREIGN, firstPolicy, MAIL, OWN } from "../support/first-policy.ts";
import type { AuthorizationService } from "../support/service.ts";
import { freePort } from "../support/temporary.ts";

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
  cedar = await startCedar(firstPolicy("cedar") + OTHERS);
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

const server = { ...OWN, recipient: "", sender: "" };

it.each<Case>([
  ...FIRST_POLICY,
  ["a permit with an obligation", { ...server, protocol_state: "MAIL" }, "DEFER bad reply"],
  ["a permit without a policy that failed", { ...server, protocol_state: "HELO" }, "DEFER bad reply"],
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
  expect(await ask(port, { ...FOREIGN, ...MAIL, sender })).toBe("REJECT 5.7.1 Not authorized");
  expect(cedar.calls.at(-1)?.json).toMatchObject({
    principal: `Sender::${JSON.stringify(sender.toLowerCase())}`,
  });
});

it("is no permit where Cedar cannot read the sender", async () => {
  expect(await ask(port, { ...OWN, ...MAIL, sender: "bell\u0007@example.net" })).toBe("DEFER not understood");
});
