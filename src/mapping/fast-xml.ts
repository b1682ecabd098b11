/** fast-xml-parser, loaded when the first XML is read: most bridges speak JSON alone, and start the sooner. */
import { createRequire } from "node:module";
import type * as FastXmlParser from "fast-xml-parser";

const require = createRequire(import.meta.url);
let loaded: typeof FastXmlParser | null = null;

export function fastXml(): typeof FastXmlParser {
  loaded ??= require("fast-xml-parser") as typeof FastXmlParser;
  return loaded;
}
