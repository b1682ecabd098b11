/** Header values from where people write them to the wire, and from the wire to where rules read them: text all the way. */
import http from "node:http";
import http2 from "node:http2";
import net, { type AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { open } from "../decision/bridge.ts";

const REPLY = '{"allowed":true}';

/** A service that keeps what it was sent, byte by byte, and replies with these headers. */
async function recorder(headers = ""): Promise<{ url: string; heard: () => Buffer }> {
  const chunks: Buffer[] = [];
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      chunks.push(chunk);
      if (!Buffer.concat(chunks).includes("\r\n\r\n")) return;
      socket.end(`HTTP/1.1 200 OK\r\n${headers}Content-Length: ${REPLY.length}\r\n\r\n${REPLY}`);
    });
  });
  return { url: `http://127.0.0.1:${await listening(server)}`, heard: () => Buffer.concat(chunks) };
}

async function listening(server: net.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

const RULES = [{ when: "body.allowed == true", action: "DUNNO" }];

const MAPPINGS: [string, string, unknown][] = [
  [
    "a mapping",
    "own.yaml",
    {
      request: { headers: { "x-user": "${sasl_username}", "x-fixed": "grün €" }, json: {} },
      response: RULES,
    },
  ],
  [
    "a module",
    "own.mjs",
    `export const toRequest = ({ sasl_username }) =>
       ({ headers: { "x-user": sasl_username, "x-fixed": "grün €" }, body: "{}" });
     export const toAction = () => "DUNNO";`,
  ],
];

describe("a header value outside ASCII", () => {
  it.each(MAPPINGS)("is UTF-8 on the wire, once: from %s and from the service", async (_, file, content) => {
    const { url, heard } = await recorder();
    const corp = { url, mapping: `./${file}`, headers: { "x-tenant": "Köln", "x-api-key": "schlüssel" } };
    const { ask } = await open({ services: { corp } }, { [file]: content });
    expect(await ask({ sasl_username: "müller" })).toBe("DUNNO");
    const head = heard().toString("utf8");
    for (const line of ["x-user: müller", "x-fixed: grün €", "x-tenant: Köln", "x-api-key: schlüssel"]) {
      expect(head).toContain(`\r\n${line}\r\n`);
    }
  });

  it("is UTF-8 in SOAP's action, too", async () => {
    const { url, heard } = await recorder();
    const soap = { version: "1.1", action: "urn:prüfe", body: "<a/>" };
    const own = { request: { soap }, response: [{ action: "DUNNO" }] };
    const { ask } = await open({ services: { corp: { url, mapping: "./own.yaml" } } }, { "own.yaml": own });
    expect(await ask()).toBe("DUNNO");
    expect(heard().toString("utf8")).toContain('\r\nsoapaction: "urn:prüfe"\r\n');
  });

  it("is UTF-8 over HTTP/2", async () => {
    let user: string | undefined;
    const server = http2.createServer((request, response) => {
      user = String(request.headers["x-user"]);
      response.end(REPLY);
    });
    const corp = {
      url: `http://127.0.0.1:${await listening(server as unknown as net.Server)}`,
      mapping: "./own.yaml",
      http2: true,
    };
    const { ask } = await open({ services: { corp } }, { "own.yaml": MAPPINGS[0]![2] });
    expect(await ask({ sasl_username: "müller" })).toBe("DUNNO");
    // Node gives what it was sent byte by byte.
    expect(Buffer.from(user ?? "", "latin1").toString("utf8")).toBe("müller");
  });

  it.each([
    ["UTF-8", Buffer.from("X-Reason: für Jürgen gesperrt\r\n").toString("latin1")],
    ["Latin-1, as of old", "X-Reason: für Jürgen gesperrt\r\n"],
  ])("of a reply is text for its rules: %s", async (_, header) => {
    const server = net.createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => {
        socket.end(Buffer.from(`HTTP/1.1 200 OK\r\n${header}Content-Length: 2\r\n\r\n{}`, "latin1"));
      });
    });
    const own = {
      request: { json: {} },
      response: [{ action: 'REJECT 5.7.1 ${headers["x-reason"]}' }],
    };
    const url = `http://127.0.0.1:${await listening(server)}`;
    const { ask } = await open({ services: { corp: { url, mapping: "./own.yaml" } } }, { "own.yaml": own });
    expect(await ask()).toBe("REJECT 5.7.1 für Jürgen gesperrt");
  });
});

describe("a header that nobody may set", () => {
  it.each([
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "upgrade",
    "http2-settings",
    "te",
    "trailer",
    "expect",
    "proxy-connection",
    "proxy-authorization",
    "proxy-authenticate",
    "x-request-id",
    "__proto__",
  ])("is an error when it is loaded, in a service as in a mapping: %s", async (name) => {
    const headers = Object.fromEntries([[name.toUpperCase(), "x"]]);
    const url = "http://127.0.0.1:9";
    const own = { request: { headers }, response: RULES };
    await expect(open({ services: { corp: { url, headers } } })).rejects.toThrow(`the header ${name} is set`);
    await expect(
      open({ services: { corp: { url, mapping: "./own.yaml" } } }, { "own.yaml": own }),
    ).rejects.toThrow(`the header "${name}" is set`);
  });

  it("and no other is dropped: what can be set arrives", async () => {
    const names = [
      "accept",
      "accept-encoding",
      "authorization",
      "cookie",
      "via",
      "user-agent",
      "constructor",
    ];
    const headers = Object.fromEntries(names.map((name) => [name, `of ${name}`]));
    let seen: http.IncomingHttpHeaders = {};
    const server = http.createServer((request, response) => {
      seen = request.headers;
      response.end(REPLY);
    });
    const url = `http://127.0.0.1:${await listening(server)}`;
    const own = { request: { json: {} }, response: RULES };
    const { ask } = await open(
      { services: { corp: { url, headers, mapping: "./own.yaml" } } },
      { "own.yaml": own },
    );
    expect(await ask()).toBe("DUNNO");
    expect(seen).toMatchObject(headers);
  });
});
