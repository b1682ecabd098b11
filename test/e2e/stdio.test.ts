/**
 * Postfix starts the bridge itself: spawn(8) in master.cf hands it the connection as standard input,
 * output and error, so that one log line there would break the protocol.
 */
import { chown, mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LOGGED, type LogLine, writeYaml } from "../support/bridge.ts";
import { install } from "../support/installation.ts";
import { type Postfix, startPostfix, userIds } from "../support/postfix.ts";
import { isMissing } from "../support/requirement.ts";
import { AuthorizationService } from "../support/service.ts";
import { handIn } from "../support/smtp.ts";
import { type TemporaryFolder, temporaryFolder } from "../support/temporary.ts";

/** spawn(8) runs nothing as root, nor as Postfix's own user. */
const USER = "nobody";

const MAPPING = {
  request: { method: "POST", json: { sender: "${sender}", listener: "${listener}" } },
  response: [
    { when: "body.allowed == true", action: "DUNNO" },
    { when: "body.allowed == false", action: "REJECT 5.7.1 unknown sender" },
  ],
};

describe.skipIf(isMissing("postfix", "tests of spawn(8) with Postfix"))(
  "serve --stdio under spawn(8)",
  () => {
    let service: AuthorizationService;
    let folder: TemporaryFolder;
    let config: string;
    let logFile: string;
    let postfix: Postfix;

    beforeAll(async () => {
      service = await AuthorizationService.start(({ json }) => ({
        body: { allowed: json?.sender === "alice@example.net" },
      }));
      folder = await temporaryFolder(0o755);
      const command = await install(folder.path);
      const user = await userIds(USER);
      await mkdir(join(folder.path, "log"));
      await chown(join(folder.path, "log"), user.uid, user.gid);
      logFile = join(folder.path, "log/pfxbridge.log");
      config = join(folder.path, "pfxbridge.yaml");
      await writeYaml(config, {
        services: { corp: { url: service.url, mapping: "./gate.yaml", deadline: "1s" } },
        log: { file: logFile },
      });
      await writeYaml(join(folder.path, "gate.yaml"), MAPPING);
      for (const file of ["pfxbridge.yaml", "gate.yaml"])
        await chown(join(folder.path, file), user.uid, user.gid);

      const start = `${process.execPath} ${command} serve --stdio -c ${config}`;
      postfix = await startPostfix({
        smtpd: {
          gate: { smtpd_recipient_restrictions: "check_policy_service unix:private/policy", max_idle: "1s" },
        },
        master: [`policy unix - n n - 0 spawn user=${USER} argv=${start}`],
      });
    });

    afterAll(async () => {
      await postfix?.stop();
      await service?.stop();
      await folder?.remove();
    });

    async function send(from: string, subject: string) {
      const replies = await handIn(postfix.port("gate"), { from, to: ["bob@example.org"], subject });
      return replies.message ?? replies.rcpt.at(-1);
    }

    const decisions = async () =>
      (await readFile(logFile, "utf8"))
        .trimEnd()
        .split("\n")
        .map((line): LogLine => JSON.parse(line))
        .filter((line) => line.msg === "decision");

    it("permits and refuses, and nothing but answers goes to Postfix", async () => {
      expect(await send("alice@example.net", "through spawn")).toMatch(/^250 /);
      await postfix.delivered("through spawn");
      expect(await send("mallory@example.net", "refused")).toBe(
        "554 5.7.1 <bob@example.org>: Recipient address rejected: unknown sender",
      );
      expect(await postfix.log()).not.toMatch(/warning/);
    });

    it("writes its log to log.file instead", async () => {
      await expect.poll(decisions, LOGGED).toMatchObject([
        { action: "DUNNO", source: "upstream", sender: "alice@example.net", status: 200 },
        { action: "REJECT 5.7.1 unknown sender", sender: "mallory@example.net", status: 200 },
      ]);
    });

    it("answers by on_failure when the service is gone", async () => {
      await service.stop();
      expect(await send("alice@example.net", "deferred")).toMatch(/^450 4\.3\.0 /);
      await expect
        .poll(async () => (await decisions()).at(-1), LOGGED)
        .toMatchObject({ source: "default", cause: "unreachable" });
      expect(await postfix.log()).not.toMatch(/warning/);
    });

    it("ends when Postfix closes the connection", async () => {
      expect(await send("alice@example.net", "the last one")).toMatch(/^450 /);
      expect(await runningWith(config)).not.toEqual([]);
      // spawn(8) itself stays, with the same words on its command line.
      await expect.poll(() => runningWith(config), { timeout: 15_000, interval: 100 }).toEqual([]);
    });
  },
);

/** The ids of the processes in which this Node runs something with `text` on its command line. */
async function runningWith(text: string): Promise<string[]> {
  const ids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const commands = await Promise.all(
    ids.map((id) => readFile(`/proc/${id}/cmdline`, "utf8").catch(() => "")),
  );
  return ids.filter((_, n) => {
    const [program, ...parameters] = commands[n]?.split("\0") ?? [];
    return program === process.execPath && parameters.includes(text);
  });
}
