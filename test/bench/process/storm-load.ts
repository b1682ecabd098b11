/**
 * What comes when the bridge was restarted: all of Postfix's processes connect at the same moment and ask, and each asks
 * again as soon as it is answered. Ends when each has its first answer.
 */
import type { Socket } from "node:net";
import type { Storm, StormLoad } from "../measurement.ts";
import { answerJobs } from "./jobs.ts";
import { connect, requestOf } from "./policy-socket.ts";

function storm({ port, connections, patience }: StormLoad): Promise<Storm> {
  const request = requestOf();
  const begin = performance.now();
  const sockets: Socket[] = [];
  const answered = new Set<Socket>();
  const first: number[] = [];
  let answers = 0;
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      for (const socket of sockets) socket.destroy();
      resolve({ first, unanswered: connections - first.length, answers });
    };
    const timer = setTimeout(done, patience);
    for (let count = 0; count < connections; count++) {
      const socket: Socket = connect(port, (chunk, length) => {
        // Answers are short: each comes whole.
        if (chunk[length - 1] !== 10) return;
        answers++;
        if (!answered.has(socket)) {
          answered.add(socket);
          first.push(performance.now() - begin);
          if (first.length === connections) return done();
        }
        socket.write(request.from(answers));
      });
      socket.once("connect", () => socket.write(request.from(count)));
      sockets.push(socket);
    }
  });
}

answerJobs(storm);
