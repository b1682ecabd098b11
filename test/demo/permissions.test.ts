import { describe, expect, it } from "vitest";
import { answer } from "../../src/demo/permissions.ts";

describe("who may send from where", () => {
  it.each([
    ["the example of pfxpold's README", "1.2.3.4", "foo.bar", "foo@example.com", true],
    ["another sender from there", "1.2.3.4", "foo.bar", "bar@example.com", false],
    ["that sender from elsewhere", "1.2.3.5", "foo.bar", "foo@example.com", false],
    ["a client known by name", "198.51.100.1", "scanner.example.com", "scan@example.com", true],
    ["every address of a domain", "198.51.100.1", "shop.example.com", "orders@example.org", true],
    ["a name in capitals, which DNS does not tell apart", "", "Shop.Example.COM", "Orders@Example.ORG", true],
    ["a domain that only ends like one", "192.0.2.25", "unknown", "a@evil-news.example.net", false],
    [
      "a permitted domain in the local part",
      "192.0.2.25",
      "unknown",
      "a@news.example.net@evil.example",
      false,
    ],
    ["the domain itself, which is no address", "192.0.2.25", "unknown", "@", false],
    ["a bounce", "1.2.3.4", "foo.bar", "", false],
    ["nobody", "", "", "foo@example.com", false],
    ["a client that claims to have no name", "198.51.100.1", "unknown", "foo@example.com", false],
  ])("%s", (_name, clientAddress, clientName, sender, permitted) => {
    expect(answer({ clientAddress, clientName, sender }).permitted).toBe(permitted);
  });

  it("says why not, naming client and sender", () => {
    const { reason } = answer({
      clientAddress: "192.0.2.9",
      clientName: "h.example",
      sender: "A@example.com",
    });
    expect(reason).toBe("192.0.2.9 may not send as a@example.com");
  });
});
