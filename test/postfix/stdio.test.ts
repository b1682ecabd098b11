import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer, type ServerOpts } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Endpoint } from "../../src/postfix/endpoint.ts";
import { formatRequest, PolicyClient } from "../support/policy-client.ts";
import { temporaryFolder } from "../support/temporary.ts";

/** A process that serves its standard input and output, as `serve --stdio` does; needs `npm run compile`. */
const PROGRAM = [
  "--input-type=module",
  "-e",
  `import { serveStdio } from ${JSON.stringify(new URL("../../dist/src/postfix/stdio.js", import.meta.url).href)};
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const handle = async ({ attributes }) => {
    await new Promise((resolve) => setTimeout(resolve, Number(attributes.get("ms") ?? 0)));
    return attributes.get("n") === "none" ? null : "INFO " + attributes.get("n") + "x".repeat(Number(attributes.get("x") ?? 0));
  };
  await serveStdio({ handle, log, requestTimeout: 400 }).ended;
  process.exit(7);`,
];

function watched(child: ChildProcess): ChildProcess {
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

async function text(child: ChildProcess): Promise<string> {
  let all = "";
  for await (const chunk of child.stdout!) all += chunk;
  return all;
}

describe("standard input and output", () => {
  it("as pipes carry a connection, to the last answer after the end of the input", async () => {
    const child = watched(spawn(process.execPath, PROGRAM, { stdio: ["pipe", "pipe", "inherit"] }));
    const exit = once(child, "exit");
    child.stdin!.end(formatRequest({ n: "1", ms: "50" }) + formatRequest({ n: "2" }));
    expect(await text(child)).toBe("action=INFO 1\n\naction=INFO 2\n\n");
    expect(await exit).toEqual([7, null]);
  });

  it("as pipes of a shell do too", async () => {
    const pipeline = `printf 'n=1\\n\\nn=2\\n\\n' | "$@" | cat`;
    const command = ["-c", pipeline, "sh", process.execPath, ...PROGRAM];
    const child = watched(spawn("sh", command, { stdio: ["ignore", "pipe", "inherit"] }));
    expect(await text(child)).toBe("action=INFO 1\n\naction=INFO 2\n\n");
  });
});

/** Gives each client's socket to a process as its standard input, output and error, as spawn(8) does. */
async function spawnService(
  listenOn: "tcp" | "unix",
): Promise<{ endpoint: Endpoint; child: Promise<ChildProcess> }> {
  const options: ServerOpts = { pauseOnConnect: true, allowHalfOpen: true };
  const server = createServer(options);
  onTestFinished(() => void server.close());
  const child = new Promise<ChildProcess>((resolve) => {
    server.on("connection", (socket) => {
      resolve(spawn(process.execPath, PROGRAM, { stdio: [socket, socket, socket] }));
      socket.destroy();
    });
  }).then(watched);
  if (listenOn === "unix") {
    const folder = await temporaryFolder();
    onTestFinished(() => folder.remove());
    const path = join(folder.path, "s");
    server.listen(path);
    await once(server, "listening");
    return { endpoint: { kind: "unix", path }, child };
  }
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    endpoint: { kind: "inet", host: "127.0.0.1", port: (server.address() as AddressInfo).port },
    child,
  };
}

describe.each(["tcp", "unix"] as const)(
  "a client's %s socket as standard input, output and error",
  (kind) => {
    async function client() {
      const { endpoint, child } = await spawnService(kind);
      const client = await PolicyClient.connect(endpoint);
      onTestFinished(() => client.end());
      return { client, exit: child.then((process) => once(process, "exit")) };
    }

    it("carries a connection, until the client ends it", async () => {
      const { client: one, exit } = await client();
      expect(await one.ask({ n: "1" })).toBe("INFO 1");
      expect(await one.ask({ n: "2", ms: "20" })).toBe("INFO 2");
      one.socket.end(formatRequest({ n: "3", ms: "20" }));
      expect(await one.untilClosed()).toBe("action=INFO 1\n\naction=INFO 2\n\naction=INFO 3\n\n");
      expect(await exit).toEqual([7, null]);
    });

    it("is closed where there is no answer", async () => {
      const { client: one, exit } = await client();
      one.write(formatRequest({ n: "none" }));
      expect(await one.untilClosed()).toBe("");
      expect(await exit).toEqual([7, null]);
    });

    it("is given up when the client never reads", async () => {
      const { client: one, exit } = await client();
      one.socket.pause();
      one.write(formatRequest({ n: "1", x: "20000000" }));
      expect(await exit).toEqual([7, null]);
    });
  },
);
