/** Somebody chooses a name or an address so that, run together in `cache.key`, it reads as somebody else's permit. */
import { expect, it } from "vitest";
import { run } from "../commands/program.ts";
import { Remembering } from "../commands/remembering.ts";

const ALICE = { sasl_username: "alice", client_address: "11.2.3.4" };
const BOTH = "${sasl_username}${client_address}";

const permitsAlice = async (key: string) => {
  const bridge = await Remembering.start({
    cache: { ttl: "1h", key },
    more: { timeout: "5s", deadline: "10s" },
    mapping: {
      request: {
        method: "POST",
        json: { user: "${sasl_username}", address: "${client_address}", sender: "${sender}" },
      },
      response: [
        { when: "body.allowed == true", action: "DUNNO" },
        { when: "body.allowed == false", action: "REJECT" },
      ],
    },
  });
  bridge.corp.answering = ({ json }) => ({
    body: { allowed: json?.user === ALICE.sasl_username && json.address === ALICE.client_address },
  });
  expect(await bridge.decide("alice", ALICE)).toMatchObject({ action: "DUNNO", source: "upstream" });
  return bridge;
};

it.each([
  ["side by side", BOTH, { sasl_username: "alice1", client_address: "1.2.3.4" }],
  ["side by side, all in one", BOTH, { sasl_username: "alice11.2.3.4", client_address: "" }],
  [
    "with a blank between",
    "${sasl_username} ${sender} ${client_address}",
    { sasl_username: "alice alice@example.org", sender: "", client_address: "11.2.3.4" },
  ],
  [
    "as a list would be written",
    "${json([sasl_username, client_address])}",
    { sasl_username: 'alice","11.2.3.4', client_address: "" },
  ],
])("nobody gets another's permit: %s", async (_, key, mallory) => {
  const bridge = await permitsAlice(key);
  expect(await bridge.decide("alice", ALICE)).toMatchObject({ action: "DUNNO", source: "cache" });
  expect(await bridge.decide("mallory", mallory)).toMatchObject({
    action: expect.stringMatching(/^REJECT/),
    source: "upstream",
  });
});

it("check warns of a key that leaves out who asks", async () => {
  const bridge = await permitsAlice("${sender}");
  const { stdout } = await run(["check", "-c", bridge.site.config]);
  expect(stdout).toContain("cache.key does not say who asks");
});
