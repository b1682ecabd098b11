import { describe, expect, it } from "vitest";
import { DEFAULT_RECIPIENT_LIMITS, RecipientMemory } from "../../src/postfix/recipients.ts";

const request = (protocol_state: string, instance: string, recipient = "") =>
  new Map(Object.entries({ protocol_state, instance, recipient }));

function memory(limits = DEFAULT_RECIPIENT_LIMITS) {
  const problems: string[] = [];
  const recipients = new RecipientMemory((problem) => problems.push(problem), limits);
  return {
    problems,
    rcpt: (recipient: string, action: string | null = "DUNNO", instance = "i1") =>
      recipients.answered(request("RCPT", instance, recipient), action),
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

  it("lose one that is refused later, as by a second list of restrictions", () => {
    const { rcpt, at } = memory();
    rcpt("a@x");
    rcpt("b@x");
    rcpt("a@x", "REJECT");
    expect(at("DATA")).toEqual(["b@x"]);
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
    rcpt("a@x");
    rcpt("b@x");
    rcpt("a@x", "REJECT");
    rcpt("c@x");
    expect(at("DATA")).toEqual(["b@x", "c@x"]);
  });
});
