import { describe, expect, it } from "vitest";
import { hasAllRecipients, policyRequest } from "../../src/model/request.ts";
import { DEFAULT_RECIPIENT_LIMITS, RecipientMemory } from "../../src/postfix/recipients.ts";

const request = (protocol_state: string, instance: string, recipient = "", queue_id = "") =>
  new Map(Object.entries({ protocol_state, instance, recipient, queue_id }));

function memory(limits = DEFAULT_RECIPIENT_LIMITS) {
  const problems: string[] = [];
  const recipients = new RecipientMemory((problem) => problems.push(problem), limits);
  return {
    problems,
    rcpt: (recipient: string, action: string | null = "DUNNO", instance = "i1", queueId = "") =>
      recipients.answered(request("RCPT", instance, recipient, queueId), action),
    rcpts: (state = "DATA", recipient = "") => recipients.rcptsOf(request(state, "i1", recipient)),
    at: (state: string, instance = "i1", recipient = "") =>
      recipients.of(request(state, instance, recipient)),
  };
}

describe("the recipients of a message", () => {
  it("are those whose RCPT was answered, in order, once each", () => {
    const { rcpt, at } = memory();
    for (const recipient of ["b@x", "a@x", "b@x", "c@x"]) rcpt(recipient);
    expect(at("DATA")).toEqual(["b@x", "a@x", "c@x"]);
    expect(at("END-OF-MESSAGE")).toEqual(["b@x", "a@x", "c@x"]);
  });

  it.each(["REJECT no", "DEFER", "DEFER_IF_PERMIT", "450 later", "550 no", null])(
    "are without one whose answer was %s",
    (action) => {
      const { rcpt, at } = memory();
      rcpt("a@x");
      rcpt("b@x", action);
      expect(at("DATA")).toEqual(["a@x"]);
    },
  );

  it("lose one that is refused later in the same RCPT, as by a second list of restrictions", () => {
    const { rcpt, at } = memory();
    rcpt("b@x");
    rcpt("a@x");
    rcpt("a@x", "REJECT");
    expect(at("DATA")).toEqual(["b@x"]);
  });

  it("keep one that Postfix took, though it was refused when it was given again", () => {
    const { rcpt, at } = memory();
    rcpt("a@x");
    rcpt("b@x");
    rcpt("a@x", "REJECT");
    expect(at("DATA")).toEqual(["a@x", "b@x"]);
  });

  it("are forgotten with the next message", () => {
    const { rcpt, at } = memory();
    rcpt("a@x");
    rcpt("b@x", "DUNNO", "i2");
    expect(at("DATA", "i1")).toEqual([]);
    expect(at("DATA", "i2")).toEqual(["b@x"]);
  });

  it("are not kept without an instance", () => {
    const { rcpt, at } = memory();
    rcpt("a@x", "DUNNO", "");
    expect(at("DATA", "")).toEqual([]);
  });

  it("are the one that is named, where one is", () => {
    const { rcpt, at } = memory();
    rcpt("a@x");
    rcpt("b@x");
    expect(at("RCPT", "i1", "c@x")).toEqual(["c@x"]);
    expect(at("DATA", "i1", "a@x")).toEqual(["a@x"]);
    expect(at("VRFY", "", "v@x")).toEqual(["v@x"]);
    expect(at("MAIL")).toEqual([]);
  });

  it("are what they were when asked, whatever is answered later", () => {
    const { rcpt, at } = memory();
    rcpt("a@x");
    const then = at("DATA");
    rcpt("b@x");
    expect(then).toEqual(["a@x"]);
  });

  it.each([
    ["in number", { recipients: 2, bytes: 1000 }],
    ["in bytes", { recipients: 100, bytes: 7 }],
  ])("are bounded %s, with one log line for each message", (_, limits) => {
    const { rcpt, at, problems } = memory(limits);
    for (const recipient of ["a@x", "b@x", "c@x", "d@x"]) rcpt(recipient);
    expect(at("DATA")).toEqual(["a@x", "b@x"]);
    expect(problems).toEqual([expect.stringContaining("after the first 2")]);
    for (const recipient of ["a@x", "b@x", "c@x"]) rcpt(recipient, "DUNNO", "i2");
    expect(problems).toHaveLength(2);
  });

  it("make room again when one is refused", () => {
    const { rcpt, at } = memory({ recipients: 2, bytes: 6 });
    rcpt("b@x");
    rcpt("a@x");
    rcpt("a@x", "REJECT");
    rcpt("c@x");
    expect(at("DATA")).toEqual(["b@x", "c@x"]);
  });

  it("are all that Postfix takes: a thousand of the longest", () => {
    const { rcpt, at, rcpts, problems } = memory();
    const longest = Array.from({ length: 1_000 }, (_, n) => `${n}@x`.padStart(2_048, "l"));
    for (const recipient of longest) rcpt(recipient);
    expect(at("DATA")).toEqual(longest);
    expect(rcpts()).toBe(1_000);
    expect(problems).toEqual([]);
  });
});

/** Questions as `ADDRESS`, or `ADDRESS ACTION`, or with the queue_id that Postfix has by then: `ADDRESS|QUEUE_ID`. */
describe("the RCPTs that the recipients stand for", () => {
  it.each([
    ["each for one", ["a@x", "b@x"], 2],
    ["none that was refused", ["a@x", "b@x REJECT", "c@x"], 2],
    ["one for each time that it was given", ["a@x", "b@x", "a@x"], 3],
    ["one that was asked about by two lists of restrictions", ["a@x", "a@x"], 1],
    ["two where there was no queue_id before", ["a@x", "a@x|Q1"], 2],
    ["one where nothing tells a second RCPT from a second question", ["b@x", "a@x|Q1", "a@x|Q1"], 2],
    ["none where the second list refused it", ["a@x", "a@x REJECT"], 0],
    ["one where only the second RCPT was refused", ["a@x", "b@x", "a@x REJECT"], 2],
    ["one that was taken in the end", ["a@x DEFER", "a@x"], 1],
    ["none that is deferred whatever else is said", ["a@x DEFER_IF_PERMIT", "a@x"], 0],
    ["none that is deferred by the second list", ["a@x", "a@x DEFER_IF_PERMIT", "a@x"], 0],
    ["one that is given again after that", ["a@x DEFER_IF_PERMIT", "b@x", "a@x"], 2],
  ])("are %s", (_, questions, expected) => {
    const { rcpt, rcpts } = memory();
    for (const question of questions) {
      const [address = "", action = "DUNNO"] = question.split(" ");
      const [recipient = "", queueId = ""] = address.split("|");
      rcpt(recipient, action, "i1", queueId);
    }
    expect(rcpts()).toBe(expected);
  });

  it("are one for the recipient that is named, and none where none is known", () => {
    const { rcpt, rcpts } = memory();
    expect(rcpts("DATA")).toBe(0);
    rcpt("a@x");
    rcpt("b@x");
    expect(rcpts("DATA", "a@x")).toBe(1);
    expect(rcpts("RCPT", "c@x")).toBe(1);
    expect(rcpts("MAIL")).toBe(0);
  });

  it("are fewer than were given where some are left out", () => {
    const { rcpt, rcpts } = memory({ recipients: 2, bytes: 1000 });
    for (const recipient of ["a@x", "b@x", "c@x", "a@x"]) rcpt(recipient);
    expect(rcpts()).toBe(3);
  });
});

describe("whether the recipients are complete", () => {
  const asked = (attributes: Record<string, string>, recipients: string[], rcpts?: number) =>
    hasAllRecipients(
      policyRequest(new Map(Object.entries(attributes)), {
        recipients,
        ...(rcpts === undefined ? {} : { rcpts }),
      }),
    );
  const DATA = { protocol_state: "DATA" };

  it.each([
    [
      "the one that RCPT is about",
      { protocol_state: "RCPT", recipient_count: "0" },
      ["a@x"],
      undefined,
      true,
    ],
    ["the one that DATA names", { ...DATA, recipient_count: "1" }, ["a@x"], undefined, true],
    ["as many as Postfix took", { ...DATA, recipient_count: "2" }, ["a@x", "b@x"], 2, true],
    ["one that was given twice", { ...DATA, recipient_count: "2" }, ["a@x"], 2, true],
    ["more than Postfix took", { ...DATA, recipient_count: "2" }, ["a@x", "b@x", "c@x"], 3, true],
    ["fewer than Postfix took", { ...DATA, recipient_count: "3" }, ["a@x", "b@x"], 2, false],
    ["none of them", { ...DATA, recipient_count: "3" }, [], 0, false],
    ["none of an unknown number", DATA, [], 0, false],
    ["a number that is none", { ...DATA, recipient_count: "many" }, ["a@x"], 1, false],
    ["none before there are any", { protocol_state: "MAIL", recipient_count: "0" }, [], 0, true],
    ["nothing said at all", {}, [], undefined, true],
    [
      "at the end of the message",
      { protocol_state: "END-OF-MESSAGE", recipient_count: "2" },
      ["a@x"],
      1,
      false,
    ],
  ])("%s", (_, attributes, recipients, rcpts, complete) => {
    expect(asked(attributes, recipients, rcpts)).toBe(complete);
  });
});
