/** `text:` of a mapping's request: a body of any format, whose values are escaped as it states. */

import type { Path } from "../../source/position.ts";
import { percentEncode } from "../../text/percent.ts";
import type { CompiledBody } from "./body.ts";
import {
  type CompileContext,
  compileLiteral,
  compileText,
  concatenate,
  type Names,
  templatePieces,
} from "./context.ts";
import { jsonStringText, xmlAttribute } from "./escape.ts";

export interface TextDefinition {
  readonly content_type?: string | undefined;
  readonly escape?: string | undefined;
  readonly template: string;
}

const ENCODERS: ReadonlyMap<string, (value: string) => string> = new Map([
  ["json", jsonStringText],
  ["xml", xmlAttribute],
  ["url", percentEncode],
  ["none", (value: string) => value],
]);

export function compileTextBody(
  definition: TextDefinition,
  path: Path,
  context: CompileContext,
  names: Names,
): CompiledBody {
  const { content_type = "text/plain; charset=utf-8", escape: escaping = "", template: text } = definition;
  const encode = ENCODERS.get(escaping);
  if (encode === undefined) {
    context.report(
      [...path, "escape"],
      'say how values are escaped: "json" (between quotes), "xml", "url" or "none"',
    );
  }
  const type = compileLiteral(content_type, "a content type", [...path, "content_type"], context) ?? "";
  if (!/^[\x20-\x7e]*$/.test(type)) {
    context.report(
      [...path, "content_type"],
      "a content type is one line of ASCII, such as text/csv; charset=utf-8",
    );
  }
  const at = [...path, "template"];
  const template = compileText(text, at, context, names);
  return {
    headers: [{ name: "content-type", render: () => type }],
    render: concatenate(
      template === null || encode === undefined ? [] : templatePieces(template, at, encode),
    ),
  };
}
