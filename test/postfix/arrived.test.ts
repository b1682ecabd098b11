/** A decision's time begins when its request is there, not when the process comes round to reading it. */
import { expect, it } from "vitest";
import type { PolicyHandler } from "../../src/postfix/connection.ts";
import { formatRequest } from "../support/policy-client.ts";
import { listening, pause } from "./listening.ts";

const BLOCKED = 150;

function block(milliseconds: number): void {
  const until = performance.now() + milliseconds;
  while (performance.now() < until);
}

/** Says how long ago the request's time began, after as many milliseconds of work as it asks for. */
const waited: PolicyHandler = ({ attributes, startedAt }) => {
  const answer = `INFO ${Math.round(performance.now() - startedAt)}`;
  block(Number(attributes.get("block") ?? 0));
  return answer;
};

async function askedFor(asking: Promise<string | null>): Promise<number> {
  return Number(String(await asking).replace("INFO ", ""));
}

it("counts what others of the same turn took", async () => {
  const { connect } = await listening(waited);
  const [first, second] = [await connect(), await connect()];
  await pause(20);
  const asked = [first, second].map((client) => askedFor(client.ask({ block: String(BLOCKED) })));
  const [least, most] = (await Promise.all(asked)).sort((a, b) => a - b);
  expect(most).toBeGreaterThanOrEqual(BLOCKED);
  expect(least).toBeLessThan(most!);
});

it("counts what the turn before took, if it came in meanwhile", async () => {
  let second = () => {};
  const { connect } = await listening((request) => {
    second();
    return waited(request);
  });
  const [one, other] = [await connect(), await connect()];
  await pause(20);
  const late = new Promise<number>((resolve) => {
    second = () => {
      second = () => {};
      // Written before this turn's work, and read in the next.
      resolve(askedFor(other.ask({ n: "1" })));
    };
  });
  one.write(formatRequest({ block: String(BLOCKED) }));
  expect(await late).toBeGreaterThanOrEqual(BLOCKED);
});

it("does not count what there was to do before it came", async () => {
  const { connect } = await listening(waited);
  const client = await connect();
  await client.ask({ block: String(BLOCKED) });
  await pause(20);
  expect(await askedFor(client.ask({ n: "1" }))).toBeLessThan(BLOCKED);
});

it("begins the time of a request behind another when that is answered", async () => {
  const { connect } = await listening(waited);
  const client = await connect();
  client.write(formatRequest({ block: String(BLOCKED) }) + formatRequest({ n: "1" }));
  const [, behind] = await client.answers(2);
  expect(Number(behind!.replace("INFO ", ""))).toBeLessThan(BLOCKED);
});
