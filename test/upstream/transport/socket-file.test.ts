import { once } from "node:events";
import http from "node:http";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { temporaryFolder } from "../../support/temporary.ts";
import { caller } from "../harness.ts";

describe("a service at a socket file", () => {
  it("is asked there, by the name that host says or localhost", async () => {
    const folder = await temporaryFolder();
    const path = join(folder.path, "opa.sock");
    const server = http.createServer((request, response) =>
      response.end(`${request.method} ${request.url} ${request.headers.host}`),
    );
    server.listen(path);
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const { call, upstream } = caller(`unix:${path}`, { host: "opa.example.com" });
    for (let n = 0; n < 2; n++) {
      expect((await call({ path: "/v1/data" })).answer).toMatchObject({
        body: "POST /v1/data opa.example.com",
      });
    }
    expect(upstream.report.circuits[0]?.url).toBe(`unix:${path}`);
    expect((await caller(`unix:${path}`).call()).answer).toMatchObject({ body: "POST /check localhost" });
  });

  it("that is not there is told by its path", async () => {
    expect(await caller("unix:/nonexistent/opa.sock").failure()).toMatchObject({
      cause: "unreachable",
      detail: expect.stringMatching(
        /^unix:\/nonexistent\/opa\.sock: there is no such socket file; is the service running/,
      ),
    });
  });
});
