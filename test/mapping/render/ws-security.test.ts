import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { securityHeader, type UsernameToken } from "../../../src/mapping/render/ws-security.ts";
import { parseXml, type XmlElement } from "../../../src/mapping/xml.ts";

const WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-";
const TOKEN: UsernameToken = {
  username: "a&b",
  type: "digest",
  nonce: true,
  created: true,
  timestamp: 0,
  mustUnderstand: true,
};

function block(token: Partial<UsernameToken>, password = () => "<p>"): XmlElement {
  const text = securityHeader({ ...TOKEN, ...token }, password)();
  const [security] = parseXml(`<h xmlns:soap="urn:soap">${text}</h>`).children;
  return security as XmlElement;
}

function child(element: XmlElement, name: string): XmlElement | undefined {
  return element.children.find((each): each is XmlElement => typeof each !== "string" && each.name === name);
}

const textOf = (element: XmlElement | undefined) => element?.children.join("");
const attributeOf = (element: XmlElement | undefined, name: string) =>
  element?.attributes.find((each) => each.name === name)?.value;
const tokenOf = (token: Partial<UsernameToken>) => child(block(token), "UsernameToken") as XmlElement;

describe("a UsernameToken", () => {
  it("stands in a Security block that must be understood, or need not be", () => {
    const security = block({});
    expect(security).toMatchObject({ name: "Security", namespace: `${WSS}wssecurity-secext-1.0.xsd` });
    expect(security.attributes).toEqual([{ name: "mustUnderstand", namespace: "urn:soap", value: "1" }]);
    expect(block({ mustUnderstand: false }).attributes).toEqual([]);
  });

  it.each([
    [true, true],
    [true, false],
    [false, true],
    [false, false],
  ])("has the digest of what it shows: nonce %s, created %s", (nonce, created) => {
    const token = tokenOf({ nonce, created });
    expect(textOf(child(token, "Username"))).toBe("a&b");
    const shown = {
      nonce: textOf(child(token, "Nonce")),
      created: textOf(child(token, "Created")),
    };
    expect([shown.nonce !== undefined, shown.created !== undefined]).toEqual([nonce, created]);
    const digest = createHash("sha1")
      .update(Buffer.from(shown.nonce ?? "", "base64"))
      .update(`${shown.created ?? ""}<p>`)
      .digest("base64");
    expect(textOf(child(token, "Password"))).toBe(digest);
    expect(attributeOf(child(token, "Password"), "Type")).toBe(
      `${WSS}username-token-profile-1.0#PasswordDigest`,
    );
  });

  it("has the password as it is, in the type `text`", () => {
    const token = tokenOf({ type: "text", nonce: false, created: false });
    expect(textOf(child(token, "Password"))).toBe("<p>");
    expect(attributeOf(child(token, "Password"), "Type")).toBe(
      `${WSS}username-token-profile-1.0#PasswordText`,
    );
    expect(child(token, "Nonce")).toBeUndefined();
  });

  it("has 16 new bytes for a nonce each time, and the password of the moment", () => {
    let password = "one";
    const header = securityHeader({ ...TOKEN, type: "text" }, () => password);
    const first = header();
    password = "two";
    const second = header();
    const nonces = [first, second].map((text) => />([^<]*)<\/wsse:Nonce>/.exec(text)?.[1] ?? "");
    expect(nonces.map((nonce) => Buffer.from(nonce, "base64").length)).toEqual([16, 16]);
    expect(nonces[0]).not.toBe(nonces[1]);
    expect([first.includes(">one<"), second.includes(">two<")]).toEqual([true, true]);
  });

  it("has a Timestamp beside it, which ends when it says", () => {
    const stamp = child(block({ timestamp: 90_000 }), "Timestamp");
    const [created = "", expires = ""] = stamp?.children.map((each) => textOf(each as XmlElement)) ?? [];
    expect(Date.parse(expires) - Date.parse(created)).toBe(90_000);
    expect(Math.abs(Date.parse(created) - Date.now())).toBeLessThan(60_000);
    expect(child(block({}), "Timestamp")).toBeUndefined();
  });
});
