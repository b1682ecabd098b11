/** `pfxbridge import`: a mapping to start from, made from a service's own description. */
import { writeFileSync } from "node:fs";
import { Documents } from "../import/documents.ts";
import { draftMapping } from "../import/draft.ts";
import { type Listed, openApiOperations, wsdlOperations } from "../import/listing.ts";
import { choicesIn } from "../mapping/choices.ts";
import { unusable } from "../source/problem.ts";
import { visible } from "../text/visible.ts";
import { type Command, readArguments, UsageError } from "./command.ts";

export const importDescription: Command = {
  help: [
    "Usage: pfxbridge import wsdl FILE|URL [--operation NAME] [-o FILE]",
    "       pfxbridge import openapi FILE|URL [--operation ID] [-o FILE]",
    "",
    "Writes a mapping to start from: what the description says of the call and its",
    "reply, with examples. What it does not say is marked `# CHOOSE:`; until that is",
    "chosen nobody is permitted. Without --operation: lists the operations, the",
    "likeliest marked with `*`.",
    "",
    "WSDL 1.1 with SOAP 1.1 or 1.2; OpenAPI 3.0, 3.1, Swagger 2.0, as JSON or YAML.",
    "",
    "      --operation NAME  of a WSDL also PORT.NAME or SERVICE.PORT.NAME; of an",
    '                        OpenAPI document the operationId, or "METHOD /path"',
    "  -o, --output FILE     the mapping; default standard output. A file that is",
    "                        there is not written over",
    "      --host HOST       fetch what the description refers to from this host,",
    "                        too; may be given more than once. Default: only its own",
    "",
    "  pfxbridge import wsdl https://soap.example.com/authorization?wsdl",
    "",
    "Exit status: 0 fine, 1 the description cannot be used.",
  ].join("\n"),
  async run(args) {
    const { values, positionals } = readArguments(
      args,
      {
        operation: { type: "string" },
        output: { type: "string", short: "o" },
        host: { type: "string", multiple: true, default: [] },
      },
      true,
    );
    const [kind, source, ...others] = positionals;
    if (kind !== "wsdl" && kind !== "openapi")
      throw new UsageError("expected `wsdl` or `openapi`, and a file or URL");
    if (source === undefined || others.length > 0) throw new UsageError("expected one file or URL");
    const documents = new Documents(values.host);
    const listed = await (kind === "wsdl" ? wsdlOperations : openApiOperations)(source, documents);
    if (values.operation === undefined) {
      await list(listed, source);
      if (values.output === undefined) return 0;
      throw new UsageError("which operation? Say it with --operation");
    }
    const operation = await listed.read(values.operation);
    const draft = draftMapping(operation, source);
    write(draft.text, values.output);
    // The mapping alone may stand on standard output.
    const say = values.output === undefined ? console.error : console.log;
    for (const line of report(draft.text, values.output, documents.read, listed.unread())) say(visible(line));
    return 0;
  },
};

async function list(listed: Listed, source: string): Promise<void> {
  const { operations, likely } = await listed.overview();
  const width = Math.min(60, Math.max(...operations.map(({ id }) => id.length)));
  for (const { id, what } of operations) {
    console.log(visible(`${id === likely ? "*" : " "} ${id.padEnd(width)}  ${what}`));
  }
  const hint = likely ?? "NAME";
  const guess =
    likely === undefined
      ? "Which of them asks for a decision is not plain."
      : "* asks for a decision, most likely.";
  console.log();
  console.log(
    visible(
      `${guess} Then: pfxbridge import ${listed.kind} ${source} --operation ${shellWord(hint)} -o mine.yaml`,
    ),
  );
  for (const why of listed.unread()) console.log(visible(`! ${why}`));
}

function shellWord(text: string): string {
  return /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function write(text: string, output: string | undefined): void {
  if (output === undefined) {
    console.log(text.trimEnd());
    return;
  }
  try {
    writeFileSync(output, text, { flag: "wx" });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw unusable(
      output,
      code === "EEXIST" ? "it exists, and is not written over" : `it cannot be written: ${message}`,
    );
  }
}

function report(
  text: string,
  output: string | undefined,
  read: readonly string[],
  unread: readonly string[],
): string[] {
  const choices = choicesIn(text);
  const file = output ?? "the mapping";
  return [
    ...read.map((address) => `read: ${address}`),
    ...unread.map((why) => `! ${why}`),
    `${file}: ${choices.length} to choose, and until then nobody is permitted:`,
    ...choices.map(
      ({ line, what }) => `  ${output ?? "line "}${output === undefined ? "" : ":"}${line}: ${what}`,
    ),
    ...(output === undefined
      ? []
      : [`Then: pfxbridge check ${output.includes("/") ? output : `./${output}`}`]),
  ];
}
