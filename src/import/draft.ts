/** An operation as a mapping to start from: what is known is written down, what is not is marked with `# CHOOSE:`. */
import { SOAP_NAMESPACES } from "../mapping/render/envelope.ts";
import { draftRules, yamlOf } from "./draft-rules.ts";
import { type Filled, type Findings, fillCall, sampleOf, UNDECIDED, withoutExpressions } from "./fill.ts";
import { EXAMPLE_REQUEST } from "./guess-value.ts";
import type { HttpBody, HttpCall, Operation, Parameter, SoapCall } from "./operation.ts";
import type { Member } from "./shape.ts";
import { memberXml, type Outermost } from "./xml-text.ts";
import { comment, type Entry, entry, Table, writeYaml, type Yaml } from "./yaml.ts";

export interface Draft {
  /** The mapping's file. */
  readonly text: string;
  /** `user ← sasl_username`: made by name, to be looked at. */
  readonly guesses: readonly string[];
  /** The expression that was taken for the decision; empty where none was found. */
  readonly decision: string;
}

interface DraftCall {
  readonly request: Table;
  /** What the examples expect of it. */
  readonly expect: Table;
}

/** @param source the description, as it was named */
export function draftMapping(operation: Operation, source: string): Draft {
  const findings: Findings = { guesses: [], undecided: new Map() };
  const { call } = operation;
  const { request, expect } = call.kind === "soap" ? soapCall(call, findings) : httpCall(call, findings);
  const { rules, examples, decision } = draftRules(operation.reply);
  const undecided = Object.fromEntries(findings.undecided);
  const { sender, recipient, sasl_username, client_address } = EXAMPLE_REQUEST;
  const sent = inline({ sender, recipient, sasl_username, client_address, ...undecided });
  const open = findings.undecided.size > 0;
  const mapping = new Table([
    entry("description", comment(operation.title)),
    { ...entry("request", request), apart: true },
    { ...entry("response", { items: rules }), apart: true },
    entry(
      "examples",
      [
        new Table([
          entry("name", "the call"),
          entry("request", yamlOf({ ...EXAMPLE_REQUEST, ...undecided })),
          entry(
            "expect",
            expect,
            open
              ? [
                  `${UNDECIDED}: the same values as in request above; its "${UNDECIDED} …" then go from all examples.`,
                ]
              : [],
          ),
        ]),
        ...examples.map(
          ({ name, reply, choice }) =>
            new Table([
              entry("name", name),
              entry("request", sent),
              entry("reply", reply),
              entry("failure", "bad_reply", [choice]),
            ]),
        ),
        new Table([
          entry("name", "trouble"),
          entry("request", sent),
          entry("reply", inline({ status: 503, text: "try again later" })),
          entry("failure", "http_5xx"),
        ]),
      ],
      ["Run by `pfxbridge check`."],
      true,
    ),
  ]);
  return { text: writeYaml(head(operation, source, findings), mapping), guesses: findings.guesses, decision };
}

function inline(values: Readonly<Record<string, string | number>>): Table {
  return new Table(
    Object.entries(values).map(([key, value]) => entry(key, value)),
    true,
  );
}

function head({ title, url, auth, notes }: Operation, source: string, { guesses }: Findings): string[] {
  return [
    `${comment(title)}: a mapping to start from, made from`,
    comment(source),
    "",
    `What the description does not say is marked "${UNDECIDED}:" below. Until it is chosen nobody is permitted: the call cannot`,
    "be made (mapping_error), or its reply is a failure (bad_reply), and the service's on_failure answers. mappings/README.md",
    "explains the language; `pfxbridge check FILE` says what is still wrong, `pfxbridge try` makes one decision.",
    ...(guesses.length === 0
      ? []
      : ["", "Guessed by name, to be looked at:", ...guesses.map((guess) => `  ${comment(guess)}`)]),
    ...notes.map((note) => comment(note)).flatMap((note) => ["", note]),
    "",
    "In pfxbridge.yaml:",
    "",
    "    services:",
    "      mine:",
    `        url: ${url === "" ? "https://authz.example.com    # the description does not say it" : comment(url)}`,
    "        mapping: ./FILE",
    ...auth.map((line) => `        ${comment(line)}`),
  ];
}

function soapCall(call: SoapCall, findings: Findings): DraftCall {
  const choices: string[] = [];
  const outermost: Outermost =
    call.encoding === undefined
      ? {}
      : { encoding: { envelope: SOAP_NAMESPACES[call.version], style: call.encoding } };
  const part = (members: readonly Member[]) => {
    const filled = members.map(
      (member) => [member, fillCall(member.shape, [{ name: member.name }], findings)] as const,
    );
    for (const [, value] of filled) if (value !== undefined) choices.push(...choicesIn(value));
    const text = (which: "template" | "sample") =>
      filled
        .map(([member, value]) => (value ? `${memberXml(member, value, which, outermost)}\n` : ""))
        .join("");
    return {
      template: text("template"),
      sample: text("sample"),
      leftOut: filled.flatMap(([, value]) => (value ? leftOutIn(value) : [])),
    };
  };
  const header = part(call.header);
  const body = part(call.body);
  // An empty Body has nothing to say what it asks; XML has no empty template.
  const template = body.template === "" ? "<!-- nothing -->\n" : body.template;
  const soap = new Table([
    entry("version", call.version),
    call.action === "" ? null : entry("action", withoutExpressions(call.action)),
    header.template === "" ? null : entry("header", header.template),
    entry("body", template, [
      ...choices.map((choice) => `${UNDECIDED}: ${comment(choice)}`),
      ...leftOutLines([...header.leftOut, ...body.leftOut]),
    ]),
  ]);
  const headers =
    call.version === "1.1" ? [entry("headers", yamlOf({ soapaction: `"${call.action}"` }))] : [];
  return {
    request: new Table([entry("soap", soap)]),
    expect: new Table([
      entry("method", "POST"),
      ...headers,
      body.sample === "" ? null : entry("soap", body.sample),
    ]),
  };
}

/** Lines of choices within values that have no place for a comment of their own. */
function choicesIn(filled: Filled): string[] {
  if (filled.kind === "value") return filled.choice === undefined ? [] : [filled.choice];
  if (filled.kind === "list")
    return [...(filled.choice ? [filled.choice] : []), ...filled.items.flatMap(choicesIn)];
  const inner = filled.members.flatMap(({ value }) => choicesIn(value));
  return filled.kind === "object" && filled.text?.choice !== undefined
    ? [filled.text.choice, ...inner]
    : inner;
}

function leftOutIn(filled: Filled): readonly string[] {
  if (filled.kind === "value") return [];
  if (filled.kind === "list") return filled.items.flatMap(leftOutIn);
  const inner = filled.members.flatMap(({ value }) => leftOutIn(value));
  return filled.kind === "object" ? [...filled.leftOut, ...inner] : inner;
}

/** Longer lists are told by their beginning. */
const MOST_LEFT_OUT = 20;

function leftOutLines(leftOut: readonly string[]): string[] {
  if (leftOut.length === 0) return [];
  const more = leftOut.length > MOST_LEFT_OUT ? ` and ${leftOut.length - MOST_LEFT_OUT} more` : "";
  return [comment(`May be added: ${leftOut.slice(0, MOST_LEFT_OUT).join(", ")}`) + more];
}

function httpCall(call: HttpCall, findings: Findings): DraftCall {
  const fill = (parameter: Parameter) => ({
    parameter,
    value: fillCall(parameter.shape, [{ name: parameter.name }], findings, parameter.required),
  });
  const filled = call.parameters.map(fill);
  const at = (place: Parameter["place"]) =>
    filled.flatMap(({ parameter, value }) =>
      parameter.place === place && value !== undefined ? [{ parameter, value }] : [],
    );
  const path = pathOf(call.path, at("path"));
  const choices = at("path").flatMap(({ value }) => choicesIn(value));
  const entries: (Entry | null)[] = [
    entry("method", call.method),
    entry(
      "path",
      path.template,
      choices.map((choice) => `${UNDECIDED}: ${comment(choice)}`),
    ),
    fieldsEntry("query", at("query")),
    fieldsEntry("headers", at("header")),
  ];
  const expect: (Entry | null)[] = [entry("method", call.method), entry("path", path.sample)];
  const queries = at("query");
  if (queries.length > 0) {
    expect.push(
      entry(
        "query",
        yamlOf(
          Object.fromEntries(queries.map(({ parameter, value }) => [parameter.name, fieldSample(value)])),
        ),
      ),
    );
  }
  if (call.body !== null) {
    const { request, expected } = bodyEntries(call.body, findings);
    entries.push(request);
    expect.push(expected);
  }
  return { request: new Table(entries), expect: new Table(expect) };
}

type FilledParameter = { readonly parameter: Member; readonly value: Filled };

function pathOf(path: string, filled: readonly FilledParameter[]): { template: string; sample: string } {
  const fillIn = (text: (value: Filled) => string) =>
    withoutExpressions(path).replace(/\{([^{}]+)\}/g, (written, name: string) => {
      const found = filled.find(({ parameter }) => parameter.name === name);
      return found === undefined ? encodeURIComponent(written) : text(found.value);
    });
  const scalar = (value: Filled) => (value.kind === "list" ? value.items[0] : value);
  return {
    template: fillIn((value) => {
      const one = scalar(value);
      return one?.kind === "value" ? String(one.template) : "x";
    }),
    sample: fillIn((value) => {
      const one = scalar(value);
      return one?.kind === "value" ? pathSegment(String(one.sample)) : "x";
    }),
  };
}

/** As values are encoded in a path. */
function pathSegment(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function fieldsEntry(key: string, filled: readonly FilledParameter[]): Entry | null {
  if (filled.length === 0) return null;
  return entry(
    key,
    new Table(
      filled.map(({ parameter, value }) =>
        entry(withoutExpressions(parameter.name), templateOf(value), aboveOf(parameter, value)),
      ),
    ),
  );
}

function fieldSample(value: Filled): unknown {
  return sampleOf(value);
}

function bodyEntries(body: HttpBody, findings: Findings): { request: Entry | null; expected: Entry | null } {
  const value = fillCall(body.shape, [], findings);
  if (value === undefined) return { request: null, expected: null };
  if (body.kind === "text") {
    const template = value.kind === "value" ? String(value.template) : "";
    const text = new Table([
      entry("content_type", body.type),
      entry("escape", "none"),
      entry("template", template),
    ]);
    return {
      request: entry("text", text, [
        `${UNDECIDED}: the text that is sent, and how values in it are escaped: json, xml, url or none`,
      ]),
      expected: null,
    };
  }
  const above = leftOutLines(leftOutIn(value));
  return {
    request: entry(
      body.kind,
      templateOf(value),
      value.kind === "value" ? [...choiceLines(value), ...above] : above,
    ),
    expected: entry(body.kind, yamlOf(sampleOf(value))),
  };
}

function templateOf(filled: Filled): Yaml {
  switch (filled.kind) {
    case "value":
      return filled.template;
    case "list":
      return {
        items: filled.items.map((item) => ({
          value: templateOf(item),
          above: item.kind === "value" ? choiceLines(item) : [],
        })),
      };
    case "map":
      return new Table([]);
    case "object":
      return new Table(
        filled.members.map(({ member, value }) =>
          entry(withoutExpressions(member.name), templateOf(value), aboveOf(member, value)),
        ),
      );
  }
}

function aboveOf({ description }: Member, value: Filled): string[] {
  if (value.kind !== "value" || value.choice === undefined) return [];
  return choiceLines(value, description);
}

function choiceLines(value: Filled & { kind: "value" }, description = ""): string[] {
  if (value.choice === undefined) return [];
  return [comment(`${UNDECIDED}: ${value.choice}${description === "" ? "" : `: ${description}`}`)];
}
