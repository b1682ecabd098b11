import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { description, drafted, listed } from "./descriptions.ts";

const TWO = description("wsdl/two-services.wsdl");

describe("a description with two services", () => {
  it("lists every operation by a name that means it alone, and marks the likely one", async () => {
    const { operations, likely } = await (await listed("wsdl", TWO)).overview();
    expect(operations.map(({ id }) => id)).toEqual([
      "Mail12.Decide",
      "Mail11.Decide",
      "Mail11.Ping",
      "Web11.Decide",
      "Web11.Ping",
    ]);
    expect(likely).toBe("Mail12.Decide");
  });

  it("wants to know of which service", async () => {
    const all = await listed("wsdl", TWO);
    await expect(async () => all.read("Decide")).rejects.toThrow(
      /several services have an operation "Decide"; say which: Mail\.Mail12\.Decide, Mail\.Mail11\.Decide, Web\.Web11\.Decide/,
    );
    expect((await all.read("Web11.Decide")).url).toBe("http://127.0.0.1/web");
    expect((await all.read("Mail.Mail12.Decide")).call).toMatchObject({
      version: "1.2",
      action: "urn:decide",
    });
  });

  it("says which operations there are where one is not", async () => {
    const all = await listed("wsdl", TWO);
    await expect(async () => all.read("Mail11.Decid")).rejects.toThrow(
      /there is no operation "Mail11\.Decid"; did you mean "Mail11\.Decide"\? there are: Mail12\.Decide, /,
    );
  });

  it("says what it has not fetched, and goes on where it is not needed", async () => {
    expect((await listed("wsdl", TWO)).unread()).toEqual([
      "http://schemas.invalid/encoding was not fetched: it is on another host. With --host schemas.invalid it is",
    ]);
  });
});

describe("what is written", () => {
  it("has the elements of imported and included schemas, in order, with their namespaces", async () => {
    const { request, response } = parse(await drafted("wsdl", TWO, "Mail11.Decide"));
    expect(request.soap).toEqual({
      version: "1.1",
      action: "urn:decide",
      body: [
        '<m:Question xmlns:m="urn:example:questions" version="2">',
        '  <m:Tenant>${attributes["CHOOSE Question.Tenant"]}</m:Tenant>',
        "  <m:Sender>${sender}</m:Sender>",
        "  <m:Recipient>${recipient}</m:Recipient>",
        "</m:Question>",
        "",
      ].join("\n"),
    });
    // One answer for each value of the enumeration; a repeated element may come once or more often.
    expect(response.map(({ when }: { when: string }) => when)).toEqual(
      ["Permit", "Deny", "Indeterminate"].map(
        (value) => `list(body.Answer.Result)[0].Decision == "${value}"`,
      ),
    );
  });

  it("marks what is to be chosen, and says what may be added", async () => {
    const text = await drafted("wsdl", TWO, "Mail11.Decide");
    expect(text).toContain("# CHOOSE: Question.Tenant (xsd:string)\n");
    expect(text).toContain("# May be added: Question.Group (xsd:string), Question.Note (xsd:string)\n");
  });
});
