/** Actions that the operator writes: any of access(5), and short enough to reach the client whole. */
import { parseAction } from "../model/action.ts";

/** Postfix cuts its whole reply at 510 bytes, its own words included. */
const MAX_TEXT = 400;

/** The action as it will be sent, or what is wrong with it. */
export function readAction(text: string): { readonly action: string } | { readonly problem: string } {
  const action = parseAction(text);
  if ("problem" in action) return action;
  if (Buffer.byteLength(action.text) > MAX_TEXT) {
    return { problem: `the text is longer than ${MAX_TEXT} bytes; Postfix would cut it` };
  }
  return { action: action.text === "" ? action.verb : `${action.verb} ${action.text}` };
}
