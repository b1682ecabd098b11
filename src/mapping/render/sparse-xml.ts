/**
 * `omit_empty` for XML: an element that a `${…}` left without content is left out, then the elements that this leaves
 * with nothing. An element stays that a value in one of its attributes says something about, and so do the outermost.
 */
import type { Variables } from "../../expression/variables.ts";
import { concatenate, type Render } from "./context.ts";
import type { XmlToken } from "./xml.ts";

interface Element {
  readonly open: readonly (string | Render)[];
  readonly children: (string | Render | Element)[];
  close: string;
  /** It holds text of the mapping's own, or an element that is never left out. */
  fixed: boolean;
  /** It holds a value, or an element that may be left out. */
  optional: boolean;
}

export function sparseXml(tokens: readonly XmlToken[]): Render {
  const root = newElement([]);
  const open = [root];
  for (const { kind, pieces } of tokens) {
    const current = open.at(-1) ?? root;
    if (kind === "open") {
      const element = newElement(pieces);
      current.children.push(element);
      open.push(element);
    } else if (kind === "close") {
      current.close = pieces.join("");
      open.pop();
      const outer = open.at(-1) ?? root;
      if (canVanish(current)) outer.optional = true;
      else outer.fixed = true;
    } else {
      current.children.push(...pieces);
      addContent(current, kind, pieces);
    }
  }
  const parts = root.children.map((child) => (isElement(child) ? outermost(child) : child));
  return concatenate(parts);
}

function newElement(open: readonly (string | Render)[]): Element {
  return { open, children: [], close: "", fixed: false, optional: false };
}

function addContent(element: Element, kind: XmlToken["kind"], pieces: readonly (string | Render)[]): void {
  if (kind === "comment") return;
  for (const piece of pieces) {
    if (typeof piece !== "string") element.optional = true;
    else if (kind !== "text" || piece.trim() !== "") element.fixed = true;
  }
}

function canVanish({ fixed, optional }: Element): boolean {
  return optional && !fixed;
}

function isElement(child: string | Render | Element): child is Element {
  return typeof child === "object";
}

function outermost(element: Element): Render {
  return (variables) => renderElement(element, variables, true) ?? "";
}

/** Null for an element that is left out. */
function renderElement(element: Element, variables: Variables, keep: boolean): string | null {
  let filled = keep || !canVanish(element);
  let text = "";
  for (const piece of element.open) {
    const rendered = typeof piece === "string" ? piece : piece(variables);
    if (typeof piece !== "string" && rendered !== "") filled = true;
    text += rendered;
  }
  for (const child of element.children) {
    const rendered = renderChild(child, variables);
    if (typeof child !== "string" && rendered !== null && rendered !== "") filled = true;
    text += rendered ?? "";
  }
  return filled ? text + element.close : null;
}

function renderChild(child: string | Render | Element, variables: Variables): string | null {
  if (typeof child === "string") return child;
  return isElement(child) ? renderElement(child, variables, false) : child(variables);
}
