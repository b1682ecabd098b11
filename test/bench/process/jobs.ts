/** A measuring process's side of its channel: takes one job after another, sends back what came of each. */

/** Serves until the channel is closed, which ends the process. */
export function answerJobs<J, R>(work: (job: J) => Promise<R>): void {
  process.on("message", (job: J) => {
    work(job).then(
      (result) => process.send!({ result }),
      (error: Error) => process.send!({ error: error.stack ?? error.message }),
    );
  });
  process.on("disconnect", () => process.exit(0));
}

/** Tells that a server listens. */
export function announce(port: number): void {
  process.send!({ result: port });
  process.on("disconnect", () => process.exit(0));
}
