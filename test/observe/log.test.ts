import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { type LogOptions, openLog, ServiceLog } from "../../src/observe/log.ts";
import { temporaryFolder } from "../support/temporary.ts";

async function folder(): Promise<string> {
  const { path, remove } = await temporaryFolder();
  onTestFinished(remove);
  return path;
}

const plain = (line: string) => line;

/** What a log with these options writes to its file. */
async function written(
  write: (log: ServiceLog) => void,
  options: Partial<LogOptions> = {},
  mask: (line: string) => string = plain,
): Promise<string> {
  const file = join(await folder(), "bridge.log");
  const log = new ServiceLog();
  log.use(openLog({ level: "info", file, ...options }, mask));
  write(log);
  await log.end();
  return readFile(file, "utf8");
}

const messagesIn = async (file: string) =>
  (await readFile(file, "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line).msg);

/** Characters that a terminal obeys; the line's own end is taken off before. */
const RAW =
  /[\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028\u2029\u202a-\u202e\u2060-\u206f\ufeff\u3164\u{e0000}-\u{e0fff}]/u;
const CONTROLS = Array.from({ length: 0xa0 }, (_, code) => String.fromCharCode(code)).join("");
const HOSTILE: readonly (readonly [string, string])[] = [
  ["C0, DEL, C1 and what turns the reading order", `${CONTROLS}\u2028\u2029\u202e\u2066`],
  ["what is not seen", "a\u200b\u200c\u200d\u200e\u200f\u2060\u2064\ufeff\u00ad\u3164\u{e0001}\u{e0041}b"],
  ["an ANSI sequence", "\x1b]0;owned\x07\x1b[2J"],
  ["a forged line", '\n{"level":"info","msg":"decision","action":"OK"}\n'],
];

describe("a line in JSON", () => {
  it("has time, level, fields and message", async () => {
    const text = await written((log) => log.warn({ service: "corp", n: 1 }, "something"));
    expect(text).toMatch(/^\{.*\}\n$/);
    expect(JSON.parse(text)).toEqual({
      level: "warn",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      service: "corp",
      n: 1,
      msg: "something",
    });
  });

  it.each(HOSTILE)("holds no control character raw, and still says it: %s", async (_name, value) => {
    const text = await written((log) =>
      log.info({ sender: value, "x\x1b\x7f\u009b": 1 }, `message ${value}`),
    );
    expect(text.endsWith("\n")).toBe(true);
    const line = text.slice(0, -1);
    expect(line).not.toMatch(RAW);
    expect(JSON.parse(line)).toMatchObject({ sender: value, msg: `message ${value}` });
  });
});

describe("a line for people", () => {
  const pretty = { format: "pretty" } as const;

  it("of a decision reads like mail", async () => {
    const decision = {
      request_id: "3e89334d-2052-430e-8af4-e1070a3acdcb",
      action: "REJECT 5.7.1 no",
      source: "upstream",
      service: "corp",
      mapping: "rest",
      rule: 2,
      status: 200,
      attempts: 2,
      ms: 12.1,
      protocol_state: "RCPT",
      client_address: "192.0.2.1",
      sasl_username: "alice",
      sender: "a@example.net",
      recipient: "b@example.org",
    };
    const text = await written((log) => log.info(decision, "decision"), pretty);
    expect(text).toMatch(
      /^\[?\d\d:\d\d:\d\d\]? INFO: RCPT {2}<a@example\.net> \(alice\) -> <b@example\.org> {2}\[192\.0\.2\.1\] {2}REJECT 5\.7\.1 no {2}\(corp, rule 2, status 200, 2 attempts, 12\.1 ms\)\n$/,
    );
  });

  it("of a failure says why, and that a connection was closed", async () => {
    const decision = {
      action: null,
      source: "default",
      service: "corp",
      cause: "timeout",
      detail: "late",
      ms: 3,
    };
    const text = await written((log) => log.warn(decision, "decision"), pretty);
    expect(text).toMatch(/WARN: .*\(connection closed\) {2}\(timeout: late, corp, default, 3 ms\)\n$/);
  });

  it("of a failure says why in full once, while it is the same", async () => {
    const failed = { action: "DEFER", source: "default", service: "corp", cause: "timeout", ms: 3 };
    const text = await written((log) => {
      for (const detail of ["late", "late", "later", "later"]) log.warn({ ...failed, detail }, "decision");
    }, pretty);
    const reasons = text.split("\n").map((line) => /\((.*)\)$/.exec(line)?.[1]);
    expect(reasons.slice(0, 4)).toEqual([
      "timeout: late, corp, default, 3 ms",
      "timeout, corp, default, 3 ms",
      "timeout: later, corp, default, 3 ms",
      "timeout, corp, default, 3 ms",
    ]);
  });

  it.each(HOSTILE)("is one line without control characters: %s", async (_name, value) => {
    const fields = {
      sender: value,
      action: `REJECT ${value}`,
      client_address: value,
      detail: value,
      cause: value,
    };
    for (const message of ["decision", `other ${value}`]) {
      const text = await written((log) => log.info({ ...fields, "x\x1b": { y: value } }, message), pretty);
      expect(text.slice(0, -1)).not.toMatch(RAW);
      expect(text.endsWith("\n")).toBe(true);
    }
  });

  it.each([
    ["another decision", "a@b> -> <c@d>  [192.0.2.9]  DUNNO  (corp, rule 1, status 200, 1 ms)"],
    ["an address and more", "a@b>(x)"],
    ["quotes", 'a" -> <"b'],
    ["blanks", "a@b  DUNNO"],
  ])("of a decision quotes what a client wrote: %s", async (_name, claim) => {
    const names = ["sender", "recipient", "sasl_username", "client_address", "protocol_state"];
    const fields = {
      ...Object.fromEntries(names.map((name) => [name, claim])),
      action: "REJECT no",
      source: "upstream",
      ms: 1,
    };
    const text = await written((log) => log.info(fields, "decision"), pretty);
    const shown = JSON.stringify(claim);
    expect(text.slice(text.indexOf("INFO"))).toBe(
      `INFO: ${shown}  <${shown}> (${shown}) -> <${shown}>  [${shown}]  REJECT no  (1 ms)\n`,
    );
  });

  it("of a decision has two blanks between its parts alone", async () => {
    const fields = { action: "REJECT no  DUNNO  (corp)", source: "upstream", ms: 1 };
    const text = await written((log) => log.info(fields, "decision"), pretty);
    expect(text).toMatch(/ {2}REJECT no DUNNO \(corp\) {2}\(1 ms\)\n$/);
  });

  it("of anything else has its fields behind the message", async () => {
    const services = { corp: "rest at http://127.0.0.1:8080" };
    const fields = { listen: ["inet:127.0.0.1:1", "unix:/x"], services, file: "/etc/a", n: 1 };
    const text = await written((log) => log.info(fields, "started"), pretty);
    expect(text.slice(text.indexOf("INFO"))).toBe(
      'INFO: started  listen="inet:127.0.0.1:1, unix:/x"  services="corp: rest at http://127.0.0.1:8080"  file=/etc/a  n=1\n',
    );
  });
});

describe("the log", () => {
  it("leaves out what is below its level", async () => {
    const write = (log: ServiceLog) => {
      log.debug({}, "one");
      log.info({}, "two");
      log.warn({}, "three");
      log.error({}, "four");
    };
    const lines = (await written(write, { level: "warn" })).trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line).msg)).toEqual(["three", "four"]);
  });

  it.each(["json", "pretty"] as const)(
    "masks secrets wherever they stand in a line, in %s",
    async (format) => {
      const mask = (line: string) => line.replaceAll("hunter22", "***");
      const write = (log: ServiceLog) =>
        log.info({ detail: "got hunter22", nested: { hunter22: ["hunter22"] } }, "it was hunter22");
      const text = await written(write, { format }, mask);
      expect(text).not.toContain("hunter22");
      expect(text.match(/\*\*\*/g)).toHaveLength(4);
    },
  );

  it("goes on in another file, and in the same one after it was moved", async () => {
    const path = await folder();
    const [one, two] = [join(path, "one"), join(path, "two")];
    const log = new ServiceLog();
    log.info({}, "before there is a log");
    log.use(openLog({ level: "info", file: one }, plain));
    log.info({}, "first");
    await rename(one, `${one}.1`);
    log.use(openLog({ level: "info", file: one }, plain));
    log.info({}, "second");
    log.use(openLog({ level: "info", file: two }, plain));
    log.info({}, "third");
    await log.end();
    expect(await messagesIn(`${one}.1`)).toEqual(["first"]);
    expect(await messagesIn(one)).toEqual(["second"]);
    expect(await messagesIn(two)).toEqual(["third"]);
  });

  it.each([
    ["folder", "EISDIR"],
    ["no/where", "ENOENT"],
  ])("that cannot be opened (%s) leaves the one in use as it is", async (name, code) => {
    const path = await folder();
    await mkdir(join(path, "folder"));
    const file = join(path, "bridge.log");
    const log = new ServiceLog();
    log.use(openLog({ level: "info", file }, plain));
    expect(() => openLog({ level: "info", file: join(path, name) }, plain)).toThrow(
      `log.file: ${join(path, name)} cannot be opened for writing (${code})`,
    );
    log.info({}, "goes on");
    await log.end();
    expect(await messagesIn(file)).toEqual(["goes on"]);
  });

  it("appends to what is there", async () => {
    const file = join(await folder(), "bridge.log");
    await writeFile(file, '{"msg":"old"}\n');
    const log = new ServiceLog();
    log.use(openLog({ level: "info", file }, plain));
    log.info({}, "new");
    await log.end();
    expect(await messagesIn(file)).toEqual(["old", "new"]);
  });

  it("says nothing where standard output is somebody's connection and no file is named", () => {
    const { logger } = openLog({ level: "debug", quiet: true }, plain);
    expect(logger.level).toBe("silent");
  });
});
