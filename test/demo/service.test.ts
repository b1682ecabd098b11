import { connect } from "node:net";
import Ajv from "ajv/dist/2020.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type DemoService, startDemoService } from "../../src/demo/service.ts";
import responseSchema from "../mappings/evaluation-response.schema.json" with { type: "json" };

const validResponse = new Ajv.default({ strict: false }).compile(responseSchema);

let service: DemoService;
beforeAll(async () => {
  service = await startDemoService();
});
afterAll(() => service.close());

function post(path: string, body: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(service.url + path, { method: "POST", body, headers });
}

describe("AuthZEN", () => {
  const question = (properties: object) =>
    JSON.stringify({
      subject: { type: "sender", id: "foo@example.com", properties },
      action: { name: "rcpt" },
      resource: { type: "mailbox", id: "b@example.org" },
    });

  it.each([
    ["permits", { sender: "foo@example.com", client_address: "1.2.3.4" }, true],
    ["denies", { sender: "foo@example.com", client_address: "1.2.3.5" }, false],
    [
      "denies what is asked with a list for a sender",
      { sender: ["foo@example.com"], client_address: "1.2.3.4" },
      false,
    ],
  ])("%s with a response that the schema knows", async (_name, properties, decision) => {
    const response = await post("/access/v1/evaluation", question(properties));
    const body = await response.json();
    expect(response.status).toBe(200);
    expect(validResponse(body)).toBe(true);
    expect(body).toMatchObject({ decision });
  });

  it("gives a denial a reason for the sender", async () => {
    const response = await post(
      "/access/v1/evaluation",
      question({ sender: "x@example.com", client_address: "1.2.3.4" }),
    );
    expect(await response.json()).toEqual({
      decision: false,
      context: { reason_user: { en: "1.2.3.4 may not send as x@example.com" } },
    });
  });

  it("echoes the request's identifier", async () => {
    const response = await post("/access/v1/evaluation", question({}), { "x-request-id": "abc" });
    expect(response.headers.get("x-request-id")).toBe("abc");
  });

  it.each(["", "{", "null", "[]", '{"subject":{"id":"a"}}', '{"subject":{"id":1,"properties":{}}}'])(
    "answers %j with 400",
    async (body) => {
      expect((await post("/access/v1/evaluation", body)).status).toBe(400);
    },
  );
});

describe("SOAP 1.1", () => {
  const envelope = (inside: string) =>
    `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>${inside}</s:Body></s:Envelope>`;
  const question = (sender: string, address: string) =>
    envelope(`<Check><Sender>${sender}</Sender><ClientAddress>${address}</ClientAddress></Check>`);

  it("permits", async () => {
    const response = await post("/soap", question("foo@example.com", "1.2.3.4"));
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toMatch(/^text\/xml/);
    expect(await response.text()).toContain("<m:Decision>Permit</m:Decision>");
  });

  it("denies, and what was asked cannot break out of the reason", async () => {
    const text = await (await post("/soap", question("a&lt;/m:Reason&gt;&amp;@x", "1.2.3.4"))).text();
    expect(text).toContain("<m:Decision>Deny</m:Decision>");
    expect(text).toContain("may not send as a&lt;/m:reason&gt;&amp;@x</m:Reason>");
  });

  it.each([
    ["no XML", "hello"],
    ["no envelope", "<Check/>"],
    ["another operation", envelope("<Drop><Table>x</Table></Drop>")],
    ["a DOCTYPE", `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>${question("&e;", "1.2.3.4")}`],
  ])("answers %s with a Fault", async (_name, body) => {
    const response = await post("/soap", body);
    expect(response.status).toBe(500);
    expect(await response.text()).toContain("<soap:Fault>");
  });
});

describe("limits", () => {
  it("refuses a body over 64 KB and goes on", async () => {
    const status = await post("/soap", "x".repeat(1_000_000)).then(
      (response) => response.status,
      () => "closed", // the rest of the body met a closed connection
    );
    expect([413, "closed"]).toContain(status);
    expect((await post("/access/v1/evaluation", "{}")).status).toBe(400);
  });

  it("knows no other path and no other method", async () => {
    expect((await post("/", "")).status).toBe(404);
    expect((await fetch(`${service.url}/soap`)).status).toBe(405);
  });

  it("survives a client that hangs up in the middle of a body", async () => {
    const socket = connect(Number(new URL(service.url).port), "127.0.0.1");
    socket.write("POST /soap HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n<s:Env");
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    expect((await post("/access/v1/evaluation", "{}")).status).toBe(400);
  });

  it("ends at once, connections in use included", async () => {
    const other = await startDemoService();
    const socket = connect(Number(new URL(other.url).port), "127.0.0.1");
    const closed = new Promise((resolve) => socket.once("close", resolve));
    await new Promise((resolve) => socket.once("connect", resolve));
    socket.write("POST /soap HTTP/1.1\r\n");
    await new Promise((resolve) => setTimeout(resolve, 50));
    await other.close();
    await closed;
  });
});
