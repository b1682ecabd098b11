/** `npm start`. It listens on a port of its own choice, 9998: while somebody else has that, this waits, then skips. */
import { createServer } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Program, run, until } from "./program.ts";

const PORT = 9998;
const ENDPOINT = `inet:127.0.0.1:${PORT}`;
/** As long as another run of these tests takes, in milliseconds. */
const OTHERS = 20_000;

function isFree(): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(PORT, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

let free = false;
beforeAll(async () => {
  for (const until = Date.now() + OTHERS; !free && Date.now() < until; ) {
    free = await isFree();
    if (!free) await new Promise((resolve) => setTimeout(resolve, 250));
  }
  if (!free) console.warn(`skipped: tests of the demo need port ${PORT}, which somebody else has`);
});

it("answers the example of pfxpold's README by hand, over SOAP too, with a readable line for each", async (test) => {
  test.skip(!free, `port ${PORT} is in use`);
  const demo = new Program(["demo"]);
  await until("the banner", () => {
    if (!demo.alive) throw new Error(demo.stderr);
    return demo.stdout.includes("Ctrl-C ends the demo");
  });
  expect(demo.stdout).not.toContain("WARN");
  const client = await demo.connect(ENDPOINT);
  const typed = "sender=foo@example.com\r\nclient_address=1.2.3.4\r\nclient_name=foo.bar\r\n";
  client.write(`${typed}\r\n`);
  await client.answers(1);
  expect(client.received).toBe("action=DUNNO\n\n");
  client.write(`${typed.replace("1.2.3.4", "1.2.3.5")}\r\n`);
  client.write(`${typed}policy_context=soap\r\n\r\n`);
  client.write(`${typed.replace("foo@", "bar@")}policy_context=soap\r\n\r\n`);
  expect(await client.answers(4)).toEqual([
    "DUNNO",
    "REJECT 5.7.1 1.2.3.5 may not send as foo@example.com",
    "DUNNO",
    "REJECT 5.7.1 1.2.3.4 may not send as bar@example.com",
  ]);

  const decisions = await until("four lines", () => {
    const lines = demo.stdout.split("\n").filter((line) => line.includes("<foo@") || line.includes("<bar@"));
    return lines.length === 4 ? lines : undefined;
  });
  expect(decisions.map((line) => line.replace(/^.*?(?=- {2}<)/, "").replace(/[\d.]+ ms/, "N ms"))).toEqual([
    "-  <foo@example.com> -> <>  [1.2.3.4]  DUNNO  (authzen, rule 7, status 200, N ms)",
    expect.stringMatching(/^- {2}<foo@.*\[1\.2\.3\.5\] {2}REJECT 5\.7\.1 .* {2}\(authzen, rule 6, /),
    expect.stringMatching(/DUNNO {2}\(soap, rule 1, /),
    expect.stringMatching(/REJECT .* {2}\(soap, rule 2, /),
  ]);
  for (const line of decisions) expect(line).not.toMatch(/[{}"]/);

  // What it says on screen to type works.
  const [, typedCommand = ""] = /npx pfxbridge (try --to .* \\\n.*)\n/.exec(demo.stdout) ?? [];
  expect(await run(typedCommand.replace("\\\n", " ").trim().split(/\s+/))).toEqual({
    status: 0,
    stdout: "action=DUNNO\n",
    stderr: "",
  });

  expect(await run(["demo"])).toEqual({
    status: 1,
    stdout: "",
    stderr: expect.stringMatching(
      /^pfxbridge: cannot listen on inet:127\.0\.0\.1:9998: the port is in use; [^\n]+\n$/,
    ),
  });

  demo.signal("SIGINT");
  expect(await demo.ended).toBe(0);
  expect(demo.stderr).toBe("");
});

afterAll(async () => {
  // The next run can begin at once.
  if (free) expect(await isFree()).toBe(true);
});

it("shows an outage: remembered decisions, the default, and the circuit that closes", async (test) => {
  test.skip(!free, `port ${PORT} is in use`);
  const demo = new Program(["demo", "--outage"]);
  const shown = await until("the end of it", () => {
    if (!demo.alive) throw new Error(demo.stdout + demo.stderr);
    const [, after] = demo.stdout.split("5. All is as it was.");
    return after?.includes("DUNNO") ? demo.stdout : undefined;
  });
  const chapters = shown.split(/^ {2}(?=\d\. |An outage)/m).slice(1);
  expect(chapters).toHaveLength(5);
  const [first, second, third, fourth, fifth] = chapters;
  expect(first).toMatch(/<foo@example\.com>.* DUNNO .*\(authzen, rule 7, status 200/);
  expect(second).toMatch(/<foo@example\.com>.* DUNNO .*authzen, stale, rule 7/);
  expect(second).toMatch(/DEFER .*authzen, default/);
  expect(second).toContain("circuit opened");
  expect(third).toMatch(/<foo@example\.com>.* DUNNO .*\(circuit_open.*authzen, stale/);
  expect(fourth).toContain("circuit closed: the service is called again");
  expect(fifth).toMatch(/DUNNO .*\(authzen, rule 7, status 200/);
  demo.signal("SIGINT");
  expect(await demo.ended).toBe(0);
});
