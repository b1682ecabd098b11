/** `soap:` of a mapping's request: the XML inside Body and Header, to an envelope with the headers that its version wants. */
import type { Template } from "../../expression/template.ts";
import type { Path } from "../../source/position.ts";
import { parseXml, XmlError } from "../xml.ts";
import { actionBlock, createSeal } from "./addressing.ts";
import type { CompiledBody } from "./body.ts";
import {
  type CompileContext,
  compileText,
  concatenate,
  type Names,
  type Render,
  templatePieces,
} from "./context.ts";
import { blockAdder, envelope, type SoapVersion } from "./envelope.ts";
import { quotedHeaderText, xmlText } from "./escape.ts";
import type { CompiledHeader } from "./headers.ts";
import { sparseXml } from "./sparse-xml.ts";
import { checkWellFormed, maskSlots, xmlTokens } from "./xml.ts";

export interface SoapDefinition {
  /** A number where it was written without quotes. */
  readonly version: string | number;
  readonly action?: string | undefined;
  readonly body: string;
  readonly header?: string | undefined;
  readonly addressing?: boolean | undefined;
}

export function compileSoap(
  definition: SoapDefinition,
  path: Path,
  context: CompileContext,
  omitEmpty: boolean,
  names: Names,
): CompiledBody {
  const version = soapVersion(definition.version, path, context);
  const { action = "", addressing = false } = definition;
  const part = (name: "header" | "body") =>
    compilePart(definition[name] ?? "", [...path, name], version, context, omitEmpty, names);
  const template = compileText(action, [...path, "action"], context, names);
  const header = [
    ...(addressing ? addressingBlocks(template, action, path, context) : []),
    ...part("header"),
  ];
  return {
    headers: soapHeaders(version, action, quotedAction(template, [...path, "action"])),
    render: concatenate(envelope(version, header, part("body"))),
    seal: createSeal(blockAdder(version, header.length > 0), addressing),
  };
}

/** Of WS-Addressing what is the same in each attempt. */
function addressingBlocks(
  template: Template | null,
  action: string,
  path: Path,
  context: CompileContext,
): (string | Render)[] {
  if (action === "") {
    context.report(
      [...path, "addressing"],
      "WS-Addressing needs an action; the WSDL has it as wsaw:Action, or else soapAction",
    );
  }
  if (template === null) return [];
  return actionBlock(templatePieces(template, [...path, "action"], xmlText, xmlText));
}

function soapVersion(written: string | number, path: Path, context: CompileContext): SoapVersion {
  const version = String(written);
  if (version === "1.1" || version === "1.2") return version;
  context.report([...path, "version"], 'the version of SOAP is "1.1" or "1.2"');
  return "1.1";
}

function compilePart(
  text: string,
  path: Path,
  version: SoapVersion,
  context: CompileContext,
  omitEmpty: boolean,
  names: Names,
): (string | Render)[] {
  const template = compileText(text, path, context, names);
  if (template === null || text.trim() === "" || !checkPart(template, version, path, context)) return [];
  const tokens = xmlTokens(template, path, context);
  return omitEmpty ? [sparseXml(tokens)] : tokens.flatMap(({ pieces }) => pieces);
}

/** XML for the Header of an envelope that is made elsewhere. */
export function compileHeaderBlock(text: string, path: Path, context: CompileContext): Render {
  return concatenate(compilePart(text, path, "1.1", context, false, new Set()));
}

/** Reports XML that cannot stand in an envelope of its own. */
function checkPart(template: Template, version: SoapVersion, path: Path, context: CompileContext): boolean {
  const masked = maskSlots(template);
  if (/^\s*<\?xml\s/.test(masked)) {
    context.report(path, "leave out the XML declaration; it is written for you", masked.indexOf("<"));
    return false;
  }
  if (/^\s*<(?:[\w.-]+:)?Envelope[\s>]/.test(masked)) {
    context.report(
      path,
      "leave out the Envelope; body takes what is inside Body, and header what is inside Header, with the namespaces declared there",
      masked.indexOf("<"),
    );
    return false;
  }
  if (!checkWellFormed(masked, path, context)) return false;
  try {
    parseXml(envelope(version, [], [masked]).join(""));
    return true;
  } catch (error) {
    if (!(error instanceof XmlError)) throw error;
    context.report(path, `this XML cannot be sent: ${error.message}`);
    return false;
  }
}

/** SOAP 1.1 §6.1.1 has the action in SOAPAction, SOAP 1.2 part 2 §6.5.3 in the media type. */
function soapHeaders(version: SoapVersion, action: string, quoted: Render): CompiledHeader[] {
  if (version === "1.1") {
    return [
      { name: "content-type", render: () => "text/xml; charset=utf-8" },
      { name: "soapaction", render: quoted },
    ];
  }
  const type = "application/soap+xml; charset=utf-8";
  const render: Render = action === "" ? () => type : (variables) => `${type}; action=${quoted(variables)}`;
  return [{ name: "content-type", render }];
}

function quotedAction(template: Template | null, path: Path): Render {
  return concatenate([
    '"',
    ...(template === null ? [] : templatePieces(template, path, quotedHeaderText)),
    '"',
  ]);
}
