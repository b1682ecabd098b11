/** After a restart of the bridge all of Postfix's processes connect at once, and each asks as soon as it is answered. */
import { connect } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { formatRequest } from "../support/policy-client.ts";
import { Program, Site, until } from "./program.ts";
import { REQUEST } from "./workers.ts";

const CONNECTIONS = 600;
/**
 * All answers, for each connection, by the time that all have one. It depends little on the machine: where each turn of the
 * event loop takes one connection and answers all that are there, it is a fraction of their number.
 */
const MOST = 15;

it.each([1, 2])(
  "answers nobody time and again before the last one has an answer, with %i process",
  async (workers) => {
    const site = await Site.create({});
    const path = site.path("policy");
    await site.write("pfxbridge.yaml", { listen: [`unix:${path}`], workers, routes: [{ action: "DUNNO" }] });
    const bridge = await Program.serve(site);
    // All of them are there when it looks.
    bridge.signal("SIGSTOP");
    const request = formatRequest(REQUEST);
    const answered = new Set<number>();
    let answers = 0;
    const sockets = Array.from({ length: CONNECTIONS }, (_, number) => {
      const socket = connect(path).setEncoding("utf8");
      socket.on("error", () => {});
      socket.on("data", (text: string) => {
        answers += text.split("\n\n").length - 1;
        answered.add(number);
        if (answered.size < CONNECTIONS) socket.write(request);
      });
      socket.write(request);
      return socket;
    });
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
    });
    await Promise.all(
      sockets.map((socket) => socket.connecting && until("it", () => !socket.connecting || undefined)),
    );
    bridge.signal("SIGCONT");
    await until("the last answer", () => answered.size === CONNECTIONS || undefined);
    expect(answers / CONNECTIONS).toBeLessThan(MOST);
  },
);
