/** Messages of any origin as one line of bounded length. */
import { UNSAFE_RUNS } from "./unsafe.ts";

const LONGEST = 300;

/** `text` as one line, whatever it quotes; runs of unsafe characters are one blank each. */
export function oneLine(text: string, longest = LONGEST): string {
  const line = text.replace(UNSAFE_RUNS, " ");
  return line.length > longest ? `${line.slice(0, longest)}…` : line;
}
