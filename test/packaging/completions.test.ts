/** Completions in real shells, and that a command takes each option that its help, which they are made from, names. */
import { spawnSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bashCompletion, zshCompletion } from "../../packaging/completions.ts";
import { readHelp } from "../../packaging/help.ts";
import { isMissing } from "../support/requirement.ts";
import { type TemporaryFolder, temporaryFolder } from "../support/temporary.ts";

const PROGRAM = resolve(import.meta.dirname, "../../dist/main.js");
const CONFIG = `listen: [inet:127.0.0.1:9998]
services:
  corp:
    url: https://authz.example.com
    breaker: { window: 3s }
  lab: { url: https://lab.example.com }   # not yet
routes:
  - service: corp
`;
const commands = readHelp(PROGRAM);
const mappings = ["authzen", "cerbos", "xacml-json", "xacml-soap"];
let folder: TemporaryFolder;
let config: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  config = join(folder.path, "pfxbridge.yaml");
  await writeFile(config, CONFIG);
  await mkdir(join(folder.path, "zsh"));
  await writeFile(join(folder.path, "pfxbridge.bash"), bashCompletion({ commands, mappings }));
  await writeFile(join(folder.path, "zsh/_pfxbridge"), zshCompletion({ commands, mappings }));
});
afterAll(() => folder?.remove());

describe("what help says", () => {
  const options = commands.flatMap(({ name, options }) =>
    options.map((option) => ({ ...option, command: name })),
  );

  it("names the commands and options that there are", () => {
    expect(commands.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["serve", "check", "try", "offline", "cache"]),
    );
    expect(options).toContainEqual(
      expect.objectContaining({ command: "serve", name: "--config", short: "-c", value: "FILE" }),
    );
    expect(options).toContainEqual(expect.objectContaining({ command: "serve", name: "--stdio" }));
  });

  // Reading stops at the first word that is wrong, before anything is done. These two say nothing on standard error.
  it.each(options.filter(({ name }) => !["--stdio", "--check"].includes(name)))(
    "$command takes $name $value",
    ({ command, name, short, value }) => {
      for (const word of [name, ...(short === undefined ? [] : [short])]) {
        const given = value === undefined ? [word] : [word, "x"];
        const { stderr, status } = spawnSync(
          process.execPath,
          [PROGRAM, command, ...given, "--no-such-option"],
          {
            encoding: "utf8",
          },
        );
        expect({ stderr, status }).toEqual({
          stderr: expect.stringContaining("'--no-such-option'"),
          status: 2,
        });
      }
    },
  );
});

const cases: readonly (readonly [line: string, all: readonly string[]])[] = [
  ["pfxbridge o", ["offline", "online"]],
  ["pfxbridge mappings xa", ["xacml-json", "xacml-soap"]],
  ["pfxbridge offline -c CONFIG ", ["corp", "lab"]],
  ["pfxbridge forget -c CONFIG --service l", ["lab"]],
  ["pfxbridge serve --st", ["--stdio"]],
  ["pfxbridge import wsd", ["wsdl"]],
  ["pfxbridge try sasl_u", ["sasl_username="]],
];

describe("bash", () => {
  it.each(cases)("completes %j", (line, all) => {
    const words = line.replace("CONFIG", config).split(" ");
    const script = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _pfxbridge; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const args = ["--norc", "-c", script, "bash", join(folder.path, "pfxbridge.bash"), ...words];
    const { stdout, stderr } = spawnSync("bash", args, { encoding: "utf8" });
    expect(stderr).toBe("");
    expect(stdout.trimEnd().split("\n").sort()).toEqual(all);
  });
});

/** Types a line and a tab into an interactive zsh, and prints what stands there then, with all that could. */
const ZSH = `
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'PROMPT= RPROMPT=; stty -echo; fpath=($FOLDER $fpath); autoload -Uz compinit; compinit -D -u'
zpty -w shell 'show() { print -r -- "<<$BUFFER>>"; exit }; zle -N show; bindkey "^X" show'
zpty -w shell 'zstyle ":completion:*" list-colors ""; LISTMAX=1000; setopt auto_list no_list_ambiguous list_rows_first; print ready'
zpty -r shell text "*ready*"
zpty -n -w shell "$LINE"$'\\t'
sleep 1
zpty -n -w shell $'\\t\\x18'
zpty -r shell text "*>>*"
print -r -- "$text"
`;

describe.skipIf(isMissing("zsh", "tests of completion"))("zsh", () => {
  it.each(cases)("completes %j", (line, all) => {
    const env = {
      ...process.env,
      FOLDER: join(folder.path, "zsh"),
      LINE: line.replace("CONFIG", config),
      TERM: "dumb",
    };
    const { stdout } = spawnSync("zsh", ["-f", "-c", ZSH], { encoding: "utf8", env, timeout: 15_000 });
    for (const word of all) expect(stdout).toContain(word);
  });
});
