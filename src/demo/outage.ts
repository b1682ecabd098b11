/**
 * An outage to look at: the demo's service is stopped and started again, and what Postfix would be answered meanwhile is
 * asked for. The lines of the log between what is told here are the bridge's own.
 */
import { setTimeout as pause } from "node:timers/promises";
import { askPolicyService } from "../postfix/client.ts";
import { parseEndpoint } from "../postfix/endpoint.ts";
import { DEMO_OPEN_FOR, DEMO_TTL } from "./config.ts";
import type { DemoService } from "./service.ts";

/** A line of the log may come later than what is told after it, in milliseconds. */
const LINES_TIME = 150;
const ASK_TIME = 10_000;
/** Until the service must be asked again, in milliseconds. */
const LONGEST_WAIT = 15_000;

const KNOWN = ["sender=foo@example.com", "client_address=1.2.3.4"];
const UNKNOWN = (n: number) => [`sender=new${n}@example.com`, "client_address=127.0.0.1"];

/**
 * Plays it, in about ten seconds.
 *
 * @param endpoint where the bridge is asked
 * @param tell prints a line
 */
export async function playOutage(
  service: Pick<DemoService, "stop" | "start">,
  endpoint: string,
  tell: (line: string) => void,
): Promise<void> {
  const ask = async (request: readonly string[]) => {
    const parsed = parseEndpoint(endpoint);
    if ("problem" in parsed) return undefined;
    const attributes = ["protocol_state=RCPT", "recipient=you@example.org", ...request].map((pair) => {
      const [name = "", value = ""] = pair.split("=");
      return [name, value] as const;
    });
    const reply = await askPolicyService(parsed, attributes, { timeout: ASK_TIME });
    return "problem" in reply ? undefined : reply.action;
  };
  const chapter = async (...lines: string[]) => {
    await pause(LINES_TIME);
    tell(["", ...lines, ""].map((line) => (line === "" ? line : `  ${line}`)).join("\n"));
  };

  await chapter("An outage, in about ten seconds. 1. The service answers; that is remembered.");
  await ask(KNOWN);
  await chapter(
    `2. The service is stopped. What is remembered answers, though it is past its ${DEMO_TTL / 1000} s`,
    "(stale); for what is not, on_failure does: the mail is deferred, and comes again.",
  );
  await service.stop();
  await pause(DEMO_TTL);
  await ask(KNOWN);
  for (let n = 0; n < 3; n++) await ask(UNKNOWN(n));
  await chapter("3. The circuit is open: the service is spared, and answers come at once.");
  await ask(KNOWN);
  await ask(UNKNOWN(4));
  await service.start();
  await chapter(
    `4. The service is back. Within ${DEMO_OPEN_FOR / 1000} s a call goes through as a trial, and the circuit closes.`,
  );
  for (const end = Date.now() + LONGEST_WAIT; Date.now() < end; await pause(1000)) {
    if ((await ask(UNKNOWN(5))) === "DUNNO") break;
  }
  await chapter("5. All is as it was.");
  await ask(KNOWN);
  await pause(LINES_TIME);
}
