import { describe, expect, it } from "vitest";
import { run } from "./program.ts";

describe("pfxbridge", () => {
  it.each(["-h", "--help", "help"])("%s says which commands there are", async (option) => {
    const { status, stdout, stderr } = await run([option]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    for (const command of ["serve", "check", "try", "demo"]) {
      expect(stdout).toMatch(new RegExp(`^  ${command} +\\w`, "m"));
    }
    expect(stdout).toContain("Exit status: 0 fine, 1 the check or the decision failed, 2 wrong usage.");
  });

  it.each(["-V", "--version"])("%s says which version it is", async (option) => {
    expect(await run([option])).toEqual({
      status: 0,
      stdout: expect.stringMatching(/^pfxbridge \d+\.\d+\.\d+(-[a-z]+\.\d+)?\n$/),
      stderr: "",
    });
  });

  it.each(["serve", "check", "try", "demo"])("%s -h explains it within 80 columns", async (command) => {
    const { status, stdout } = await run([command, "-h"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(new RegExp(`^Usage: pfxbridge ${command}`));
    expect(stdout.split("\n").filter((line) => line.length > 80)).toEqual([]);
  });

  it.each([
    ["no command", [], "a command is needed", ""],
    ["an unknown command", ["frobnicate"], 'unknown command "frobnicate"', ""],
    ["a member of every object", ["constructor"], 'unknown command "constructor"', ""],
    ["an unknown option", ["serve", "--colour"], "Unknown option '--colour'", "serve "],
    ["an option without its value", ["check", "-c"], "argument missing", "check "],
    ["an argument that is none", ["serve", "now"], "Unexpected argument 'now'", "serve "],
    [
      "no attribute",
      ["try", "sender"],
      'expected NAME=VALUE, as in sender=a@example.net, got "sender"',
      "try ",
    ],
    ["a wrong endpoint", ["try", "--to", "localhost", "sender=a"], "--to: ", "try "],
  ])("wrong usage: %s", async (_name, args, message, command) => {
    const { status, stdout, stderr } = await run(args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    const [what, hint, ...rest] = stderr.trimEnd().split("\n");
    expect(what).toMatch(/^pfxbridge: /);
    expect(what).toContain(message);
    expect(hint).toBe(`Try "pfxbridge ${command}--help".`);
    expect(rest).toEqual([]);
  });
});
