/**
 * `pfxbridge import` on what servers that are not ours say of themselves: what it writes passes `pfxbridge check` and
 * permits nobody; with the marked choices made, and nothing else, it decides as the server does.
 */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { run, Site } from "../commands/program.ts";
import { type Choices, choose } from "../import/choosing.ts";
import { startSpyne, startTable } from "../import/servers.ts";
import { ask } from "../support/ask.ts";
import { startBridge } from "../support/bridge.ts";
import { startCerbos } from "../support/cerbos.ts";
import { startDaemon } from "../support/daemon.ts";
import { isMissing } from "../support/requirement.ts";
import {
  type SoapServer,
  type SoapVersion,
  startNodeSoapServer,
  startPhp,
  startPhpSoapServer,
} from "../support/soap/servers.ts";
import { freePort } from "../support/temporary.ts";

const FOLDER = resolve(import.meta.dirname, "../import/wsdl");
const rpc = (use: string) => readFileSync(join(FOLDER, "rpc.wsdl"), "utf8").replaceAll("USE", use);
const noPhp = isMissing("php", "tests of import with PHP's SoapServer");
const noSpyne = isMissing("spyne", "tests of import with Spyne");
const noAxis = isMissing("axis", "tests of import with Apache Axis");
const noPrism = isMissing("prism", "tests of import with Prism");

/** Imports an operation, sees that the mapping is in order, and gives its text. */
async function imported(kind: "wsdl" | "openapi", source: string, operation: string): Promise<string> {
  const site = await Site.create({});
  const file = site.path("mine.yaml");
  const ended = await run(["import", kind, source, "--operation", operation, "-o", file]);
  expect(ended, ended.stderr).toMatchObject({ status: 0, stderr: "" });
  await check(file);
  return readFileSync(file, "utf8");
}

async function check(file: string): Promise<void> {
  const checked = await run(["check", file]);
  expect(checked.status, checked.stdout + checked.stderr).toBe(0);
}

/** What a bridge with the mapping answers to each sender. */
async function answers(url: string, mapping: string, senders: readonly string[]): Promise<string[]> {
  const port = await freePort();
  const bridge = await startBridge({
    config: {
      listen: [`inet:127.0.0.1:${port}`],
      services: { mine: { url, mapping: "./mine.yaml", retry: { attempts: 1 } } },
    },
    files: { "mine.yaml": mapping },
  });
  try {
    const found: string[] = [];
    for (const sender of senders) {
      found.push(
        await ask(port, {
          sender,
          recipient: "bob@example.org",
          sasl_username: "x",
          client_address: "192.0.2.7",
          size: "12",
        }),
      );
    }
    return found;
  } finally {
    await bridge.stop();
  }
}

const SENDERS = ["alice@example.net", "mallory@example.net"];
const UNDECIDED = /^DEFER 4\.3\.0 /;

interface Case {
  readonly what: string;
  readonly skip: boolean;
  readonly start: () => Promise<SoapServer>;
  readonly operation: string;
  readonly choices?: Choices;
  readonly denial: string;
  /** Its name does not say that it is asked for decisions. */
  readonly unlikely?: boolean;
}

const both = <T>(cases: (version: SoapVersion) => readonly T[]) => (["1.1", "1.2"] as const).flatMap(cases);

const NOT_AUTHORIZED = "REJECT 5.7.1 Not authorized";

const CASES: readonly Case[] = [
  ...both<Case>((version) => [
    {
      what: `PHP, document/literal, SOAP ${version}`,
      skip: noPhp,
      start: () => startPhpSoapServer(version),
      operation: "Check",
      denial: "REJECT 5.7.1 mallory@example.net may not write to bob@example.org",
    },
    {
      what: `npm soap, document/literal, SOAP ${version}`,
      skip: false,
      start: () => startNodeSoapServer(version),
      operation: "Check",
      denial: "REJECT 5.7.1 mallory@example.net may not write to bob@example.org",
    },
    {
      what: `Spyne, document/literal wrapped, SOAP ${version}`,
      skip: noSpyne,
      start: () => startSpyne(version, join(FOLDER, "spyne-authorization.py")),
      operation: "check_mail",
      denial: NOT_AUTHORIZED,
    },
    {
      what: `Spyne, document/literal bare, SOAP ${version}`,
      skip: noSpyne,
      start: () => startSpyne(version, join(FOLDER, "spyne-authorization.py")),
      operation: "decide",
      denial: "REJECT 5.7.1 mallory@example.net is not known",
    },
  ]),
  ...["literal", "encoded"].map((use) => ({
    what: `PHP, rpc/${use}`,
    skip: noPhp,
    start: () => startPhp(join(FOLDER, "rpc.php"), rpc(use), {}),
    operation: "isAllowed",
    denial: NOT_AUTHORIZED,
  })),
  {
    what: "Apache Axis, rpc/encoded",
    skip: noAxis,
    start: () => startTable({ "alice@example.net": "Permit", "mallory@example.net": "Deny" }),
    // Overloaded: its input tells which.
    operation: "getProperty:getPropertyRequest",
    choices: { values: { "getProperty.key": "${sender}" } },
    denial: NOT_AUTHORIZED,
    unlikely: true,
  },
];

for (const { what, skip, start, operation, choices, denial, unlikely } of CASES) {
  describe.skipIf(skip)(what, () => {
    let server: SoapServer;
    beforeAll(async () => {
      server = await start();
    });
    afterAll(() => server?.stop());

    it("permits nobody before the choices are made, and decides as the server after", async () => {
      const draft = await imported("wsdl", `${server.url}?wsdl`, operation);
      for (const answer of await answers(server.url, draft, SENDERS)) expect(answer).toMatch(UNDECIDED);
      const chosen = choose(draft, choices);
      expect(chosen).not.toContain("failure: bad_reply");
      const site = await Site.create({ "mine.yaml": chosen });
      await check(site.path("mine.yaml"));
      expect(await answers(server.url, chosen, SENDERS)).toEqual(["DUNNO", denial]);
    });

    it.skipIf(unlikely)("marks the operation as the likely one", async () => {
      const { stdout, status } = await run(["import", "wsdl", `${server.url}?wsdl`]);
      expect(status).toBe(0);
      expect(stdout).toMatch(/^\* \w+ {2}/m);
    });
  });
}

const POLICY = {
  apiVersion: "api.cerbos.dev/v1",
  resourcePolicy: {
    resource: "mailbox",
    version: "default",
    rules: [
      {
        actions: ["send"],
        effect: "EFFECT_ALLOW",
        roles: ["mail"],
        condition: { match: { expr: 'P.id == "alice@example.net"' } },
      },
    ],
  },
};

describe("Cerbos, by the Swagger 2.0 document that it publishes", () => {
  it("permits nobody before the choices are made, and decides as its policy after", async () => {
    const cerbos = await startCerbos([POLICY]);
    onTestFinished(() => cerbos.stop());
    const source = `${cerbos.url}/schema/swagger.json`;
    expect((await run(["import", "openapi", source])).stdout).toContain("* CerbosService_CheckResources ");
    const draft = await imported("openapi", source, "CerbosService_CheckResources");
    for (const answer of await answers(cerbos.url, draft, SENDERS)) expect(answer).toMatch(UNDECIDED);
    const chosen = choose(draft, {
      values: {
        "principal.roles": "mail",
        "resources.actions": "send",
        "resources.resource.kind": "mailbox",
      },
      member: "send",
    }).replace("${first(sasl_username, sender", "${first(sender");
    expect(await answers(cerbos.url, chosen, SENDERS)).toEqual(["DUNNO", NOT_AUTHORIZED]);
  });
});

/** Prism answers by the document alone, and refuses what is not in it with 4xx. */
const DOCUMENTS = [
  ["authzen.yaml", "evaluation"],
  ["opa.yaml", "getDocumentWithPath"],
  ["openfga.json", "Check"],
  ["cerbos.yaml", "checkResources"],
  ["form.json", "POST /v1/may-send/{tenant}"],
] as const;

describe.skipIf(noPrism)("Prism, as the server of a document", () => {
  it.each(DOCUMENTS)("finds no error in the calls of %s", async (name, operation) => {
    const source = resolve(import.meta.dirname, "../import/openapi", name);
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const prism = await startDaemon({
      command: process.env.PFXBRIDGE_PRISM ?? "prism",
      parameters: ["mock", "--errors", "--host", "127.0.0.1", "--port", String(port), source],
      ready: () => fetch(url),
    });
    onTestFinished(async () => void (await prism.stop()));
    const draft = await imported("openapi", source, operation);
    const site = await Site.create({
      "pfxbridge.yaml": { services: { mine: { url, mapping: "./mine.yaml", auth: { bearer: "token" } } } },
      "mine.yaml": choose(draft, { member: "send" }),
    });
    const request = [
      "sender=alice@example.net",
      "recipient=bob@example.org",
      "sasl_username=alice",
      "client_address=192.0.2.7",
    ];
    const { stdout } = await run(["try", "-c", site.config, "--json", ...request]);
    // Its reply is the document's example, so the status tells that the call was right.
    expect(stdout).toMatch(/"status": ?200/);
  });
});
